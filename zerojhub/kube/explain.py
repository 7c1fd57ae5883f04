"""Why something in Kubernetes is not ready, in one line that a person can act on."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio

from zerojhub.kube.attachments import why_attached

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube

PULL_FAILURES = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}


@dataclass(frozen=True)
class Trouble:
    """What is not ready, and why."""

    subject: str
    """The kind and name of it, such as `pod hub-6c4d-x2x`."""
    why: str
    lasting: bool = False
    """Waiting alone will hardly help."""
    log: str = ""
    """What it said last."""

    def __str__(self) -> str:
        return f"{self.subject} {self.why}" + "".join(f"\n    {line}" for line in self.log.splitlines() if line.strip())


class Patience:
    """How long there may be trouble that waiting does not help: a minute, as a node or a registry may recover."""

    def __init__(self, seconds: float = 60):
        self._seconds = seconds
        self._since: dict[str, float] = {}

    def is_over(self, troubles: Sequence[Trouble]) -> bool:
        """Asked again and again with the present troubles."""
        now = time.monotonic()
        self._since = {each.subject: self._since.get(each.subject, now) for each in troubles if each.lasting}
        return any(now - first > self._seconds for first in self._since.values())


async def why_not_ready(kube: Kube, namespace: str, labels: str = "") -> list[Trouble]:
    """What is not as it should be among the claims, and the pods and deployments with the labels, of the namespace."""
    seen: dict[str, list[dict]] = {}

    async def fetch(kind: str, labels: str = "") -> None:
        seen[kind] = await kube.list(kind, namespace, labels=labels)

    async with anyio.create_task_group() as tasks:
        for kind in ("v1/Event", "v1/PersistentVolumeClaim"):
            tasks.start_soon(fetch, kind)
        for kind in ("v1/Pod", "apps/v1/Deployment"):
            tasks.start_soon(fetch, kind, labels)
    events = seen["v1/Event"]
    found = [why_claim(claim, events) for claim in seen["v1/PersistentVolumeClaim"]]
    for pod in seen["v1/Pod"]:
        if trouble := why_pod(pod, events):
            held = await why_attached(kube, trouble.why)
            found.append(replace(trouble, why=held or trouble.why, log=await log_tail(kube, namespace, pod)))
    found += [why_deployment(each, seen["v1/Pod"], events) for each in seen["apps/v1/Deployment"]]
    return [trouble for trouble in found if trouble]


def why_pod(pod: dict, events: Sequence[dict] = ()) -> Trouble | None:
    """Why the pod is not ready; None when it is, has done its work, or is on its way out."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    subject = f"pod {name}"
    if is_ready(pod) or status.get("phase") == "Succeeded" or pod["metadata"].get("deletionTimestamp"):
        return None
    if status.get("phase") == "Failed" and status.get("reason"):
        return Trouble(subject, f"was ended: {status['reason']}: {status.get('message', '')}".rstrip(": "))
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            said = condition.get("message", condition.get("reason", ""))
            if "unbound" in said and "PersistentVolumeClaim" in said:
                return Trouble(subject, "waits for its volume")
            # An autoscaler may yet bring the node that it fits on.
            return Trouble(subject, f"fits on no node: {said}")
    for container in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        if found := why_container(subject, container, [event for event in events if _subject(event) == name]):
            return found
    newest = max((event for event in events if _subject(event) == name), key=_when, default={})
    is_starting = newest.get("reason") == "Unhealthy" and "connection refused" in newest.get("message", "")
    if newest.get("reason") == "Pulling" or (newest.get("type") == "Warning" and not is_starting):
        return Trouble(subject, _brief(newest))
    return Trouble(subject, "runs, and is not ready yet" if status.get("phase") == "Running" else "is being started")


def why_container(subject: str, container: dict, events: Sequence[dict]) -> Trouble | None:
    """Why the container, of the pod that is the subject, does not run, or ended badly. `events`: those about the pod."""
    state, name = container.get("state", {}), container["name"]
    waiting, ended = state.get("waiting", {}), state.get("terminated", {})
    last = container.get("lastState", {}).get("terminated", {})
    reason = waiting.get("reason")
    if reason in PULL_FAILURES:
        # The pod's event keeps the registry's answer; the status soon says only "back-off".
        pulls = [event["message"] for event in events if event.get("reason") == "Failed"]
        said = next((text for text in reversed(pulls) if container["image"] in text), waiting.get("message", reason))
        return Trouble(subject, f"cannot pull the image {container['image']}: {_last_cause(said)}", lasting=True)
    if reason == "CrashLoopBackOff" or (ended or last).get("exitCode"):
        # Between two ends it runs for a while, and is no better for it.
        times = container.get("restartCount", 0)
        counted = f", {times + 1} times so far" if times else ""
        return Trouble(subject, f"({name}) ends with {_ending(last or ended)}{counted}", lasting=times > 1)
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        return Trouble(subject, f"({name}) cannot start: {waiting.get('message', reason)}", lasting=True)
    return None


