"""From a command's options to a run: the deployment file or a cluster, the lock, live progress, connections closed at the end."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zerojhub.cli.options import DEFAULT_FILE, Turn, ask_passphrase, login, turn
from zerojhub.errors import UserError

if TYPE_CHECKING:
    from zerojhub.cluster import Connect
    from zerojhub.deployment import Deployment
    from zerojhub.kube.reach import Reach
    from zerojhub.openstack.session import Cloud
    from zerojhub.run import Run
    from zerojhub.text import Say

Answer = TypeVar("Answer")

CHART_NAMES = ("embedded", "z2jh")
"""Charts that are not paths."""


def with_run(
    work: Callable[[Run], Awaitable[Answer]],
    file: Path,
    cloud: str | None,
    *,
    quiet: bool = False,
    verbose: bool = False,
    silent: bool = False,
    notes: bool = False,
    locked: bool = False,
    later: bool = False,
    chart: str | None = None,
) -> Answer:
    """Load the deployment and run `work(run)`.

    `silent`: without progress, for commands that only look; `notes`: but with what the user should know. `locked`: only one such
    command at a time for the deployment. `later`: `work` takes the lock itself before it changes something, as `graph.up` does.
    `chart`: in place of the deployment's. Raises what `work` raises, and UserError for an invalid deployment file.
    """
    import anyio

    from zerojhub import graph
    from zerojhub.report import Progress
    from zerojhub.run import Run, Silent

    deployment = load(file, cloud)
    if chart:
        # A path in the file is relative to the file, one on the command line to the working directory.
        path = Path(chart)
        deployment.hub.chart = str(path.absolute()) if chart not in CHART_NAMES and path.exists() else chart

    async def start() -> Answer:
        shown = (Silent(progress.note) if notes else Silent()) if silent else progress
        run = Run(deployment, shown, ask_passphrase=ask_passphrase)
        async with AsyncExitStack() as ends:
            if locked:
                await ends.enter_async_context(_lockable(run, run.note))
            ends.push_async_callback(run.close)
            if locked and not later:
                await graph.take_lock(run)
            return await work(run)

    with Progress(quiet=quiet, verbose=verbose) as progress:
        return anyio.run(start)


def with_runs(
    work: Callable[[Run, Run], Awaitable[Answer]],
    deployments: tuple[Deployment, Deployment],
    *,
    quiet: bool,
    verbose: bool,
    locked: bool,
) -> Answer:
    """Run `work(first, second)` on two deployments. `locked`: only one command at a time on each of them."""
    import anyio

    from zerojhub import graph
    from zerojhub.report import Progress
    from zerojhub.run import Run

    async def start() -> Answer:
        first, second = (Run(each, progress, ask_passphrase=ask_passphrase) for each in deployments)
        async with AsyncExitStack() as ends:
            # In the same order in either direction, or two commands might wait for each other.
            ordered = sorted((first, second), key=lambda run: run.deployment.name) if locked else []
            for run in ordered:
                await ends.enter_async_context(_lockable(run, run.note))
            ends.push_async_callback(first.close)
            ends.push_async_callback(second.close)
            for run in ordered:
                await graph.take_lock(run)
            return await work(first, second)

    with Progress(quiet=quiet, verbose=verbose) as progress:
        return anyio.run(start)


def load(file: Path, cloud: str | None, *, logging_in: bool = True) -> Deployment:
    """The deployment of the file, in the cloud given on the command line if there is one.

    `logging_in`: the key and the user of the command line are for its servers.
    """
    from zerojhub import deployment

    loaded = deployment.load(file)
    loaded.cloud = cloud or loaded.cloud
    return _with_login(loaded) if logging_in else loaded


async def _adopted(cloud: Cloud, name: str, cloud_name: str | None) -> Deployment:
    """The deployment of the cluster of that name (see `deployment_of`)."""
    from zerojhub.cluster.adopt import deployment_of

    return _with_login(await deployment_of(cloud, name, cloud_name))


def _with_login(deployment: Deployment) -> Deployment:
    """The deployment with -i and --user of the command line instead of its own key and user."""
    if given := login.get():
        deployment.access.private_key = given.identity or deployment.access.private_key
        deployment.access.user = given.user or deployment.access.user
    return deployment


@dataclass(frozen=True)
class Place:
    """The cluster that a command is about: the one of that name, or the one of the deployment file."""

    cluster: str | None
    file: Path
    cloud: str | None

    def words(self) -> str:
        """The options with which another command works on the same cluster."""
        named = ["--cluster", self.cluster] if self.cluster else ["-f", str(self.file)] * (self.file != DEFAULT_FILE)
        words = [
            *named,
            *(["--cloud", self.cloud] if self.cloud else []),
            *(given.words() if (given := login.get()) else []),
        ]
        return "".join(f" {shlex.quote(word)}" for word in words)


def in_cluster(work: Callable[[Reach, Say], Awaitable[Answer]], place: Place, step: str, *, quiet: bool) -> Answer:
    """Run `work(reach, say)` in the cluster as it is, as a step of live progress. UserError when there is no such cluster."""
    import anyio

    from zerojhub import running
    from zerojhub.graph import with_needs
    from zerojhub.openstack.session import Cloud
    from zerojhub.report.results import show_drift
    from zerojhub.run import Run, Silent
    from zerojhub.stages import Access

    if not place.cluster and not place.file.exists():
        hint = "name a deployment file with -f, or a cluster with --cluster"
        raise UserError("no such file", where=str(place.file), hint=hint)

    async def start() -> Answer:
        if place.cluster:
            here = Cloud(place.cloud)
            deployment = await _adopted(here, place.cluster, place.cloud)
        else:
            deployment = load(place.file, place.cloud)
            here = Cloud(deployment.cloud)
        run = Run(deployment, Silent(), here, ask_passphrase)
        try:
            found = await running.look(run, with_needs([Access]))
            reach = found.reach
            show_drift(found.drift)
            return await work(reach, say)
        finally:
            await run.close()

    with _as_step(step, quiet=quiet) as say:
        return anyio.run(start)


def request(cloud: str | None, work: Callable[[Cloud], Awaitable[Answer]]) -> Answer:
    """Run `work(cloud)`, which takes too little time for progress."""
    import anyio

    from zerojhub.openstack.session import Cloud

    return anyio.run(work, Cloud(cloud))


def in_cloud(name: str, work: Callable[[Cloud, Say], Awaitable[Answer]], cloud: str | None, quiet: bool) -> Answer:
    """Run `work(cloud, say)` as a step of live progress of that name."""
    import anyio

    from zerojhub.openstack.session import Cloud

    with _as_step(name, quiet=quiet) as say:
        return anyio.run(work, Cloud(cloud), say)


def on_cluster(
    name: str,
    work: Callable[[Run, Connect, Say], Awaitable[Answer]],
    cloud: str | None,
    quiet: bool,
    *,
    locked: bool = True,
) -> Answer:
    """Run `work(run, connect, say)` on the deployment that the cluster belongs to, or on one that adopts it.

    `locked`: only one such command at a time; commands that only look run at any time.
    """
    from zerojhub import graph
    from zerojhub.report.failures import show_note
    from zerojhub.run import Run, Silent
    from zerojhub.stages import Access

    async def start(here: Cloud, say: Say) -> Answer:
        run = Run(await _adopted(here, name, cloud), Silent(), here, ask_passphrase)

        async def connect() -> Reach:
            run.forget_answers()
            await graph.require(run, Access)
            return run[Access]

        async with AsyncExitStack() as ends:
            if locked:
                await ends.enter_async_context(_lockable(run, show_note))
            ends.push_async_callback(run.close)
            if locked:
                await run.take_lock(say)
            return await work(run, connect, say)

    return in_cloud(name, start, cloud, quiet)


@contextmanager
def _as_step(name: str, *, quiet: bool) -> Iterator[Say]:
    """The only step of a command's live progress; it has failed when anything is raised in it."""
    from zerojhub import retry
    from zerojhub.report import Progress

    with Progress(quiet=quiet) as progress, retry.reported(partial(progress.warn, name)):
        progress.start(name)
        outcome = "failed"
        try:
            yield partial(progress.say, name)
            outcome = "done"
        finally:
            progress.end(name, outcome)


@asynccontextmanager
async def _lockable(run: Run, note: Say) -> AsyncIterator[None]:
    """Within: the run can take its deployment's lock, which is given back at the end. `note` reports a line that stays."""
    from zerojhub.lock import Lock
    from zerojhub.openstack import clusters, magnum

    async def name() -> str:
        """Of the deployment that the cluster belongs to, for all commands on the cluster to agree."""
        cluster = await run.once(magnum.find_cluster, run.cloud, run.deployment.cluster_name)
        return clusters.owner_of(cluster) if cluster else run.deployment.name

    taken = turn.get() or Turn("workshop start")
    run.lock = Lock(run.cloud, name, run.folder, taken.command, note=note, patient=taken.patient)
    async with run.lock.kept():
        yield
