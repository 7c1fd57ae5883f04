"""Downloads from a chart repository, and the cache that they are kept in."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from zerojhub import files, retry
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.tls import trusted

if TYPE_CHECKING:
    import httpx

SERVICE = "chart repository"
"""Its name in reports of faults."""
TIMEOUT = 30.0
"""Seconds without any data from the repository after which a download has failed."""
LARGEST = 100 << 20
"""Bytes of a chart, packed or not, and of a list of charts: Helm's own limit."""
OFFLINE = (
    "set hub.chart: embedded for the chart that ships with zerojhub, or download this one on another machine and set "
    "hub.chart to its path"
)


async def get(url: str, what: str, *, limit: int = retry.ATTEMPTS) -> bytes:
    """The content of the URL. `what`: what it is, for messages.

    Raises UserError if it does not exist, and ZeroJHubError after `limit` attempts.
    """
    import httpx

    shown = re.sub(r"//[^/@]*@", "//", url)

    async def attempt() -> bytes:
        try:
            timeout = httpx.Timeout(TIMEOUT, connect=5)
            client = httpx.AsyncClient(follow_redirects=True, timeout=timeout, verify=trusted())
            async with client, client.stream("GET", url) as answer:
                content = b"" if answer.is_error else await _received(answer, shown)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            words = re.sub(r"\[Errno -?\d+\] ", "", str(error)) or type(error).__name__
            reason = f"{what} cannot be downloaded: {words}"
            failed = ZeroJHubError(reason, where=shown, hint=OFFLINE)
            if fault := retry.of_exception(SERVICE, error):
                raise retry.Transient(fault, failed) from error
            raise failed from None
        if answer.status_code in (404, 410):
            raise UserError(f"{what} does not exist ({answer.status_code})", where=shown)
        if answer.is_error:
            reason = f"{what} cannot be downloaded: {answer.status_code} {answer.reason_phrase}"
            failed = ZeroJHubError(reason, where=shown, hint=OFFLINE)
            if fault := retry.of_status(SERVICE, answer.status_code, answer.headers):
                raise retry.Transient(fault, failed)
            raise failed
        return content

    return await retry.attempts(attempt, repeatable=True, limit=limit)


async def _received(answer: httpx.Response, where: str) -> bytes:
    """What is downloaded; ZeroJHubError once it is too large to be a chart or a list of charts."""
    content = bytearray()
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > LARGEST:
            raise ZeroJHubError(f"the download is larger than {LARGEST >> 20} MiB", where=where)
    return bytes(content)


def cached(name: str) -> Path:
    """The place of a file in the cache, which may not exist."""
    import platformdirs

    return platformdirs.user_cache_path("zerojhub") / "charts" / name


def keep(path: Path, content: bytes) -> None:
    """Write a file of the cache. A cache that cannot be written is no failure."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write(path, content)
