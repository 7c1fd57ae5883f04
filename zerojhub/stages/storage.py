"""The default storage class, from which the hub and its users get their volumes."""

from __future__ import annotations

from zerojhub.errors import ZeroJHubError
from zerojhub.kube import minor
from zerojhub.kube.client import OURS
from zerojhub.kube.kinds import CSI_DRIVER, STORAGE_CLASS
from zerojhub.kube.reach import Reach
from zerojhub.kube.types import StorageClass as KubeStorageClass
from zerojhub.kube.volumes import CINDER, IN_TREE
from zerojhub.run import Run
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.access import Access

IN_TREE_UNTIL = (1, 21)
"""Before this version Kubernetes has its own Cinder driver; later only the CSI driver provisions volumes."""
DEFAULT = "storageclass.kubernetes.io/is-default-class"
MADE_FOR = "zerojhub.io/deployment"
"""The annotation that names the deployment whose `down` deletes the class."""


class StorageClass(Stage[str]):
    """Volumes for the hub and its users: a default Cinder storage class.

    Looks for any default storage class. When there is none, it creates `storage.class` for the cluster's Cinder driver;
    `down` deletes that one.
    """

    name = "storage"
    needs = (Access,)

    async def look(self, run: Run) -> Found[str] | Missing[str] | Wrong[str]:
        kube, wanted = run[Access].kube, run.deployment.storage
        classes = await kube.list(STORAGE_CLASS)
        ours = next((each for each in classes if each["metadata"]["name"] == wanted.class_name), None)
        if default := next((each for each in classes if _is_default(each)), None):
            if default is ours and _type(ours) != wanted.type and _is_ours(ours):
                return Wrong(f"{wanted.class_name} provisions volumes of type {_type(ours)}, not {wanted.type}")
            name = default["metadata"]["name"]
            return Found(f"{name} ({default['provisioner']}) is the default", name)
        if ours:
            return Wrong(f"{wanted.class_name} exists but is not the default")
        names = ", ".join(each["metadata"]["name"] for each in classes)
        return Missing(f"there is no default storage class{f' (only {names})' if names else ''}")

    async def do(self, run: Run, state: Missing[str] | Wrong[str]) -> None:
        reach, wanted = run[Access], run.deployment.storage
        there = await reach.kube.get(STORAGE_CLASS, wanted.class_name)
        if there and not _is_ours(there):
            raise ZeroJHubError(
                f"storage class {wanted.class_name} belongs to somebody else and is not the default",
                hint=f"make it the default with `kubectl annotate --overwrite storageclass {wanted.class_name} "
                f"{DEFAULT}=true`, or set storage.class to another name",
            )
        if there and _type(there) != wanted.type:
            # The parameters of a class cannot be changed, and existing volumes do not need it.
            await reach.kube.delete(STORAGE_CLASS, wanted.class_name, wait=30)
        await reach.kube.apply(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": wanted.class_name,
                    "labels": OURS,
                    "annotations": {DEFAULT: "true", MADE_FOR: run.deployment.name},
                },
                "provisioner": await _provisioner(reach),
                **({"parameters": {"type": wanted.type}} if wanted.type else {}),
                "volumeBindingMode": "WaitForFirstConsumer",
                "allowVolumeExpansion": True,
                "reclaimPolicy": "Delete",
            }
        )

    async def undo(self, run: Run, teardown: Teardown) -> None:
        kube, name = run[Access].kube, run.deployment.storage.class_name
        there = await kube.get(STORAGE_CLASS, name)
        # Another hub on the cluster may depend on the class that its own deployment created.
        if there and _is_ours(there) and there["metadata"].get("annotations", {}).get(MADE_FOR) == run.deployment.name:
            await kube.delete(STORAGE_CLASS, name)


async def _provisioner(reach: Reach) -> str:
    """Decided by the drivers that are installed: distributions differ in which versions have which."""
    drivers = {driver["metadata"]["name"] for driver in await reach.kube.list(CSI_DRIVER)}
    if CINDER in drivers:
        return CINDER
    if minor(reach.version) < IN_TREE_UNTIL:
        return IN_TREE
    there = f"it has {', '.join(sorted(drivers))}" if drivers else "it has no CSI driver"
    raise ZeroJHubError(
        f"the cluster cannot provision Cinder volumes: Kubernetes {reach.version} needs the driver {CINDER}, and {there}",
        hint="create the cluster from a template with volume_driver: cinder and the label cinder_csi_enabled=true",
    )


def _is_default(storage_class: KubeStorageClass) -> bool:
    annotations = storage_class["metadata"].get("annotations", {})
    return any(annotations.get(key) == "true" for key in (DEFAULT, DEFAULT.replace("kubernetes", "beta.kubernetes")))


def _is_ours(storage_class: KubeStorageClass) -> bool:
    return OURS.items() <= storage_class["metadata"].get("labels", {}).items()


def _type(storage_class: KubeStorageClass) -> str | None:
    return (storage_class.get("parameters") or {}).get("type")
