"""Jobs: their state, why one does not start or has failed, and deleting them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import quantity
from zerojhub.kube.explain import Trouble, last_warning, why_claim, why_pod
from zerojhub.kube.kinds import EVENT, JOB, NODE, PERSISTENT_VOLUME_CLAIM, POD
from zerojhub.kube.pods import claims_of, containers
from zerojhub.tasks import gather
from zerojhub.text import nearest, plural
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Condition, Event, Job, JobSpec, Node, PersistentVolumeClaim, Pod
    from zerojhub.text import Say

GRACE = 120
"""Seconds for the pods of a deleted job to end; their own grace period is 30 s by default."""

COMPLETE, FAILED, RUNNING, SUSPENDED, BLOCKED = "complete", "failed", "running", "suspended", "cannot start"

SCHEDULED = "PodScheduled"
NO_SUCH_NODE = "didn't match Pod's node affinity/selector"
"""How the scheduler describes nodes that lack the labels that a pod asks for."""


@dataclass(frozen=True)
class JobRow:
    """A job and its state, as `zerojhub job list` shows it."""

    name: str
    state: str
    """complete, failed, running, suspended, or `cannot start`: no pod runs, and waiting is unlikely to help."""
    wanted: int | None
    """Pods that have to succeed; None for a work queue."""
    active: int
    succeeded: int
    failed: int
    started: str | None
    """When (RFC 3339)."""
    seconds: int
    """From its start to its end, or until now."""
    detail: str
    """Why it failed, does not start, or may have left work undone."""

    def counts(self) -> str:
        of = f" of {self.wanted}" if self.wanted is not None else ""
        return f"{self.active} active, {self.succeeded}{of} succeeded, {self.failed} failed"

    def as_data(self) -> dict[str, Any]:
        of = "" if self.wanted is None else f"/{self.wanted}"
        return asdict(self) | {"completions": f"{self.succeeded}{of}"}


def has_several_pods(spec: JobSpec) -> bool:
    """Whether the job runs more than one pod, unless one fails and is replaced."""
    return max(spec.get("completions") or 1, spec.get("parallelism") or 1) > 1


def is_work_queue(spec: JobSpec) -> bool:
    """Whether several pods share the work, without a number of completions."""
    return spec.get("completions") is None and (spec.get("parallelism") or 1) > 1


@dataclass(frozen=True)
class Surroundings:
    """What a pod needs to start: the events and volume claims of its namespace, and the nodes. And the time."""

    events: Sequence[Event] = ()
    claims: Sequence[PersistentVolumeClaim] = ()
    nodes: Sequence[Node] = ()
    now: datetime | None = None
    """The API server's time; None: this machine's."""


NOTHING = Surroundings()


def _conditions(job: Job) -> dict[str, Condition]:
    """Those that are true, by type."""
    return {each["type"]: each for each in job["status"].get("conditions", []) if each["status"] == "True"}


def has_ended(job: Job) -> bool:
    """Has it succeeded or failed?"""
    return bool({"Complete", "Failed"} & _conditions(job).keys())


def row(job: Job, pods: Sequence[Pod], around: Surroundings = NOTHING) -> JobRow:
    """The state of the job with these pods."""
    spec, status, name = job["spec"], job["status"], job["metadata"]["name"]
    conditions = _conditions(job)
    failure, ended = conditions.get("Failed"), status.get("completionTime")
    state, detail = RUNNING, ""
    if "Complete" in conditions:
        state, detail = COMPLETE, _undone(job, pods)
    elif failure:
        why = _why_failed(pods)
        state, detail = FAILED, f"{failure.get('reason')}: {failure.get('message')}" + (f": {why}" if why else "")
        ended = failure.get("lastTransitionTime")
    elif spec.get("suspend"):
        state, detail = SUSPENDED, "its spec has suspend: true"
    elif troubles := _why_not_started(name, pods, around):
        worst = max(troubles, key=lambda trouble: trouble.lasting)
        state, detail = BLOCKED if worst.lasting else RUNNING, str(worst)
    return JobRow(
        name=name,
        state=state,
        wanted=spec.get("completions"),
        active=status.get("active", 0),
        succeeded=status.get("succeeded", 0),
        failed=status.get("failed", 0),
        started=status.get("startTime"),
        seconds=_seconds(status.get("startTime"), ended, around.now or datetime.now(UTC)),
        detail=detail,
    )


def _why_not_started(name: str, pods: Sequence[Pod], around: Surroundings) -> list[Trouble]:
    """Why no pod of the job runs; empty while one does."""
    if any(pod["status"]["phase"] == "Running" for pod in pods):
        return []
    pending = [pod for pod in pods if pod["status"]["phase"] == "Pending"]
    if not pending:
        warning = last_warning(around.events, name)
        if warning is None or warning.get("reason") != "FailedCreate":
            return []
        return [Trouble(f"job {name}", f"cannot create pods: {warning.get('message')}", lasting=True)]
    found = [_never_fits(pod, around.nodes) or why_pod(pod, around.events) for pod in pending]
    used = {claim for pod in pending for claim in claims_of(pod)}
    found += [why_claim(claim, around.events) for claim in around.claims if claim["metadata"]["name"] in used]
    return [trouble for trouble in found if trouble]


def _never_fits(pod: Pod, nodes: Sequence[Node]) -> Trouble | None:
    """Why no worker can run the pod, even an empty one: it asks for more than any has, or for a node of another kind."""
    subject = f"pod {pod['metadata']['name']}"
    requests: dict[str, list[str]] = {}
    for container in pod["spec"]["containers"]:
        for resource, text in container.get("resources", {}).get("requests", {}).items():
            requests.setdefault(resource, []).append(text)
    workers = [node for node in nodes if not any(t["effect"] == "NoSchedule" for t in node["spec"].get("taints", []))]
    for resource, texts in requests.items() if workers else ():
        most = max((node["status"].get("allocatable", {}).get(resource, "0") for node in workers), key=quantity.number)
        if sum(map(quantity.number, texts)) > quantity.number(most):
            why = f"asks for {' + '.join(texts)} {resource}, but the largest worker has {most}"
            return Trouble(subject, why, lasting=True)
    conditions = {each["type"]: each for each in pod["status"].get("conditions", [])}
    reason = conditions[SCHEDULED].get("message", "") if SCHEDULED in conditions else ""
    if NO_SUCH_NODE in reason and "Insufficient" not in reason:
        return Trouble(subject, f"cannot be scheduled: {reason}", lasting=True)
    return None


def _why_failed(pods: Sequence[Pod]) -> str:
    """Why the last of the failed pods failed."""
    failed = [pod for pod in pods if pod["status"]["phase"] == "Failed"]
    trouble = why_pod(max(failed, key=_finished)) if failed else None
    return str(trouble) if trouble else ""


def _undone(job: Job, pods: Sequence[Pod]) -> str:
    """What a complete work queue may have left undone: pods that failed after one had succeeded were not replaced."""
    succeeded = [_finished(pod) for pod in pods if pod["status"]["phase"] == "Succeeded"]
    if not is_work_queue(job["spec"]) or not succeeded:
        return ""
    failed = [pod for pod in pods if pod["status"]["phase"] == "Failed"]
    late = [pod["metadata"]["name"] for pod in failed if _finished(pod) >= min(succeeded)]
    if not late:
        return ""
    return f"{', '.join(late)}: failed after another pod had succeeded, and not replaced; was its work done?"


def _finished(pod: Pod) -> str:
    """When the pod's last container ended (RFC 3339, UTC: sorts as text)."""
    states = [each.get("state", {}) for each in containers(pod)]
    return max((state["terminated"].get("finishedAt") or "" for state in states if "terminated" in state), default="")


