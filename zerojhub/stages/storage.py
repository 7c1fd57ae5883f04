"""Where volumes come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zerojhub.errors import ZeroJHubError
from zerojhub.kube import minor
from zerojhub.kube.client import OURS
from zerojhub.stages.access import Access
from zerojhub.stages.base import Found, Missing, Stage, Wrong

if TYPE_CHECKING:
    from zerojhub.journey import Hub

KIND = "storage.k8s.io/v1/StorageClass"
CSI = "cinder.csi.openstack.org"
IN_TREE = "kubernetes.io/cinder"
IN_TREE_UNTIL = (1, 21)
"""Kubernetes' own Cinder volumes were served up to here; later only the CSI driver does it."""
DEFAULT = "storageclass.kubernetes.io/is-default-class"
MADE_FOR = "zerojhub.io/deployment"
"""The annotation that tells whose `down` takes the class away."""


class StorageClass(Stage):
    """Volumes for the hub and its users: a default Cinder storage class.

    Looks for any default storage class. When there is none, it makes `storage.class` for the Cinder driver that the cluster
    has; `down` takes that one away.
    """

    name = "storage"
    needs = (Access,)

    async def look(self, hub: Hub) -> Found | Missing | Wrong:
        kube, wanted = hub[Access].kube, hub.deployment.storage
        classes = await kube.list(KIND)
        ours = next((each for each in classes if each["metadata"]["name"] == wanted.class_name), None)
        if default := next((each for each in classes if _is_default(each)), None):
            if default is ours and _type(ours) != wanted.type and _is_ours(ours):
                return Wrong(f"{wanted.class_name} makes volumes of type {_type(ours)}, not {wanted.type}")
            name = default["metadata"]["name"]
            return Found(f"{name} ({default['provisioner']}) is the default", name)
        if ours:
            return Wrong(f"{wanted.class_name} is there, and is not the default")
        names = ", ".join(each["metadata"]["name"] for each in classes)
        return Missing(f"there is no default storage class{f' (only {names})' if names else ''}")

    async def do(self, hub: Hub, state: Missing | Wrong) -> None:
        reach, wanted = hub[Access], hub.deployment.storage
        there = await reach.kube.get(KIND, wanted.class_name)
        if there and not _is_ours(there):
            raise ZeroJHubError(
                f"storage class {wanted.class_name} was made by someone else and is not the default",
                hint=f"make it the default with `kubectl annotate --overwrite storageclass {wanted.class_name} "
                f"{DEFAULT}=true`, or set storage.class to another name",
            )
        if there and _type(there) != wanted.type:
            # A class's parameters cannot be changed; the volumes that it made do not need it any more.
            await reach.kube.delete(KIND, wanted.class_name, wait=30)
        await reach.kube.apply(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": wanted.class_name,
                    "labels": OURS,
                    "annotations": {DEFAULT: "true", MADE_FOR: hub.deployment.name},
                },
                "provisioner": await _provisioner(reach),
                **({"parameters": {"type": wanted.type}} if wanted.type else {}),
                "volumeBindingMode": "WaitForFirstConsumer",
                "allowVolumeExpansion": True,
                "reclaimPolicy": "Delete",
            }
        )

    async def undo(self, hub: Hub) -> None:
        kube, name = hub[Access].kube, hub.deployment.storage.class_name
        there = await kube.get(KIND, name)
        # Another hub on the cluster may live from the class that its own deployment made.
        if there and _is_ours(there) and there["metadata"]["annotations"].get(MADE_FOR) == hub.deployment.name:
            await kube.delete(KIND, name)


async def _provisioner(reach) -> str:
    """By the drivers there are: which versions have which is every distribution's own choice."""
    drivers = {driver["metadata"]["name"] for driver in await reach.kube.list("storage.k8s.io/v1/CSIDriver")}
    if CSI in drivers:
        return CSI
    if minor(reach.version) < IN_TREE_UNTIL:
        return IN_TREE
    there = f"it has {', '.join(sorted(drivers))}" if drivers else "it has no CSI driver at all"
    raise ZeroJHubError(
        f"the cluster cannot make Cinder volumes: Kubernetes {reach.version} needs the driver {CSI}, and {there}",
        hint="make the cluster from a template with volume_driver: cinder and the label cinder_csi_enabled=true",
    )


def _is_default(storage_class: dict) -> bool:
    annotations = storage_class["metadata"].get("annotations", {})
    return any(annotations.get(key) == "true" for key in (DEFAULT, DEFAULT.replace("kubernetes", "beta.kubernetes")))


def _is_ours(storage_class: dict) -> bool:
    return OURS.items() <= storage_class["metadata"].get("labels", {}).items()


def _type(storage_class: dict) -> str | None:
    return (storage_class.get("parameters") or {}).get("type")
