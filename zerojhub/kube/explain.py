"""Why something in Kubernetes is not ready, in one line that a person can act on."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zerojhub.kube.attachments import why_attached
from zerojhub.kube.client import KubeError
from zerojhub.kube.kinds import DEPLOYMENT, EVENT, PERSISTENT_VOLUME_CLAIM, POD
from zerojhub.kube.pods import containers, is_ready, last_exit
from zerojhub.tasks import gather
from zerojhub.text import one_line

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import (
        ContainerStatus,
        Deployment,
        Event,
        PersistentVolumeClaim,
        Pod,
        Service,
        Terminated,
    )

PULL_FAILURES = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}
START_FAILURES = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}

EXCEPTION = re.compile(r"[\w.]*(Error|Exception): ")
"""The last line of a traceback."""
NEWER_DATABASE = "Can't locate revision identified by"
"""What Alembic says of a database that a newer program has changed."""
LOG_LINES = 60
"""Of a container's log, to look for its reason in: a hub that cannot upgrade its database has a long traceback after that."""
SHOWN_LINES = 8
"""Of a container's log, to show."""


@dataclass(frozen=True)
class Trouble:
    """What is not ready, and why."""

    subject: str
    """Its kind and name, such as `pod hub-6c4d-x2x`."""
    why: str
    lasting: bool = False
    """Waiting alone is unlikely to help."""
    log: str = ""
    """The last lines of its log."""

    def __str__(self) -> str:
        return f"{self.subject} {self.why}" + "".join(f"\n    {line}" for line in self.log.splitlines() if line.strip())


class Patience:
    """Allows lasting trouble for a minute, because a node or a registry may recover."""

    def __init__(self, seconds: float = 60):
        self._seconds = seconds
        self._since: dict[str, float] = {}

    def is_over(self, troubles: Sequence[Trouble]) -> bool:
        """Whether one of the troubles has been lasting for too long. To be called with the current ones at every look."""
        now = time.monotonic()
        self._since = {each.subject: self._since.get(each.subject, now) for each in troubles if each.lasting}
        return any(now - first > self._seconds for first in self._since.values())


async def why_not_ready(kube: Kube, namespace: str, labels: str = "") -> list[Trouble]:
    """What is wrong with the claims of the namespace, and with its pods and deployments that have the labels."""
    events, claims, pods, deployments = await gather(
        kube.list(EVENT, namespace),
        kube.list(PERSISTENT_VOLUME_CLAIM, namespace),
        kube.list(POD, namespace, labels=labels),
        kube.list(DEPLOYMENT, namespace, labels=labels),
    )
    found = [why_claim(claim, events) for claim in claims]
    for pod in pods:
        if trouble := why_pod(pod, events):
            attached, log = await why_attached(kube, trouble.why), await log_tail(kube, namespace, pod, LOG_LINES)
            shown = "\n".join(log.splitlines()[-SHOWN_LINES:]) if NEWER_DATABASE not in log else ""
            found.append(replace(trouble, why=attached or with_exception(trouble.why, log), log=shown))
    found += [why_deployment(deployment, pods, events) for deployment in deployments]
    return [trouble for trouble in found if trouble]


def why_pod(pod: Pod, events: Sequence[Event] = ()) -> Trouble | None:
    """Why the pod is not ready; None if it is, has finished, or is being deleted."""
    name, status = pod["metadata"]["name"], pod["status"]
    subject = f"pod {name}"
    if is_ready(pod) or status["phase"] == "Succeeded" or pod["metadata"].get("deletionTimestamp"):
        return None
    if status["phase"] == "Failed" and status.get("reason"):
        return Trouble(subject, f"failed: {status['reason']}: {status.get('message', '')}".rstrip(": "))
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            reason = condition.get("message", condition.get("reason", ""))
            if "unbound" in reason and "PersistentVolumeClaim" in reason:
                return Trouble(subject, "is waiting for its volume")
            # Not lasting: an autoscaler may still add a node for it.
            return Trouble(subject, f"cannot be scheduled: {reason}")
    own_events = [event for event in events if _subject(event) == name]
    for container in containers(pod):
        if found := why_container(subject, container, own_events):
            return found
    if newest := max(own_events, key=_time, default=None):
        is_starting = newest.get("reason") == "Unhealthy" and "connection refused" in newest.get("message", "")
        if newest.get("reason") == "Pulling" or (newest.get("type") == "Warning" and not is_starting):
            return Trouble(subject, _brief(newest))
    return Trouble(subject, "is running but not ready yet" if status["phase"] == "Running" else "is starting")


def why_container(subject: str, container: ContainerStatus, events: Sequence[Event]) -> Trouble | None:
    """Why the container does not run, or how it failed. `subject` is its pod, `events` are those about the pod."""
    name, image = container["name"], container["image"]
    waiting = container.get("state", {}).get("waiting", {})
    reason, exit = waiting.get("reason", ""), last_exit(container)
    if reason in PULL_FAILURES:
        # The pod's events keep the registry's answer, while the status soon says only "back-off".
        answers = [event.get("message", "") for event in events if event.get("reason") == "Failed"]
        answer = next((text for text in reversed(answers) if image in text), waiting.get("message", reason))
        return Trouble(subject, f"cannot pull image {image}: {_last_cause(answer)}", lasting=True)
    if reason == "CrashLoopBackOff" or (exit and exit["exitCode"]):
        # Between two crashes it runs for a while, which does not mean that it has recovered.
        restarts = container.get("restartCount", 0)
        times = f", {restarts + 1} times so far" if restarts else ""
        return Trouble(subject, f"({name}) {_how_it_ended(exit)}{times}", lasting=restarts > 1)
    if reason in START_FAILURES:
        return Trouble(subject, f"({name}) cannot start: {waiting.get('message', reason)}", lasting=True)
    return None


