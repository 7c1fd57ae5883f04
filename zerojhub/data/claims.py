"""Claims for users who have none, as the hub would create them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.data.reattach import labels
from zerojhub.kube.kinds import PERSISTENT_VOLUME_CLAIM
from zerojhub.kube.labels import SERVERNAME, USERNAME

if TYPE_CHECKING:
    from zerojhub.data.reattach import Hub
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Manifest


async def create(kube: Kube, hub: Hub, user: str, server: str, size: str) -> str:
    """The name of the claim of a user's server, which is created if it is not there. `size`: such as `10Gi`."""
    name = hub.scheme.claim(user, server)
    if await kube.get(PERSISTENT_VOLUME_CLAIM, name, hub.namespace) is None:
        await kube.create(PERSISTENT_VOLUME_CLAIM, manifest(hub, name, user, server, size))
    return name


def manifest(hub: Hub, name: str, user: str, server: str, size: str) -> Manifest:
    """The claim, for which the storage class provides a new volume."""
    annotations = {USERNAME: user} | ({SERVERNAME: server} if server else {})
    meta = {"name": name, "namespace": hub.namespace, "annotations": annotations, "labels": labels(user, hub)}
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        "storageClassName": hub.storage_class,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}
