"""Why something in Kubernetes is not ready, in one line that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube

PULL_FAILURES = {"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"}


async def why_not_ready(kube: Kube, namespace: str, labels: str = "") -> list[str]:
    """One line for each pod (of those with the labels) and claim in the namespace that is not as it should be."""
    seen: dict[str, list[dict]] = {}

    async def fetch(kind: str, labels: str = "") -> None:
        seen[kind] = await kube.list(kind, namespace, labels=labels)

    async with anyio.create_task_group() as tasks:
        for kind in ("v1/Event", "v1/PersistentVolumeClaim"):
            tasks.start_soon(fetch, kind)
        for kind in ("v1/Pod", "apps/v1/Deployment"):
            tasks.start_soon(fetch, kind, labels)
    events, lines = seen["v1/Event"], []
    for claim in seen["v1/PersistentVolumeClaim"]:
        if line := why_claim(claim, events):
            lines.append(line)
    for pod in seen["v1/Pod"]:
        if line := why_pod(pod, events, lines):
            lines.append(line + await _log_tail(kube, namespace, pod))
    for deployment in seen["apps/v1/Deployment"]:
        if line := why_deployment(deployment, seen["v1/Pod"], events):
            lines.append(line)
    return lines


def why_pod(pod: dict, events: Sequence[dict] = (), claims: Sequence[str] = ()) -> str | None:
    """Why the pod is not ready; None when it is, or has done its work. `claims`: what is already said of claims."""
    name, status = pod["metadata"]["name"], pod.get("status", {})
    if is_ready(pod) or status.get("phase") == "Succeeded":
        return None
    if status.get("phase") == "Failed" and status.get("reason"):
        return f"pod {name} was ended: {status['reason']}: {status.get('message', '')}".rstrip(": ")
    for condition in status.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            if claims and "PersistentVolumeClaim" in condition.get("message", ""):
                return f"pod {name} waits for its volume"
            return f"pod {name} fits on no node: {condition.get('message', condition.get('reason'))}"
    for container in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        if line := _why_container(name, container, events, pod):
            return line
    trouble = last_warning(events, name)
    if trouble:
        return f"pod {name}: {_brief(trouble)}"
    if status.get("phase") == "Running":
        return f"pod {name} runs, and is not ready yet"
    return f"pod {name} is being started"


def _why_container(pod_name: str, container: dict, events: Sequence[dict], pod: dict) -> str | None:
    state, name = container.get("state", {}), container["name"]
    waiting, ended = state.get("waiting", {}), state.get("terminated", {})
    last = container.get("lastState", {}).get("terminated", {})
    reason = waiting.get("reason")
    if reason in PULL_FAILURES:
        # The pod's event keeps the registry's answer; the status soon says only "back-off".
        pulls = [event for event in events if event.get("reason") == "Failed" and _is_about(event, pod_name)]
        said = next((e["message"] for e in reversed(pulls) if container["image"] in e["message"]), None)
        said = said or waiting.get("message", reason)
        return f"pod {pod_name}: image {container['image']} cannot be pulled: {_last_cause(said)}"
    if reason == "CrashLoopBackOff" or (ended and ended.get("exitCode")):
        how = last or ended
        return f"pod {pod_name}: {name} ends with {_ending(how)}" + (
            f", {container['restartCount']} times" if container.get("restartCount", 0) > 1 else ""
        )
    if reason in ("CreateContainerConfigError", "CreateContainerError", "RunContainerError"):
        return f"pod {pod_name}: {name} cannot start: {waiting.get('message', reason)}"
    return None


def why_claim(claim: dict, events: Sequence[dict] = ()) -> str | None:
    """Why the volume claim is not bound; None when it is, or waits for a pod as its class wants."""
    if claim.get("status", {}).get("phase") != "Pending":
        return None
    name, kind = claim["metadata"]["name"], claim["spec"].get("storageClassName")
    if not kind:
        return (
            f"volume claim {name} has no storage class, and the cluster has no default one (zerojhub up --only storage)"
        )
    trouble = last_warning(events, name)
    if trouble:
        return f"volume claim {name} (storage class {kind}): {_brief(trouble)}"
    return None


def why_deployment(deployment: dict, pods: Sequence[dict], events: Sequence[dict]) -> str | None:
    """Why a deployment has no pods at all: a quota or an admission rule refuses them."""
    name = deployment["metadata"]["name"]
    if is_available(deployment) or any(pod["metadata"]["name"].startswith(f"{name}-") for pod in pods):
        return None
    refused = [e for e in events if e.get("reason") == "FailedCreate" and _subject(e).startswith(name)]
    return f"deployment {name} may make no pod: {_brief(refused[-1])}" if refused else None


def why_service(service: dict, events: Sequence[dict] = ()) -> str | None:
    """Why a LoadBalancer Service has no address yet; None when it has one."""
    if service.get("status", {}).get("loadBalancer", {}).get("ingress"):
        return None
    name = service["metadata"]["name"]
    trouble = last_warning(events, name)
    if trouble:
        said = _brief(trouble)
        why = "the project's quota is used up: " if re.search(r"quota|exceeded", said, re.I) else ""
        return f"service {name}: {why}{said}"
    if not any(_is_about(event, name) for event in events):
        return f"service {name} is pending and nothing works on it: the cluster seems to have no load balancers"
    return f"service {name} is waiting for its load balancer"


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
    about = [event for event in events if event.get("type") == "Warning" and _is_about(event, name)]
    return max(about, key=_when, default=None)


def _is_about(event: dict, name: str) -> bool:
    return _subject(event) == name


def _subject(event: dict) -> str:
    return event.get("involvedObject", {}).get("name", "")


def _when(event: dict) -> str:
    series = event.get("series") or {}
    return series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or ""


def _brief(event: dict) -> str:
    return f"{event.get('reason')}: {' '.join(event.get('message', '').split())}"


def _last_cause(message: str) -> str:
    """A pull error nests the same sentence several times; its end is what the registry said."""
    words = " ".join(message.split())
    return words if len(words) < 160 else "…" + words[-160:]


def _ending(ended: dict) -> str:
    reason = ended.get("reason", "")
    if reason == "OOMKilled":
        return "OOMKilled: it needs more memory than its limit"
    return f"exit code {ended.get('exitCode')}"


async def _log_tail(kube: Kube, namespace: str, pod: dict) -> str:
    """What a container that keeps ending said last, as lines below."""
    from zerojhub.kube.client import KubeError

    status = pod.get("status", {})
    for container in status.get("initContainerStatuses", []) + status.get("containerStatuses", []):
        ended = container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")
        if ended and ended.get("exitCode"):
            previous = {} if container["state"].get("terminated") else {"previous": "true"}
            try:
                log = await kube.logs(namespace, pod["metadata"]["name"], container["name"], lines=8, **previous)
            except KubeError:
                return ""
            return "".join(f"\n    {line}" for line in log.splitlines() if line.strip())
    return ""
