"""A volume that stays attached to a node that is gone, so that the pod that needs it never starts elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zerojhub.kube.drain import is_ready

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube

STUCK = re.compile(r'Multi-Attach error for volume "([^"]+)"')


async def why_attached(kube: Kube, message: str) -> str | None:
    """For an attach error of Kubernetes: which volume, on which server, and how to free it when that server is dead."""
    found = STUCK.search(message)
    if not found:
        return None
    attachments = await kube.list("storage.k8s.io/v1/VolumeAttachment")
    volume, nodes = await kube.get("v1/PersistentVolume", found[1]), await kube.list("v1/Node")
    return describe(found[1], attachments, volume, nodes)


def describe(name: str, attachments: list[dict], volume: dict | None, nodes: list[dict]) -> str | None:
    """The volume, the node that holds it, and whether that node is alive."""
    holder = next((each for each in attachments if each["spec"]["source"].get("persistentVolumeName") == name), None)
    if holder is None:
        return None
    node_name = holder["spec"]["nodeName"]
    node = next((each for each in nodes if each["metadata"]["name"] == node_name), None)
    cinder = ((volume or {}).get("spec", {}).get("csi") or {}).get("volumeHandle", name)
    held = f"needs volume {cinder} ({name}), which is attached to {node_name}"
    if node and is_ready(node):
        return f"{held}, where another pod uses it or has just ended"
    server = node["spec"].get("providerID", "").rpartition("/")[2] if node else ""
    detach = f"openstack server remove volume {server or node_name} {cinder}"
    return (
        f"{held}, a node that is {'not ready' if node else 'gone'}; when its server is dead for good, free it with: "
        f"{detach} && kubectl delete volumeattachment {holder['metadata']['name']}"
    )
