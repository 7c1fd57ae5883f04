"""A Cinder volume for each claim of the Cinder storage classes, as the Cinder CSI driver makes it.

The volume is recorded in Cinder; its content is a folder that every machine of the cluster sees at the same place.
"""

from __future__ import annotations

import math

from zerojhub.practice.controllers.events import record
from zerojhub.practice.controllers.openstack import Cloud
from zerojhub.practice.controllers.work import Work
from zerojhub.practice.ground import GroundError
from zerojhub.practice.machines.kubeapi import KubeAPI, Object

DRIVER = "cinder.csi.openstack.org"
PROVISIONER = ("volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner")
"""Annotations by which Kubernetes asks an external provisioner for a claim's volume."""
NODE = "volume.kubernetes.io/selected-node"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
SOURCE = f"{DRIVER}_csi-cinder-controllerplugin"
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class Volumes:
    """Makes and removes the volumes of one cluster."""

    def __init__(self, api: KubeAPI, cloud: Cloud, cluster_id: str):
        self._api, self._cloud, self._cluster = api, cloud, cluster_id

    async def claims(self) -> None:
        """Provision for claims, for ever."""
        work = Work()
        try:
            async for claims in self._api.follow("/api/v1/persistentvolumeclaims"):
                waiting = [claim for claim in claims if _asks(claim)]
                work.drop({claim["metadata"]["uid"] for claim in waiting})
                for claim in waiting:
                    work.start(claim["metadata"]["uid"], lambda claim=claim: self._provision(claim))
        finally:
            work.drop(set())

    async def released(self) -> None:
        """Delete volumes whose claim is gone, where the class says so, for ever."""
        work = Work()
        try:
            async for volumes in self._api.follow("/api/v1/persistentvolumes"):
                for volume in volumes:
                    if _is_ours(volume) and _is_to_go(volume):
                        work.start(volume["metadata"]["uid"], lambda volume=volume: self._delete(volume))
        finally:
            work.drop(set())

    async def _provision(self, claim: Object) -> None:
        name = claim["spec"].get("storageClassName", "")
        storage_class = await self._api.get(f"/apis/storage.k8s.io/v1/storageclasses/{name}")
        if not storage_class:
            return
        late = storage_class.get("volumeBindingMode") == "WaitForFirstConsumer"
        if late and NODE not in claim["metadata"].get("annotations", {}):
            return
        where = f"{claim['metadata']['namespace']}/{claim['metadata']['name']}"
        await self._say(claim, "Provisioning", f'External provisioner is provisioning volume for claim "{where}"')
        try:
            volume = await self._volume(claim, storage_class)
            await self._api.create("/api/v1/persistentvolumes", self._persistent(claim, storage_class, volume))
        except GroundError as error:
            why = f'failed to provision volume with StorageClass "{name}": rpc error: code = Internal desc = {error}'
            await self._say(claim, "ProvisioningFailed", why, warning=True)
            raise
        done = f"Successfully provisioned volume {_name(claim)}"
        await self._say(claim, "ProvisioningSucceeded", done)

    async def _volume(self, claim: Object, storage_class: Object) -> Object:
        """The claim's Cinder volume: the one that an earlier try made, or a new one."""
        name = _name(claim)
        listed = await self._cloud.get("volumev3", "/volumes/detail", name=name) or {"volumes": []}
        if listed["volumes"]:
            return listed["volumes"][0]
        parameters = storage_class.get("parameters") or {}
        body = {
            "name": name,
            "size": max(1, math.ceil(_bytes(claim["spec"]["resources"]["requests"]["storage"]) / 2**30)),
            "description": "Created by OpenStack Cinder CSI driver",
            "metadata": {
                f"{DRIVER}/cluster": self._cluster,
                "csi.storage.k8s.io/pv/name": name,
                "csi.storage.k8s.io/pvc/name": claim["metadata"]["name"],
                "csi.storage.k8s.io/pvc/namespace": claim["metadata"]["namespace"],
            },
        }
        if parameters.get("type"):
            body["volume_type"] = parameters["type"]
        if parameters.get("availability"):
            body["availability_zone"] = parameters["availability"]
        return (await self._cloud.create("volumev3", "/volumes", {"volume": body}))["volume"]

    def _persistent(self, claim: Object, storage_class: Object, volume: Object) -> Object:
        metadata = claim["metadata"]
        return {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {
                "name": _name(claim),
                "annotations": {PROVISIONED_BY: DRIVER, f"{DRIVER}/volume-id": volume["id"]},
            },
            "spec": {
                "accessModes": claim["spec"]["accessModes"],
                "capacity": {"storage": f"{volume['size']}Gi"},
                "claimRef": {
                    "apiVersion": "v1",
                    "kind": "PersistentVolumeClaim",
                    "name": metadata["name"],
                    "namespace": metadata["namespace"],
                    "uid": metadata["uid"],
                },
                "hostPath": {"path": f"/mnt/cinder/{volume['id']}", "type": "Directory"},
                "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
                "storageClassName": storage_class["metadata"]["name"],
            },
        }

    async def _delete(self, volume: Object) -> None:
        ident = volume["metadata"]["annotations"][f"{DRIVER}/volume-id"]
        await self._cloud.delete("volumev3", f"/volumes/{ident}")
        await self._api.delete(f"/api/v1/persistentvolumes/{volume['metadata']['name']}")

    async def _say(self, claim: Object, reason: str, message: str, *, warning: bool = False) -> None:
        about = {**claim, "kind": "PersistentVolumeClaim"}  # Items of a list do not say what they are.
        await record(self._api, SOURCE, about, reason, message, warning=warning)


def _name(claim: Object) -> str:
    return f"pvc-{claim['metadata']['uid']}"


def _asks(claim: Object) -> bool:
    """Does Kubernetes ask our driver for the claim's volume?"""
    asked = claim["metadata"].get("annotations", {})
    open_still = not claim["spec"].get("volumeName") and "deletionTimestamp" not in claim["metadata"]
    return open_still and any(asked.get(name) == DRIVER for name in PROVISIONER)


def _is_ours(volume: Object) -> bool:
    return volume["metadata"].get("annotations", {}).get(PROVISIONED_BY) == DRIVER


def _is_to_go(volume: Object) -> bool:
    released = volume.get("status", {}).get("phase") == "Released"
    return released and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"


def _bytes(quantity: str) -> float:
    """Kubernetes' way to write an amount: 10Gi, 1.5G, 500M, 1e9."""
    digits = quantity.rstrip("kMGTi")
    return float(digits) * UNITS[quantity[len(digits) :]]