def _seconds(started: str | None, ended: str | None, now: datetime) -> int:
    if started is None:
        return 0
    until = datetime.fromisoformat(ended) if ended else now
    return max(0, round((until - datetime.fromisoformat(started)).total_seconds()))


async def find(kube: Kube, namespace: str, name: str) -> Job:
    """The job. UserError if there is none with that name."""
    if job := await kube.get(JOB, name, namespace):
        return job
    meant = nearest(name, [each["metadata"]["name"] for each in await kube.list(JOB, namespace)])
    raise UserError(f"no job named {name!r} in {namespace}", hint=f"did you mean {meant!r}?" if meant else None)


async def pods_of(kube: Kube, namespace: str, name: str) -> list[Pod]:
    """The job's pods, oldest first."""
    pods = await kube.list(POD, namespace, labels=f"job-name={name}")
    return sorted(pods, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))


async def listed(kube: Kube, namespace: str) -> list[JobRow]:
    """The jobs of the namespace, oldest first."""
    jobs, pods, around = await gather(
        kube.list(JOB, namespace), kube.list(POD, namespace, labels="job-name"), surroundings(kube, namespace)
    )
    own: dict[str, list[Pod]] = {}
    for pod in pods:
        own.setdefault(pod["metadata"].get("labels", {}).get("job-name", ""), []).append(pod)
    jobs.sort(key=lambda job: (job["metadata"]["creationTimestamp"], job["metadata"]["name"]))
    return [row(job, own.get(job["metadata"]["name"], []), around) for job in jobs]


async def surroundings(kube: Kube, namespace: str) -> Surroundings:
    found = await gather(kube.list(EVENT, namespace), kube.list(PERSISTENT_VOLUME_CLAIM, namespace), kube.list(NODE))
    return Surroundings(*found, kube.clock.now())


async def delete(kube: Kube, namespace: str, name: str, say: Say) -> None:
    """Delete the job, its pods and what was created from its file, and wait until all are gone.

    ZeroJHubError if something still exists after GRACE.
    """
    await kube.delete(JOB, name, namespace, dependents_first=True)
    await wait_for_pods(kube, namespace, {name}, say)
    await kube.delete(JOB, name, namespace, dependents_first=True, wait=GRACE)


async def wait_for_pods(kube: Kube, namespace: str, jobs: set[str], say: Say) -> None:
    """Wait until these jobs have no pods left. ZeroJHubError after GRACE."""
    left: list[str] = []

    async def look() -> bool | NotYet:
        pods = await kube.list(POD, namespace, labels="job-name")
        left[:] = [pod["metadata"]["name"] for pod in pods if pod["metadata"].get("labels", {}).get("job-name") in jobs]
        return NotYet(f"waiting for {plural(len(left), 'pod')} to end") if left else True

    try:
        await wait_until(look, timeout=GRACE, pause=(0.5, 0.5), say=say)
    except TimedOut:
        raise ZeroJHubError(
            f"{', '.join(left)} did not end within {GRACE} s", hint="see whether the node is ready: zerojhub status"
        ) from None
