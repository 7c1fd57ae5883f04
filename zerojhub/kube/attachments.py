"""A volume that stays attached to a dead node, so that the pod that needs it cannot start on another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zerojhub.kube import volumes
from zerojhub.kube.kinds import NODE, PERSISTENT_VOLUME, VOLUME_ATTACHMENT
from zerojhub.kube.nodes import is_ready, server_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Node, PersistentVolume, VolumeAttachment

STUCK = re.compile(r'Multi-Attach error for volume "([^"]+)"')


async def why_attached(kube: Kube, message: str) -> str | None:
    """For Kubernetes' attach error: which volume is attached to which node, and how to detach it if that node is dead.

    None for every other message, or when the volume is not attached any more.
    """
    found = STUCK.search(message)
    if not found:
        return None
    attachments = await kube.list(VOLUME_ATTACHMENT)
    volume, nodes = await kube.get(PERSISTENT_VOLUME, found[1]), await kube.list(NODE)
    return describe(found[1], attachments, volume, nodes)


def describe(
    name: str, attachments: Sequence[VolumeAttachment], volume: PersistentVolume | None, nodes: Sequence[Node]
) -> str | None:
    """`why_attached` for the PersistentVolume of that name."""
    holder = next((each for each in attachments if each["spec"]["source"].get("persistentVolumeName") == name), None)
    if holder is None:
        return None
    node_name = holder["spec"]["nodeName"]
    node = next((each for each in nodes if each["metadata"]["name"] == node_name), None)
    cinder = (volume and volumes.cinder_id(volume)) or name
    held = f"needs volume {cinder} ({name}), which is attached to {node_name}"
    if node and is_ready(node):
        return f"{held}, where another pod uses it or has just ended"
    detach = f"openstack server remove volume {server_id(node) if node else node_name} {cinder}"
    return (
        f"{held}, a node that {'is not ready' if node else 'no longer exists'}; if its server is dead for good, detach "
        f"it with: {detach} && kubectl delete volumeattachment {holder['metadata']['name']}"
    )