def why_claim(claim: dict, events: Sequence[dict] = ()) -> Trouble | None:
    """Why the volume claim is not bound; None when it is, or waits for a pod as its class wants."""
    if claim.get("status", {}).get("phase") != "Pending":
        return None
    name, kind = claim["metadata"]["name"], claim["spec"].get("storageClassName")
    if not kind:
        why = "names no storage class, and the cluster has no default one (`zerojhub up --only storage` makes it)"
        return Trouble(f"volume claim {name}", why, lasting=True)
    if warning := last_warning(events, name):
        why = f"gets no volume of storage class {kind}: {_brief(warning)}"
        return Trouble(f"volume claim {name}", why, lasting=True)
    return None


def why_deployment(deployment: dict, pods: Sequence[dict], events: Sequence[dict]) -> Trouble | None:
    """Why a deployment has no pods at all: a quota or an admission rule refuses them."""
    name = deployment["metadata"]["name"]
    if is_available(deployment) or any(pod["metadata"]["name"].startswith(f"{name}-") for pod in pods):
        return None
    refused = [e for e in events if e.get("reason") == "FailedCreate" and _subject(e).startswith(name)]
    return Trouble(f"deployment {name}", f"may make no pod: {_brief(refused[-1])}", lasting=True) if refused else None


def why_service(service: dict, events: Sequence[dict] = ()) -> Trouble | None:
    """Why a LoadBalancer Service has no address yet; None when it has one."""
    if service.get("status", {}).get("loadBalancer", {}).get("ingress"):
        return None
    name = service["metadata"]["name"]
    subject = f"service {name}"
    if warning := last_warning(events, name):
        said = f"{warning.get('reason')}: {_answer(warning.get('message', ''))}"
        quota = "the project's quota is used up: " if re.search(r"quota|exceeded", said, re.I) else ""
        return Trouble(subject, f"gets no load balancer: {quota}{said}", lasting=True)
    if not any(_subject(event) == name for event in events):
        why = "is pending, and nothing works on it: does the cluster have load balancers at all?"
        return Trouble(subject, why, lasting=True)
    return Trouble(subject, "waits for its load balancer")


def is_ready(pod: dict) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def is_available(deployment: dict) -> bool:
    """Are all the replicas of the present specification available?"""
    status, wanted = deployment.get("status", {}), deployment["spec"].get("replicas", 1)
    return (
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("availableReplicas", 0) >= wanted
        and status.get("replicas", 0) <= wanted
    )


def last_warning(events: Sequence[dict], name: str) -> dict | None:
    """The newest warning about the object of that name."""
    about = [event for event in events if event.get("type") == "Warning" and _subject(event) == name]
    return max(about, key=_when, default=None)


def _subject(event: dict) -> str:
    return event.get("involvedObject", {}).get("name", "")


def _when(event: dict) -> str:
    series = event.get("series") or {}
    return series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or ""


def _brief(event: dict) -> str:
    return f"{event.get('reason')}: {' '.join(event.get('message', '').split())}"


def _answer(message: str) -> str:
    """What OpenStack said: the cloud controllers put the whole request before it, and JSON around it."""
    answer = re.search(r'got \d+ instead: .*"(?:faultstring|message)": ?"((?:[^"\\]|\\.)+)"', message, re.DOTALL)
    return " ".join((answer[1] if answer else message).split())


def _last_cause(message: str) -> str:
    """What the registry said: a pull error nests the same sentence several times, and its end is the cause."""
    words = " ".join(message.rpartition("desc = ")[2].split())
    return words if len(words) < 160 else "…" + words[-160:].partition(" ")[2]


def _ending(ended: dict) -> str:
    reason = ended.get("reason", "")
    if reason == "OOMKilled":
        return "OOMKilled: it needs more memory than its limit"
    return f"exit code {ended.get('exitCode')}"


async def log_tail(kube: Kube, namespace: str, pod: dict) -> str:
    """The last lines of a container of the pod that ended badly."""
    from zerojhub.kube.client import KubeError

    status = pod.get("status", {})
    for container in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        now = container.get("state", {}).get("terminated")
        ended = now or container.get("lastState", {}).get("terminated")
        if ended and ended.get("exitCode"):
            try:
                return await kube.logs(namespace, pod["metadata"]["name"], container["name"], lines=8, previous=not now)
            except KubeError:
                return ""
    return ""
