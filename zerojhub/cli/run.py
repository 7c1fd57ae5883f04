"""From a command's options to a deployment under way."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from zerojhub.cli.options import DEFAULT_FILE
from zerojhub.errors import UserError, ZeroJHubError

if TYPE_CHECKING:
    from zerojhub.journey import Hub
    from zerojhub.kube.reach import Reach
    from zerojhub.openstack.clusters import Say
    from zerojhub.openstack.session import Cloud

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


@dataclass(frozen=True)
class Place:
    """The cluster that a command is about: the one of that name, or the one of the deployment file."""

    cluster: str | None
    file: Path
    cloud: str | None

    def words(self) -> str:
        """The options that lead another command there."""
        named = ["--cluster", self.cluster] if self.cluster else ["-f", str(self.file)] * (self.file != DEFAULT_FILE)
        return "".join(f" {word}" for word in [*named, *(["--cloud", self.cloud] if self.cloud else [])])


def in_cluster(work: Callable[[Reach, Say], Awaitable[Answer]], place: Place, step: str, *, quiet: bool) -> Answer:
    """Run `work(reach, say)` in the cluster, as a step of live progress. UserError when there is no such cluster."""
    import anyio

    from zerojhub import deployment, journey
    from zerojhub.openstack.session import Cloud
    from zerojhub.operations.adopt import deployment_of
    from zerojhub.report import Progress
    from zerojhub.stages import Access

    if not place.cluster and not place.file.exists():
        hint = "name a deployment file with -f, or a cluster with --cluster"
        raise UserError("no such file", where=str(place.file), hint=hint)

    async def run() -> Answer:
        if place.cluster:
            wanted = await deployment_of(Cloud(place.cloud), place.cluster, place.cloud)
        else:
            wanted = deployment.load(place.file)
            wanted.cloud = place.cloud or wanted.cloud
        hub = journey.Hub(wanted, Progress(quiet=True))
        with hub.progress:
            try:
                (reach,) = await journey.reach(hub, Access)
                return await work(reach, tell)
            finally:
                await hub.close()

    with _as_step(step, quiet=quiet) as tell:
        return anyio.run(run)


def under_way(name: str, work: Callable[[Cloud, Say], Awaitable[Any]], cloud: str | None, quiet: bool) -> Any:
    """Run `work` with a step of live progress named after the cluster."""
    import anyio

    from zerojhub.openstack.session import Cloud

    with _as_step(name, quiet=quiet) as say:
        return anyio.run(work, Cloud(cloud), say)


def on_cluster(
    name: str, work: Callable[[Any, Say], Awaitable[Any]], cloud: str | None, quiet: bool, *, locked: bool = True
) -> Any:
    """Run `work(hub, say)` on the deployment that the cluster belongs to, or on one that adopts it.

    `locked`: while no other command works on it; what only looks may do so at any time.
    """
    from zerojhub.journey import Hub
    from zerojhub.operations.adopt import deployment_of
    from zerojhub.report import Progress

    async def run(here: Cloud, say: Say) -> Any:
        deployment = await deployment_of(here, name, cloud)
        with lock(deployment, wanted_lock=locked), Progress(quiet=True) as progress:
            hub = Hub(deployment, progress)
            try:
                return await work(hub, say)
            finally:
                await hub.close()

    return under_way(name, run, cloud, quiet)


@contextmanager
def _as_step(name: str, *, quiet: bool) -> Iterator[Say]:
    """The one step of a command's live progress, which has failed when anything is raised in it."""
    from functools import partial

    from zerojhub.report import Progress

    with Progress(quiet=quiet) as progress:
        progress.start(name)
        outcome = "failed"
        try:
            yield partial(progress.say, name)
            outcome = "done"
        finally:
            progress.end(name, outcome)


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
