"""From a command's options to a deployment under way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zerojhub.errors import ZeroJHubError

if TYPE_CHECKING:
    from zerojhub.journey import Hub

Answer = TypeVar("Answer")

NAMED = ("embedded", "z2jh")
"""Charts that are not paths."""


def with_hub(
    work: Callable[[Hub], Awaitable[Answer]],
    file: Path,
    cloud: str | None,
    *,
    quiet: bool,
    verbose: bool = False,
    locked: bool = False,
    delete_data: bool = False,
    chart: str | None = None,
) -> Answer:
    """Load the deployment, run `work(hub)`, close its connections. `locked`: one such at a time for the deployment."""
    import anyio

    from zerojhub import deployment, journey
    from zerojhub.report import Progress

    wanted = deployment.load(file)
    if cloud:
        wanted.cloud = cloud
    if chart:
        # A path in the file is relative to the file, one on the command line to where the person is.
        wanted.hub.chart = str(Path(chart).absolute()) if chart not in NAMED and Path(chart).exists() else chart

    async def run() -> Answer:
        hub = journey.Hub(wanted, progress, delete_data=delete_data)
        try:
            return await work(hub)
        finally:
            await hub.close()

    with Progress(quiet=quiet, verbose=verbose) as progress, lock(wanted, wanted_lock=locked):
        return anyio.run(run)


@contextmanager
def lock(deployment, *, wanted_lock: bool):
    """Hold the deployment's lock, or say who does."""
    if not wanted_lock:
        yield
        return
    import os

    from filelock import FileLock, Timeout

    from zerojhub.journey import state_folder

    path = state_folder(deployment) / "lock"
    held = FileLock(path, timeout=0)
    try:
        held.acquire()
    except Timeout:
        holder = path.with_name("lock.pid")
        pid = holder.read_text().strip() if holder.exists() else "unknown"
        raise ZeroJHubError(
            f"another zerojhub (process {pid}) is working on {deployment.name}", hint="wait for it, or stop it"
        ) from None
    try:
        path.with_name("lock.pid").write_text(f"{os.getpid()}\n")
        yield
    finally:
        held.release()