def why_claim(claim: PersistentVolumeClaim, events: Sequence[Event] = ()) -> Trouble | None:
    """Why the claim is not bound; None if it is, or if its class delays that until a pod uses it."""
    if claim["status"].get("phase") != "Pending":
        return None
    name, storage_class = claim["metadata"]["name"], claim["spec"].get("storageClassName")
    subject = f"volume claim {name}"
    if not storage_class:
        why = "names no storage class, and the cluster has no default one (`zerojhub up --only storage` creates it)"
        return Trouble(subject, why, lasting=True)
    if warning := last_warning(events, name):
        return Trouble(subject, f"gets no volume from storage class {storage_class}: {_brief(warning)}", lasting=True)
    return None


def why_deployment(deployment: Deployment, pods: Sequence[Pod], events: Sequence[Event]) -> Trouble | None:
    """Why a deployment has no pods at all: a quota or an admission rule rejects them."""
    name = deployment["metadata"]["name"]
    if is_available(deployment) or any(pod["metadata"]["name"].startswith(f"{name}-") for pod in pods):
        return None
    rejected = [e for e in events if e.get("reason") == "FailedCreate" and _subject(e).startswith(name)]
    return (
        Trouble(f"deployment {name}", f"cannot create pods: {_brief(rejected[-1])}", lasting=True) if rejected else None
    )


def why_service(service: Service, events: Sequence[Event] = ()) -> Trouble | None:
    """Why a LoadBalancer Service has no address yet; None if it has one."""
    if service["status"].get("loadBalancer", {}).get("ingress"):
        return None
    name = service["metadata"]["name"]
    subject = f"service {name}"
    if warning := last_warning(events, name):
        answer = f"{warning.get('reason')}: {_openstack_answer(warning.get('message', ''))}"
        quota = "quota exceeded: " if re.search(r"quota|exceeded", answer, re.I) else ""
        return Trouble(subject, f"has no load balancer: {quota}{answer}", lasting=True)
    if not any(_subject(event) == name for event in events):
        why = "is pending, and nothing is working on it: does the cluster support load balancers at all?"
        return Trouble(subject, why, lasting=True)
    return Trouble(subject, "is waiting for its load balancer")


def is_available(deployment: Deployment) -> bool:
    """Whether all replicas of the current specification are available."""
    status, wanted = deployment["status"], deployment["spec"].get("replicas", 1)
    return (
        status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
        and status.get("updatedReplicas", 0) >= wanted
        and status.get("availableReplicas", 0) >= wanted
        and status.get("replicas", 0) <= wanted
    )


def last_warning(events: Sequence[Event], name: str) -> Event | None:
    """The newest warning about the object with that name."""
    warnings = [event for event in events if event.get("type") == "Warning" and _subject(event) == name]
    return max(warnings, key=_time, default=None)


async def log_tail(kube: Kube, namespace: str, pod: Pod, lines: int = SHOWN_LINES) -> str:
    """The last lines of the pod's first container that failed; empty if none has, or if its log is gone."""
    for container in containers(pod):
        exit = last_exit(container)
        if exit and exit["exitCode"]:
            previous = "terminated" not in container.get("state", {})
            try:
                # The kubelet of a node that is down does not respond: nobody waits for a log that only explains.
                return await kube.logs(
                    namespace, pod["metadata"]["name"], container["name"], lines=lines, previous=previous, attempts=1
                )
            except KubeError:
                return ""
    return ""


def with_exception(why: str, log: str) -> str:
    """`why`, and the exception that a Python program such as the hub ended with, if its log's last lines show one.

    Wrong settings of a login, for example, are found when the hub starts.
    """
    if NEWER_DATABASE in log:
        remedy = "set the newer image or chart again, or undo the upgrade with zerojhub up --undo"
        return f"{why}: its database has been changed by a newer JupyterHub, which this one cannot read; {remedy}"
    raised = [line for line in log.splitlines() if EXCEPTION.match(line)]
    return f"{why}: {one_line(raised[-1])}" if raised else why


def _subject(event: Event) -> str:
    return event["involvedObject"].get("name", "")


def _time(event: Event) -> str:
    """When it was last seen (RFC 3339, UTC: sorts as text)."""
    series = event.get("series") or {}
    return series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or ""


def _brief(event: Event) -> str:
    return f"{event.get('reason')}: {one_line(event.get('message', ''))}"


def _openstack_answer(message: str) -> str:
    """OpenStack's own words: the cloud controllers put the whole request before them, and JSON around them."""
    answer = re.search(r'got \d+ instead: .*"(?:faultstring|message)": ?"((?:[^"\\]|\\.)+)"', message, re.DOTALL)
    return one_line(answer[1] if answer else message)


def _last_cause(message: str) -> str:
    """The registry's own words: a pull error nests the same sentence several times, and the cause comes last."""
    words = one_line(message.rpartition("desc = ")[2])
    return words if len(words) < 160 else "…" + words[-160:].partition(" ")[2]


def _how_it_ended(exit: Terminated | None) -> str:
    if exit is None:
        return "keeps failing"
    if exit.get("reason") == "OOMKilled":
        return "was OOMKilled: it needs more memory than its limit"
    return f"exited with code {exit['exitCode']}"
