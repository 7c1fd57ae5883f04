"""Pods: whether one is ready, its containers and how they ended, the claims that it uses, and the user it is for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.kube.labels import USER_SERVER, USERNAME

if TYPE_CHECKING:
    from zerojhub.kube.types import ContainerStatus, Pod, PodTemplate, Terminated


def is_ready(pod: Pod) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def containers(pod: Pod) -> list[ContainerStatus]:
    """The statuses of its containers, init containers first; empty until it is on a node."""
    return pod["status"].get("initContainerStatuses", []) + pod["status"].get("containerStatuses", [])


def last_exit(container: ContainerStatus) -> Terminated | None:
    """How the container's current or previous run ended; None if it has only been running so far."""
    return container.get("state", {}).get("terminated") or container.get("lastState", {}).get("terminated")


def claims_of(pod: Pod | PodTemplate) -> list[str]:
    """The names of the volume claims that the pod uses, or a pod of the template would."""
    volumes = pod["spec"].get("volumes", [])
    return [volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume]


def user_of(pod: Pod) -> str | None:
    """The user whose server the pod is; None for every other pod."""
    meta = pod["metadata"]
    if meta.get("labels", {}).get("component") != USER_SERVER:
        return None
    return meta.get("annotations", {}).get(USERNAME) or meta.get("labels", {}).get(USERNAME) or meta["name"]
