"""The volumes of a namespace: which ones its claims are bound to, deleting them, and waiting until they are gone."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from zerojhub.kube import quantity
from zerojhub.kube.client import KubeError
from zerojhub.kube.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, VOLUME_ATTACHMENT
from zerojhub.kube.labels import USERNAME
from zerojhub.text import plural
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Collection

    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import PersistentVolume, PersistentVolumeClaim
    from zerojhub.text import Say


CINDER = "cinder.csi.openstack.org"
"""The name of Cinder's CSI driver."""

IN_TREE = "kubernetes.io/cinder"
"""The name of Kubernetes' own driver for Cinder, before version 1.21."""

DELETE_TIMEOUT = 180
"""Seconds for a volume to be deleted."""

SET_BY_KUBERNETES = ("pv.kubernetes.io/", "volume.kubernetes.io/", "volume.beta.kubernetes.io/storage-provisioner")
"""How the annotations begin that Kubernetes itself puts on a claim."""


@dataclass(frozen=True)
class Volume:
    """The volume that a claim is bound to."""

    id: str | None
    """Cinder's UUID; None for a volume of another kind."""
    name: str
    """Of the PersistentVolume."""
    size_gb: int
    """GiB, rounded up."""
    owner: str
    """The user, or the claim's name if it is nobody's."""
    claim: str


async def claimed(kube: Kube, namespace: str) -> list[Volume]:
    """The volumes that the namespace's claims are bound to."""
    volumes = {each["metadata"]["name"]: each for each in await kube.list(PERSISTENT_VOLUME)}
    claims = await _claims(kube, namespace)
    return [_volume(claim, volumes[name]) for claim in claims if (name := claim["spec"].get("volumeName")) in volumes]


async def delete_all(kube: Kube, namespace: str) -> None:
    """Delete every claim of the namespace, with its volume and the data on it; users' even if they were to be retained."""
    claims, there = await _claims(kube, namespace), await kube.list(PERSISTENT_VOLUME)
    retained = {
        each["metadata"]["name"] for each in there if each["spec"].get("persistentVolumeReclaimPolicy") == "Retain"
    }
    for claim in claims:
        volume = claim["spec"].get("volumeName")
        if volume in retained and USERNAME in claim["metadata"].get("annotations", {}):
            await set_last_policy(kube, volume, "Delete")
        await kube.delete(PERSISTENT_VOLUME_CLAIM, claim["metadata"]["name"], namespace)


async def set_policy(kube: Kube, volume: str, policy: str) -> None:
    """Decide what becomes of the PersistentVolume without its claim: Retain or Delete. KubeError unless that is set then."""
    change = {"spec": {"persistentVolumeReclaimPolicy": policy}}
    changed = await kube.merge(PERSISTENT_VOLUME, volume, None, change)
    if changed["spec"].get("persistentVolumeReclaimPolicy") != policy:
        raise KubeError(f"volume {volume} does not have reclaim policy {policy}")


async def set_last_policy(kube: Kube, volume: str, policy: str) -> None:
    """`set_policy` for a PersistentVolume that is about to be deleted, and may be gone since it was listed."""
    try:
        await set_policy(kube, volume, policy)
    except KubeError as error:
        if error.status != 404:
            raise


async def claim_again(kube: Kube, claim: PersistentVolumeClaim, *, timeout: float = 60) -> None:
    """Bind the volume of a deleted claim to a new one like it. The volume's policy is Retain. TimedOut after `timeout` s."""
    meta, volume = claim["metadata"], claim["spec"]["volumeName"]
    name, namespace = meta["name"], meta.get("namespace")

    async def is_gone() -> bool | NotYet:
        there = await kube.get(PERSISTENT_VOLUME_CLAIM, name, namespace)
        waiting = there is not None and there["metadata"]["uid"] == meta["uid"]
        return NotYet(f"claim {name} is still being deleted") if waiting else True

    async def is_bound() -> bool | NotYet:
        there = await kube.get(PERSISTENT_VOLUME_CLAIM, name, namespace)
        bound = there is not None and there["status"].get("phase") == "Bound"
        return True if bound else NotYet(f"claim {name} is not bound to volume {volume}")

    await wait_until(is_gone, timeout=timeout, pause=(0.2, 1))
    # A volume that was bound to a deleted claim accepts a new one only after it has forgotten the old one's uid.
    await kube.merge(PERSISTENT_VOLUME, volume, None, {"spec": {"claimRef": {"uid": None, "resourceVersion": None}}})
    annotations = {
        key: value for key, value in meta.get("annotations", {}).items() if not key.startswith(SET_BY_KUBERNETES)
    }
    kept = {"name": name, "namespace": namespace, "labels": meta.get("labels", {}), "annotations": annotations}
    manifest = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": kept, "spec": claim["spec"]}
    await kube.create(PERSISTENT_VOLUME_CLAIM, manifest)
    # At once, or when Kubernetes looks at all claims again, every 15 seconds.
    await wait_until(is_bound, timeout=timeout, pause=(0.2, 1))


