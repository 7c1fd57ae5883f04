"""Jobs: how they stand, why one does not start or has failed, and taking them away."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import anyio

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import quantity
from zerojhub.kube.client import Kube
from zerojhub.kube.explain import Trouble, last_warning, why_claim, why_pod
from zerojhub.tasks import gather
from zerojhub.text import Say, nearest

KIND = "batch/v1/Job"
GRACE = 120
"""Seconds for the pods of a deleted job to end: their own grace is thirty, unless they say otherwise."""

COMPLETE, FAILED, RUNNING, SUSPENDED, BLOCKED = "complete", "failed", "running", "suspended", "cannot start"

SCHEDULED = "PodScheduled"
NO_SUCH_NODE = "didn't match Pod's node affinity/selector"
"""What the scheduler says of nodes whose labels are not those that a pod asks for."""


WORK_QUEUE = (
    "{name} is a work queue: {pods} pods, and no number of completions. The pods share out the work among themselves. "
    "Once one of them ends well no new one is started, and the job is complete when the others have ended too: "
    "each is to end well only when no work is left"
)


@dataclass(frozen=True)
class Standing:
    """How a job stands."""

    name: str
    state: str
    """complete, failed, running, suspended, or `cannot start`: no pod runs, and waiting alone will hardly help."""
    wanted: int | None
    """Pods that are to succeed; None for a work queue."""
    active: int
    succeeded: int
    failed: int
    started: str | None
    """When, as Kubernetes writes it (RFC 3339)."""
    seconds: int
    """From its start to its end, or till now."""
    detail: str
    """Why it failed, does not start, or did not do all of its work."""

    def counts(self) -> str:
        of = f" of {self.wanted}" if self.wanted is not None else ""
        return f"{self.active} active, {self.succeeded}{of} succeeded, {self.failed} failed"

    def as_row(self) -> dict[str, Any]:
        of = "" if self.wanted is None else f"/{self.wanted}"
        return asdict(self) | {"completions": f"{self.succeeded}{of}"}


def is_work_queue(job: dict) -> bool:
    """Do several pods share the work, without a number of them that is to succeed?"""
    return job["spec"].get("completions") is None and (job["spec"].get("parallelism") or 1) > 1


@dataclass(frozen=True)
class Around:
    """What a pod's start depends on: the events and volume claims of its namespace, and the nodes."""

    events: Sequence[dict] = ()
    claims: Sequence[dict] = ()
    nodes: Sequence[dict] = ()


def standing(job: dict, pods: Sequence[dict], around: Around = Around()) -> Standing:
    """How the job with these pods stands."""
    status, name = job.get("status", {}), job["metadata"]["name"]
    ended = {each["type"]: each for each in status.get("conditions", []) if each["status"] == "True"}
    state, detail = RUNNING, ""
    if "Complete" in ended:
        state, detail = COMPLETE, _undone(job, pods)
    elif failure := ended.get("Failed"):
        why = _why_failed(pods)
        state, detail = FAILED, f"{failure.get('reason')}: {failure.get('message')}" + (f": {why}" if why else "")
    elif job["spec"].get("suspend"):
        state, detail = SUSPENDED, "its spec says suspend: true"
    elif troubles := _why_not_started(name, pods, around):
        worst = max(troubles, key=lambda trouble: trouble.lasting)
        state, detail = BLOCKED if worst.lasting else RUNNING, str(worst)
    started = status.get("startTime")
    return Standing(
        name,
        state,
        job["spec"].get("completions"),
        status.get("active", 0),
        status.get("succeeded", 0),
        status.get("failed", 0),
        started,
        _seconds(started, status.get("completionTime") or ended.get("Failed", {}).get("lastTransitionTime")),
        detail,
    )


def _why_not_started(name: str, pods: Sequence[dict], around: Around) -> list[Trouble]:
    """Why no pod of the job runs; empty while one does."""
    if any(pod["status"].get("phase") == "Running" for pod in pods):
        return []
    waiting = [pod for pod in pods if pod["status"].get("phase") == "Pending"]
    if not waiting:
        warning = last_warning(around.events, name)
        if warning is None or warning.get("reason") != "FailedCreate":
            return []
        return [Trouble(f"job {name}", f"may make no pod: {warning.get('message')}", lasting=True)]
    found = [_never_fits(pod, around.nodes) or why_pod(pod, around.events) for pod in waiting]
    found += [why_claim(claim, around.events) for claim in around.claims if _uses(waiting, claim["metadata"]["name"])]
    return [trouble for trouble in found if trouble]


def _uses(pods: Sequence[dict], claim: str) -> bool:
    volumes = [volume for pod in pods for volume in pod["spec"].get("volumes", [])]
    return any(volume.get("persistentVolumeClaim", {}).get("claimName") == claim for volume in volumes)


