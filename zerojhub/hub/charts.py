"""Charts: where they come from, and what they contain."""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import anyio

from zerojhub import files
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.hub import download
from zerojhub.hub.constraints import allows, in_words
from zerojhub.hub.repository import ChartVersion, matches, numbers
from zerojhub.shipped import shipped
from zerojhub.yamlfile import load

LARGEST_FILE = 5 << 20
"""Bytes of a file in a chart: Helm's own limit."""
TEMPLATE = re.compile(r"(charts/[^/]+/)*templates/")
"""Paths of templates in a chart."""

ChartValues = dict[str, Any]
"""Values of a chart. Any: only the chart's own schema knows what is in them."""


def at(values: Any, *place: str) -> Any:
    """The value at the place; None if there is none."""
    for step in place:
        values = values.get(step) if isinstance(values, dict) else None
    return values


def section(values: ChartValues, key: str) -> ChartValues:
    """The mapping at the key, added if there is none (an empty `hub:` in YAML is null)."""
    found: ChartValues = values[key] if isinstance(values.get(key), dict) else {}
    values[key] = found
    return found


@dataclass(frozen=True)
class ChartArchive:
    """A packed chart. Its properties raise UserError if it is not a chart."""

    content: bytes
    source: str
    """Its path or URL, for messages."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the archive."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def metadata(self) -> dict[str, Any]:
        """Chart.yaml."""
        found = self._yaml("Chart.yaml")
        if not isinstance(found, dict) or not {"name", "version"} <= found.keys():
            raise UserError("not a chart: its Chart.yaml has no name or version", where=self.source)
        return found

    @cached_property
    def defaults(self) -> ChartValues:
        """values.yaml."""
        return self._yaml("values.yaml") or {}

    @cached_property
    def schema(self) -> dict[str, Any] | None:
        """values.schema.json (JSON Schema), if the chart has one."""
        import json

        text = self._files.get("values.schema.json")
        found: dict[str, Any] | None = json.loads(text) if text else None
        return found

    @cached_property
    def templates(self) -> dict[str, str]:
        """Its templates and those of its subcharts, by their paths in the chart, such as `templates/hub.yaml`."""
        return {name: text.decode(errors="replace") for name, text in self._files.items() if TEMPLATE.match(name)}

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    @property
    def version(self) -> str:
        return str(self.metadata["version"])

    @property
    def major_minor(self) -> tuple[int, int]:
        """The first two numbers of its version."""
        return numbers(self.version)[:2]

    @property
    def major(self) -> int:
        """The first of them."""
        return self.major_minor[0]

    def misfit(self, kubernetes: str | None) -> str | None:
        """Why the chart does not support that Kubernetes version (such as `v1.25.3`); None if it does, or the version is None."""
        constraint = str(self.metadata.get("kubeVersion") or "")
        if not kubernetes or allows(constraint, kubernetes):
            return None
        return f"chart {self.name} {self.version} needs Kubernetes {in_words(constraint)}"

    @cached_property
    def _files(self) -> dict[str, bytes]:
        wanted = {"Chart.yaml", "values.yaml", "values.schema.json"}
        found: dict[str, bytes] = {}
        try:
            unpacked = gzip.GzipFile(fileobj=io.BytesIO(self.content)).read(download.LARGEST + 1)
            if len(unpacked) > download.LARGEST:
                raise UserError(f"unpacked, the chart is larger than {download.LARGEST >> 20} MiB", where=self.source)
            with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as tar:
                for member in tar:
                    folder, _, name = member.name.removeprefix("./").partition("/")
                    needed = folder and (name in wanted or TEMPLATE.match(name))
                    if needed and member.isfile() and (file := tar.extractfile(member)):
                        found[name] = file.read()
        except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
            raise UserError(f"not a chart archive: {error}", where=self.source) from None
        if "Chart.yaml" not in found:
            raise UserError("not a chart: there is no Chart.yaml in it", where=self.source)
        return found

    def _yaml(self, name: str) -> Any:
        return load(self._files.get(name, b""), f"{self.source}: {name}")


async def find(ref: str, version: str | None, directory: Path) -> ChartArchive:
    """The chart `embedded`, at an http(s) URL, or at a path relative to `directory`.

    Raises UserError if there is no such chart, or it has a version other than `version`; ZeroJHubError if it cannot be
    downloaded.
    """
    if ref.startswith("oci://"):
        raise UserError(
            f"OCI registries are not supported: {ref}", hint=f"helm pull {ref}, and set hub.chart to its file"
        )
    if ref.startswith(("http://", "https://")):
        chart = await _download(ref, set())
    else:
        path = shipped("charts", "jupyterhub") if ref == "embedded" else directory / Path(ref).expanduser()
        chart = await anyio.to_thread.run_sync(_read, path)
    if not matches(chart.version, version):
        raise UserError(
            f"the chart is version {chart.version}, not {version}",
            where=chart.source,
            hint="remove hub.version, or set hub.chart: z2jh to download that version",
        )
    return chart


async def fetch(version: ChartVersion) -> ChartArchive:
    """That version of Zero to JupyterHub's chart, with the digest that it is listed with.

    Raises UserError if it does not exist, and ZeroJHubError if it cannot be downloaded or is not what is listed.
    """
    return await _download(version.address, version.pins)


def _read(path: Path) -> ChartArchive:
    try:
        content = _pack(path) if path.is_dir() else files.read(path, most=download.LARGEST)
    except OSError as error:
        raise UserError(f"the chart cannot be read: {error.strerror}", where=str(path)) from None
    return ChartArchive(content, str(path))


def _pack(folder: Path) -> bytes:
    """The folder as an archive whose bytes depend only on the files' names and contents."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped, tarfile.open(fileobj=zipped, mode="w") as tar:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("~")):
            info = tarfile.TarInfo(f"{folder.name}/{path.relative_to(folder).as_posix()}")
            data = files.read(path, most=LARGEST_FILE)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


async def _download(url: str, pins: set[str]) -> ChartArchive:
    """The archive at the URL, which must have these digests; downloaded once and then kept in the cache."""
    kept = download.cached(f"{hashlib.sha256(url.encode()).hexdigest()[:12]}.tgz")
    if kept.exists():
        chart = ChartArchive(kept.read_bytes(), url)
        if pins <= {chart.digest}:
            return chart
    chart = ChartArchive(await download.get(url, "the chart"), url)
    if not pins <= {chart.digest}:
        raise ZeroJHubError(
            f"the chart's SHA-256 is {chart.digest}, not {', '.join(sorted(pins - {chart.digest}))}",
            where=url,
            hint="the download is damaged, or the chart was replaced: try again later, or set another hub.version",
        )
    _ = chart.metadata  # an error page must not be cached
    download.keep(kept, chart.content)
    return chart
