"""Users' claims, as the hub would create them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.kube.kinds import PERSISTENT_VOLUME_CLAIM
from zerojhub.kube.labels import SERVERNAME, USER_SERVER, USER_STORAGE, USERNAME

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


def manifest(hub: Hub, name: str, user: str | None, server: str, size: str) -> Manifest:
    """The claim, for which the storage class provides a new volume. `user`: None for one that is no user's."""
    meta: dict[str, object] = {"name": name, "namespace": hub.namespace}
    if user is not None:
        meta["annotations"] = {USERNAME: user} | ({SERVERNAME: server} if server else {})
        meta["labels"] = labels(user, hub)
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": size}},
        "storageClassName": hub.storage_class,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def hub_manifest(hub: Hub, name: str, release: str) -> Manifest:
    """The claim of the hub's own volume, as its release would create it."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": f"{hub.hub_request_gb:g}Gi"}},
        "storageClassName": hub.hub_storage_class,
    }
    helm = {"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": hub.namespace}
    labels = {"app.kubernetes.io/managed-by": "Helm", "component": "hub", "release": release}
    meta = {"name": name, "namespace": hub.namespace, "labels": labels, "annotations": helm}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}


def labels(user: str, hub: Hub) -> dict[str, str]:
    """The labels of a user's claim. Those of KubeSpawner 7 are in addition to those of its earlier versions."""
    found = {
        "app": "jupyterhub",
        "component": USER_STORAGE,
        USERNAME: hub.scheme.label(user),
        "release": hub.release,
    }
    if hub.scheme.safe:
        return found | {
            "app.kubernetes.io/component": USER_SERVER,
            "app.kubernetes.io/instance": hub.release,
            "app.kubernetes.io/managed-by": "kubespawner",
            "app.kubernetes.io/name": "jupyterhub",
        }
    return found | {"heritage": "jupyterhub"}
