"""The volumes of a namespace: which ones its claims are bound to, deleting them, and waiting until they are gone."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from zerojhub.kube import quantity
from zerojhub.kube.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM
from zerojhub.kube.pods import USERNAME
from zerojhub.text import plural
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import PersistentVolume, PersistentVolumeClaim
    from zerojhub.text import Say


CINDER = "cinder.csi.openstack.org"
"""The name of Cinder's CSI driver."""


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
    """Delete every claim of the namespace, with its volume and the data on it."""
    for claim in await _claims(kube, namespace):
        await kube.delete(PERSISTENT_VOLUME_CLAIM, claim["metadata"]["name"], namespace)


async def wait_for_deletion(kube: Kube, namespace: str, say: Say, *, timeout: float = 180) -> None:
    """Wait, for `timeout` seconds at most, until the volumes of deleted claims are gone.

    A volume whose cluster is deleted first stays in Cinder.
    """

    async def look() -> bool | NotYet:
        left = await _being_deleted(kube, namespace)
        return NotYet(f"waiting for {plural(len(left), 'volume')} to be deleted") if left else True

    with contextlib.suppress(TimedOut):
        await wait_until(look, timeout=timeout, pause=(1, 1), say=say)


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