async def delete(kube: Kube, namespace: str, ids: Collection[str]) -> None:
    """Delete the claims that are bound to these volumes, with the data on them; `ids`: as of `id_of`.

    Of those that no claim has any more, only the PersistentVolumes are deleted.
    """
    bound = {each.name: each for each in await claimed(kube, namespace)}
    for volume in await kube.list(PERSISTENT_VOLUME):
        name, reference = volume["metadata"]["name"], volume["spec"].get("claimRef", {})
        if id_of(volume) not in ids or reference.get("namespace") != namespace:
            continue
        # It may have been retained when its user was removed; nothing but its claim makes a driver delete it.
        await set_last_policy(kube, name, "Delete" if name in bound else "Retain")
        if name in bound:
            await kube.delete(PERSISTENT_VOLUME_CLAIM, bound[name].claim, namespace)
        else:
            await kube.delete(PERSISTENT_VOLUME, name)


async def delete_claims(kube: Kube, namespace: str, claimed: Collection[Volume]) -> None:
    """Delete the claims of these volumes, whose policy is Delete, and wait until the volumes are gone. TimedOut if they stay."""
    for volume in claimed:
        await kube.delete(PERSISTENT_VOLUME_CLAIM, volume.claim, namespace)
    for volume in claimed:
        await _wait_until_gone(kube, volume)


async def release(kube: Kube, namespace: str, volume: str, claim: str, *, timeout: float = 60) -> None:
    """Delete the claim but not its PersistentVolume, which is retained. KubeError if the claim is still there after `timeout` s."""
    await set_policy(kube, volume, "Retain")
    await kube.delete(PERSISTENT_VOLUME_CLAIM, claim, namespace, wait=timeout)


async def attached(kube: Kube) -> dict[str, str]:
    """PersistentVolume -> the node that has it."""
    listed = await kube.list(VOLUME_ATTACHMENT)
    return {
        name: each["spec"]["nodeName"]
        for each in listed
        if (name := each["spec"]["source"].get("persistentVolumeName"))
    }


async def wait_until_detached(kube: Kube, namespace: str, say: Say, *, timeout: float = 180) -> None:
    """Wait, for `timeout` seconds at most, until no node has a volume of the namespace: all is written to them then."""

    async def look() -> bool | NotYet:
        ours = {
            volume["metadata"]["name"]
            for volume in await kube.list(PERSISTENT_VOLUME)
            if volume["spec"].get("claimRef", {}).get("namespace") == namespace
        }
        left = ours.intersection(await attached(kube))
        return NotYet(f"waiting for {plural(len(left), 'volume')} to be detached") if left else True

    try:
        await wait_until(look, timeout=timeout, pause=(0.5, 2), say=say)
    except TimedOut as late:
        say(f"{late}; continuing")


async def wait_for_deletion(kube: Kube, namespace: str, say: Say, *, timeout: float = 180) -> None:
    """Wait, for `timeout` seconds at most, until the volumes of deleted claims are gone.

    A volume whose cluster is deleted first stays in Cinder.
    """

    async def look() -> bool | NotYet:
        left = await _being_deleted(kube, namespace)
        return NotYet(f"waiting for {plural(len(left), 'volume')} to be deleted") if left else True

    with contextlib.suppress(TimedOut):
        await wait_until(look, timeout=timeout, pause=(1, 1), say=say)


async def _wait_until_gone(kube: Kube, volume: Volume) -> None:
    async def look() -> bool | NotYet:
        there = await kube.get(PERSISTENT_VOLUME, volume.name)
        return NotYet(f"volume {volume.name} is still being deleted") if there else True

    await wait_until(look, timeout=DELETE_TIMEOUT, pause=(0.3, 2))


async def _being_deleted(kube: Kube, namespace: str) -> list[str]:
    claims = {each["metadata"]["name"] for each in await _claims(kube, namespace)}
    return [
        volume["metadata"]["name"]
        for volume in await kube.list(PERSISTENT_VOLUME)
        if (claim := volume["spec"].get("claimRef", {})).get("namespace") == namespace
        and claim.get("name") not in claims
        and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete"
    ]


async def _claims(kube: Kube, namespace: str) -> list[PersistentVolumeClaim]:
    """The claims that are not being deleted: one that is may still wait for its pod to end."""
    listed = await kube.list(PERSISTENT_VOLUME_CLAIM, namespace)
    return [each for each in listed if "deletionTimestamp" not in each["metadata"]]


def _volume(claim: PersistentVolumeClaim, volume: PersistentVolume) -> Volume:
    spec, name = volume["spec"], claim["metadata"]["name"]
    return Volume(
        id=cinder_id(volume),
        name=volume["metadata"]["name"],
        size_gb=ceil(quantity.number(spec["capacity"]["storage"]) / 2**30),
        owner=claim["metadata"].get("annotations", {}).get(USERNAME) or name,
        claim=name,
    )


def cinder_id(volume: PersistentVolume) -> str | None:
    """Cinder's UUID of the volume; None for a volume of another kind."""
    spec = volume["spec"]
    if "csi" in spec:
        return spec["csi"]["volumeHandle"] if spec["csi"]["driver"] == CINDER else None
    return spec["cinder"]["volumeID"] if "cinder" in spec else None


def id_of(volume: PersistentVolume) -> str:
    """Cinder's UUID of the volume, or the name of the PersistentVolume for a volume of another kind."""
    return cinder_id(volume) or volume["metadata"]["name"]