def _never_fits(pod: dict, nodes: Sequence[dict]) -> Trouble | None:
    """Why no worker takes the pod, be it empty: it asks for more than any has, or for a node of another kind."""
    subject = f"pod {pod['metadata']['name']}"
    asked: dict[str, list[str]] = {}
    for container in pod["spec"]["containers"]:
        for resource, text in container.get("resources", {}).get("requests", {}).items():
            asked.setdefault(resource, []).append(text)
    workers = [node for node in nodes if not any(t["effect"] == "NoSchedule" for t in node["spec"].get("taints", []))]
    for resource, texts in asked.items() if workers else ():
        most = max((node["status"]["allocatable"].get(resource, "0") for node in workers), key=quantity.number)
        if sum(quantity.number(text) for text in texts) > quantity.number(most):
            why = f"asks for {' + '.join(texts)} {resource}, and the largest worker has {most}"
            return Trouble(subject, why, lasting=True)
    said = next(
        (each.get("message", "") for each in pod["status"].get("conditions", []) if each["type"] == SCHEDULED), ""
    )
    if NO_SUCH_NODE in said and "Insufficient" not in said:
        return Trouble(subject, f"fits on no node: {said}", lasting=True)
    return None


def _why_failed(pods: Sequence[dict]) -> str:
    """Why the last pod to fail did."""
    failed = [pod for pod in pods if pod["status"].get("phase") == "Failed"]
    trouble = why_pod(max(failed, key=_ended)) if failed else None
    return str(trouble) if trouble else ""


def _undone(job: dict, pods: Sequence[dict]) -> str:
    """What a complete work queue may have left undone: pods that failed after one had ended well were not replaced."""
    ends = [_ended(pod) for pod in pods if pod["status"].get("phase") == "Succeeded"]
    if not is_work_queue(job) or not ends:
        return ""
    late = [p["metadata"]["name"] for p in pods if p["status"].get("phase") == "Failed" and _ended(p) >= min(ends)]
    if not late:
        return ""
    return f"{', '.join(late)}: failed after another pod had ended well, and not replaced; is what it worked on done?"


def _ended(pod: dict) -> str:
    """When the pod's last container ended (RFC 3339, UTC: sorts as text)."""
    states = [each.get("state", {}) for each in pod["status"].get("containerStatuses", [])]
    return max((state["terminated"]["finishedAt"] or "" for state in states if "terminated" in state), default="")


def _seconds(started: str | None, ended: str | None) -> int:
    if started is None:
        return 0
    until = datetime.fromisoformat(ended) if ended else datetime.now(UTC)
    return max(0, round((until - datetime.fromisoformat(started)).total_seconds()))


async def find(kube: Kube, namespace: str, name: str) -> dict:
    """The job. UserError when there is none of the name."""
    if job := await kube.get(KIND, name, namespace):
        return job
    names = [each["metadata"]["name"] for each in await kube.list(KIND, namespace)]
    meant = nearest(name, names)
    raise UserError(f"no job named {name!r} in {namespace}", hint=f"did you mean {meant!r}?" if meant else None)


async def pods_of(kube: Kube, namespace: str, name: str) -> list[dict]:
    """The job's pods, the oldest first."""
    pods = await kube.list("v1/Pod", namespace, labels=f"job-name={name}")
    return sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))


async def listed(kube: Kube, namespace: str) -> list[Standing]:
    """How every job of the namespace stands, the oldest first."""
    jobs, pods, around = await gather(
        kube.list(KIND, namespace), kube.list("v1/Pod", namespace, labels="job-name"), look_around(kube, namespace)
    )
    own: dict[str, list[dict]] = {}
    for pod in pods:
        own.setdefault(pod["metadata"]["labels"]["job-name"], []).append(pod)
    jobs.sort(key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))
    return [standing(job, own.get(job["metadata"]["name"], []), around) for job in jobs]


async def look_around(kube: Kube, namespace: str) -> Around:
    """What the start of the namespace's pods depends on, as it is now."""
    kinds = (("v1/Event", namespace), ("v1/PersistentVolumeClaim", namespace), ("v1/Node", None))
    return Around(*await gather(*(kube.list(kind, where) for kind, where in kinds)))


async def delete(kube: Kube, namespace: str, name: str, say: Say) -> None:
    """Delete the job and its pods, and wait until they are gone. ZeroJHubError when one is still there in GRACE."""
    await kube.delete(KIND, name, namespace, wait=GRACE)
    await wait_for_pods(kube, namespace, {name}, say)


async def wait_for_pods(kube: Kube, namespace: str, jobs: set[str], say: Say) -> None:
    """Until no pod of these jobs is left. ZeroJHubError after GRACE."""
    deadline = time.monotonic() + GRACE
    while left := [
        pod["metadata"]["name"]
        for pod in await kube.list("v1/Pod", namespace, labels="job-name")
        if pod["metadata"]["labels"]["job-name"] in jobs
    ]:
        if time.monotonic() > deadline:
            raise ZeroJHubError(f"{', '.join(left)} did not end in {GRACE} s", hint="is its node well? zerojhub status")
        say(f"waiting for {len(left)} pods to end")
        await anyio.sleep(0.5)
