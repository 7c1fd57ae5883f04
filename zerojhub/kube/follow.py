"""Jobs followed to their end, and the logs of their pods."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import anyio

from zerojhub.errors import ZeroJHubError
from zerojhub.kube.client import Kube, KubeError
from zerojhub.kube.explain import Patience, Trouble, log_tail, why_container
from zerojhub.kube.jobs import (
    BLOCKED,
    COMPLETE,
    FAILED,
    KIND,
    SUSPENDED,
    Around,
    Say,
    Standing,
    find,
    look_around,
    pods_of,
    standing,
)
from zerojhub.tasks import gather, task_group

PATIENCE = 15
"""Seconds for a pod that cannot start to start after all: a registry or an autoscaler's node may be on its way."""

VERBS = {FAILED: "failed", SUSPENDED: "is suspended"}

Log = Callable[[str, str], None]
"""Takes a line of a log: whose it is, and its text."""


class JobFailed(ZeroJHubError):
    """A job that was waited for failed, or cannot start (exit code 1)."""

    def __init__(self, standing: Standing, namespace: str, log: str = ""):
        said = "".join(f"\n    {line}" for line in log.splitlines() if line.strip())
        super().__init__(
            f"job {standing.name} in {namespace} {VERBS.get(standing.state, standing.state)}: {standing.detail}{said}"
        )
        self.standing = standing


async def wait(kube: Kube, namespace: str, name: str, say: Say, log: Log | None = None) -> Standing:
    """Until the job is complete. JobFailed when it fails, or cannot start. `log` is handed the lines of its pods."""
    patience, followed, crash = Patience(PATIENCE), set(), Crash()
    async with task_group() as streams:
        while True:
            job, pods = await gather(kube.get(KIND, name, namespace), pods_of(kube, namespace, name))
            if job is None:
                why = "it was deleted, or its ttlSecondsAfterFinished is over"
                raise ZeroJHubError(f"job {name} in {namespace} is gone: {why}")
            for run in [run for pod in pods for run in _runs(pod) if log and run not in followed]:
                followed.add(run)
                streams.start_soon(_pass_on, kube, namespace, run, log)
            await crash.look(kube, namespace, pods)
            begun = any(pod["status"].get("phase") == "Running" for pod in pods)
            now = standing(job, pods, Around() if begun else await look_around(kube, namespace))
            if now.state in (COMPLETE, FAILED, SUSPENDED):
                break
            say(f"{now.counts()}: {now.detail}" if now.detail else now.counts())
            if patience.is_over([Trouble(name, now.detail, lasting=now.state == BLOCKED)]):
                break
            await anyio.sleep(1)
        # What is read to its end comes in a moment; a node that does not answer is not waited for.
        streams.cancel_scope.deadline = anyio.current_time() + 10
    if now.state == COMPLETE:
        return now
    if now.state == FAILED and crash.why not in now.detail:
        now = replace(now, detail=f"{now.detail}: {crash.why}")
    raise JobFailed(now, namespace, "" if log else crash.log)


class Crash:
    """The last container of a job that ended badly: kept, as pods that start again in place go when the job fails."""

    def __init__(self) -> None:
        self.why, self.log = "", ""
        self._seen: set[tuple[str, str, int]] = set()

    async def look(self, kube: Kube, namespace: str, pods: Sequence[dict]) -> None:
        for pod in pods:
            name = pod["metadata"]["name"]
            for container in _statuses(pod):
                ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
                end = (name, container["name"], container["restartCount"])
                if ended and ended.get("exitCode") and end not in self._seen:
                    self._seen.add(end)
                    self.why = str(why_container(f"pod {name}", container, []))
                    self.log = await log_tail(kube, namespace, pod)


@dataclass(frozen=True)
class Run:
    """One run of a container of a pod."""

    pod: str
    container: str
    restarts: int
    source: str
    """Whose lines these are: the pod's name, with the container's where it has several."""


def _runs(pod: dict) -> list[Run]:
    """The containers of the pod that have begun."""
    name, statuses = pod["metadata"]["name"], _statuses(pod)
    return [
        Run(name, each["name"], each["restartCount"], name if len(statuses) == 1 else f"{name}/{each['name']}")
        for each in statuses
        if {"running", "terminated"} & each.get("state", {}).keys()
    ]


def _statuses(pod: dict) -> list[dict]:
    return pod["status"].get("initContainerStatuses", []) + pod["status"].get("containerStatuses", [])


async def _pass_on(kube: Kube, namespace: str, run: Run, log: Log) -> None:
    """Hand each line to `log`, as it comes."""
    try:
        async for line in kube.follow(namespace, run.pod, run.container):
            log(run.source, line)
    except KubeError as error:
        log(run.source, f"(its log cannot be read: {error.message})")


async def logs(kube: Kube, namespace: str, name: str, log: Log) -> None:
    """Hand `log` the lines of all of the job's pods so far, pod by pod, the oldest first. ZeroJHubError without any."""
    pods = await pods_of(kube, namespace, name)
    begun = [run for pod in pods for run in _runs(pod)]
    if not begun:
        now = standing(await find(kube, namespace, name), pods, await look_around(kube, namespace))
        raise ZeroJHubError(f"no pod of job {name} has a log" + (f": {now.detail}" if now.detail else ""))
    for run in begun:
        for line in (await kube.logs(namespace, run.pod, run.container, lines=None)).splitlines():
            log(run.source, line)
