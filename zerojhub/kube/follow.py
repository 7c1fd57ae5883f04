"""Following jobs until they end, and the logs of their pods."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.kube.client import KubeError
from zerojhub.kube.explain import Patience, Trouble, log_tail, why_container
from zerojhub.kube.jobs import (
    BLOCKED,
    COMPLETE,
    FAILED,
    SUSPENDED,
    JobRow,
    Surroundings,
    find,
    pods_of,
    row,
    surroundings,
)
from zerojhub.kube.kinds import JOB, POD
from zerojhub.kube.pods import containers, last_exit
from zerojhub.tasks import gather, task_group
from zerojhub.waiting import NotYet, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Job, Pod
    from zerojhub.text import Say

PATIENCE = 15
"""Seconds for a pod that cannot start to start after all: a registry may recover, an autoscaler may add a node."""

PAUSE = 1.0
"""Seconds between two looks."""

LATEST_NEWS = 3
"""Looks that a watch may be behind when a job is gone."""

VERBS = {FAILED: "failed", SUSPENDED: "is suspended"}

Log = Callable[[str, str], None]
"""Takes a line of a log: its source (see Run) and its text."""


class JobFailed(ZeroJHubError):
    """A job that was waited for failed, or cannot start (exit code 1)."""

    def __init__(self, job: JobRow, namespace: str, log: str = ""):
        message = f"job {job.name} in namespace {namespace} {VERBS.get(job.state, job.state)}: {job.detail}"
        super().__init__(message, details=[f"    {line}" for line in log.splitlines() if line.strip()])
        self.job = job


async def wait(kube: Kube, job: Job, say: Say, log: Log | None = None) -> JobRow:
    """Wait until the job is complete. Raises JobFailed if it fails or cannot start. `log` takes the lines of its pods."""
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    patience, crash, followed = Patience(PATIENCE), Crash(), set[Run]()
    latest, since, missed = job, job["metadata"].get("resourceVersion", ""), 0
    async with task_group() as streams:

        async def watch_job() -> None:
            # With ttlSecondsAfterFinished: 0 it is deleted as soon as it has ended: a look could miss how.
            nonlocal latest, since
            async for change in kube.watch(JOB, namespace, fields=f"metadata.name={name}", since=since):
                since = ""
                # A pod that is made to stop may still succeed, and the job with it.
                if not _is_deleted(latest):
                    latest = change

        async def watch_pods() -> None:
            async for pod in kube.watch(POD, namespace, labels=f"job-name={name}"):
                await attend([pod])

        async def attend(pods: Sequence[Pod]) -> None:
            for run in [run for pod in pods for run in _runs(pod) if run not in followed]:
                followed.add(run)
                if log:
                    streams.start_soon(_follow, kube, namespace, run, log)
            await crash.look(kube, namespace, pods)

        async def look() -> JobRow | NotYet:
            nonlocal missed
            found, pods = await gather(kube.get(JOB, name, namespace), pods_of(kube, namespace, name))
            await attend(pods)
            if found and _is_deleted(found):
                found = None
            started = found is None or any(pod["status"]["phase"] == "Running" for pod in pods)
            around = Surroundings(now=kube.clock.now()) if started else await surroundings(kube, namespace)
            now = row(found or latest, pods, around)
            if now.state in (COMPLETE, FAILED, SUSPENDED):
                return now
            if found is None:
                missed += 1
                if missed <= LATEST_NEWS:
                    return NotYet(now.counts())
                raise ZeroJHubError(f"job {name} in namespace {namespace} was deleted before it ended")
            blocked = Trouble(name, now.detail, lasting=now.state == BLOCKED)
            return now if patience.is_over([blocked]) else NotYet(f"{now.counts()}: {now.detail}".removesuffix(": "))

        async with task_group() as watches:
            watches.start_soon(_kept_up, watch_job)
            watches.start_soon(_kept_up, watch_pods)
            end = await wait_until(look, pause=(PAUSE, PAUSE), say=say)
            watches.cancel_scope.cancel()
        # The rest of the logs arrives in a moment; a node that has stopped responding is not waited for.
        streams.cancel_scope.deadline = anyio.current_time() + 10
    if end.state == COMPLETE:
        return end
    if end.state == FAILED and crash.why not in end.detail:
        end = replace(end, detail=f"{end.detail}: {crash.why}")
    raise JobFailed(end, namespace, "" if log else crash.log)


def _is_deleted(job: Job) -> bool:
    return "deletionTimestamp" in job["metadata"]


async def _kept_up(watch: Callable[[], Awaitable[None]]) -> None:
    """Watch again whenever a watch ends. One that fails only delays the news: the job is looked at as well."""
    while True:
        with contextlib.suppress(KubeError):
            await watch()
        await anyio.sleep(PAUSE)


class Crash:
    """The last container of a job that failed. Kept, because pods that restart in place are gone once the job fails."""

    def __init__(self) -> None:
        self.why, self.log = "", ""
        self._seen: set[tuple[str, str, int]] = set()

    async def look(self, kube: Kube, namespace: str, pods: Sequence[Pod]) -> None:
        for pod in pods:
            name = pod["metadata"]["name"]
            for container in containers(pod):
                exit, run = last_exit(container), (name, container["name"], container["restartCount"])
                if exit and exit["exitCode"] and run not in self._seen:
                    self._seen.add(run)
                    self.why = str(why_container(f"pod {name}", container, []))
                    self.log = await log_tail(kube, namespace, pod)


@dataclass(frozen=True)
class Run:
    """One run of a container of a pod."""

    pod: str
    container: str
    restarts: int
    source: str
    """Names its lines: the pod, and the container if the pod has several."""


def _runs(pod: Pod) -> list[Run]:
    """The current runs of the containers that have started."""
    name, statuses = pod["metadata"]["name"], containers(pod)
    return [
        Run(name, each["name"], each["restartCount"], name if len(statuses) == 1 else f"{name}/{each['name']}")
        for each in statuses
        if {"running", "terminated"} & each.get("state", {}).keys()
    ]


async def _follow(kube: Kube, namespace: str, run: Run, log: Log) -> None:
    """Pass each line to `log` as it is written."""
    try:
        async for line in kube.follow(namespace, run.pod, run.container):
            log(run.source, line)
    except KubeError as error:
        log(run.source, f"(its log cannot be read: {error.message})")


async def logs(kube: Kube, namespace: str, name: str, log: Log) -> None:
    """Pass the lines of all pods of the job so far to `log`, oldest pod first. ZeroJHubError if there are none."""
    pods = await pods_of(kube, namespace, name)
    runs = [run for pod in pods for run in _runs(pod)]
    if not runs:
        now = row(await find(kube, namespace, name), pods, await surroundings(kube, namespace))
        raise ZeroJHubError(f"no pod of job {name} has a log" + (f": {now.detail}" if now.detail else ""))
    for run in runs:
        for line in (await kube.logs(namespace, run.pod, run.container, lines=None)).splitlines():
            log(run.source, line)
