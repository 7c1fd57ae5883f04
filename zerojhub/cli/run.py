"""From a command's options to a run: the deployment file or a cluster, the lock, live progress, connections closed at the end."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from zerojhub.cli.options import DEFAULT_FILE, ask_passphrase, login
from zerojhub.errors import UserError, ZeroJHubError

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
    locked: bool = False,
    chart: str | None = None,
) -> Answer:
    """Load the deployment and run `work(run)`.

    `silent`: without progress, for commands that only look. `locked`: only one such command at a time for the deployment.
    `chart`: in place of the deployment's. Raises what `work` raises, and UserError for an invalid deployment file.
    """
    import anyio

    from zerojhub.report import Progress
    from zerojhub.run import Run, Silent

    deployment = load(file, cloud)
    if chart:
        # A path in the file is relative to the file, one on the command line to the working directory.
        path = Path(chart)
        deployment.hub.chart = str(path.absolute()) if chart not in CHART_NAMES and path.exists() else chart

    async def start() -> Answer:
        run = Run(deployment, Silent() if silent else progress, ask_passphrase=ask_passphrase)
        try:
            return await work(run)
        finally:
            await run.close()

    with Progress(quiet=quiet, verbose=verbose) as progress, lock(deployment, wanted=locked):
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

    from zerojhub.report import Progress
    from zerojhub.run import Run

    async def start() -> Answer:
        first, second = (Run(each, progress, ask_passphrase=ask_passphrase) for each in deployments)
        try:
            return await work(first, second)
        finally:
            await second.close()
            await first.close()

    first, second = deployments
    with (
        Progress(quiet=quiet, verbose=verbose) as progress,
        lock(first, wanted=locked),
        lock(second, wanted=locked),
    ):
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
    from zerojhub.run import Run, Silent
    from zerojhub.stages import Access

    async def start(here: Cloud, say: Say) -> Answer:
        deployment = await _adopted(here, name, cloud)
        with lock(deployment, wanted=locked):
            run = Run(deployment, Silent(), here, ask_passphrase)

            async def connect() -> Reach:
                run.forget_answers()
                await graph.require(run, Access)
                return run[Access]

            try:
                return await work(run, connect, say)
            finally:
                await run.close()

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


@contextmanager
def lock(deployment: Deployment, *, wanted: bool) -> Iterator[None]:
    """Hold the deployment's lock. ZeroJHubError with the process that holds it already."""
    if not wanted:
        yield
        return
    import os

    from filelock import FileLock, Timeout

    from zerojhub.run import folder_of

    path = folder_of(deployment) / "lock"
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
