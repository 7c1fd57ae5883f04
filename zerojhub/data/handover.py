"""Handing a hub's volumes over to another deployment: nothing is copied, and nothing of the old cluster can delete them.

A volume that leaves is marked in Cinder as kept for the other deployment before its claim is deleted, so it always belongs to
exactly one of the two. Its tag of the CSI driver is rewritten, because what deletes a cluster with its data, or a janitor that
cleans up after it, goes by that tag.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import anyio

from zerojhub.data import kept
from zerojhub.data.keep import owner_of
from zerojhub.data.kept import KeptVolume
from zerojhub.data.owner import KEPT, PRINTABLE, Owner, recorded
from zerojhub.errors import ZeroJHubError
from zerojhub.kube import volumes
from zerojhub.kube.client import OURS
from zerojhub.kube.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM
from zerojhub.kube.volumes import cinder_id
from zerojhub.openstack import cinder
from zerojhub.openstack.leftovers import CLUSTER_METADATA, KEEP
from zerojhub.tasks import gather
from zerojhub.text import plural
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import PersistentVolume
    from zerojhub.openstack.session import Cloud
    from zerojhub.text import Say

MOVED_FROM = "zerojhub:moved_from"
"""The deployment that a volume was handed over by."""
PROVISIONER = "external-provisioner.volume.kubernetes.io/finalizer"
"""What older provisioners leave on a PersistentVolume that is to be retained, so that it is never gone."""
AT_ONCE = 8
"""Volumes that are worked on at the same time."""
DETACH_TIMEOUT = 240
"""Seconds for the volumes of stopped pods to be detached."""
DELETE_TIMEOUT = 30
"""Seconds for a claim or a PersistentVolume to be gone."""


@dataclass(frozen=True)
class Party:
    """One of the two deployments."""

    deployment: str
    """Its name."""
    namespace: str
    cluster: str
    """The UUID of its cluster."""


@dataclass(frozen=True)
class Leaving:
    """A volume that is to be handed over."""

    volume: KeptVolume
    """As it will be kept: its owner is in the namespace that it goes to."""
    persistent: str
    """The name of its PersistentVolume."""
    claim: str | None
    """The claim that is bound to it; None if that has been deleted already, or was never created."""


async def leaving(kube: Kube, cloud: Cloud, source: Party, target: Party, *, safe: bool | None) -> list[Leaving]:
    """The volumes that the source still has, in the order of their owners. Changes nothing.

    Those of its claims, and those that were reserved for one. Not among them are volumes that do not exist in Cinder, those
    of other kinds, and what the deleted claims of earlier users have left. `safe`: as in `Owner`.
    """
    persistent, claims, listed = await gather(
        kube.list(PERSISTENT_VOLUME), kube.list(PERSISTENT_VOLUME_CLAIM, source.namespace), cinder.volumes(cloud)
    )
    records = {each["id"]: each for each in listed}
    bound = {name: claim for claim in claims if (name := claim["spec"].get("volumeName"))}
    names = {claim["metadata"]["name"] for claim in claims}
    found = []
    for each in persistent:
        claim = bound.get(each["metadata"]["name"])
        record = records.get(cinder_id(each) or "")
        if not record:
            continue
        owner: Owner | None
        if claim:
            owner = owner_of(claim, each, deployment=source.deployment, cluster=source.cluster, safe=safe)
        else:
            owner = _owner_without_claim(each, record, names, source, target)
        if owner:
            volume = kept.as_kept(record, replace(owner, deployment=target.deployment, namespace=target.namespace))
            found.append(Leaving(volume, each["metadata"]["name"], claim["metadata"]["name"] if claim else None))
    return sorted(found, key=lambda each: each.volume.owner.label)


def _owner_without_claim(
    volume: PersistentVolume, record: cinder.Volume, claims: Collection[str], source: Party, target: Party
) -> Owner | None:
    """Whose the volume is that no claim has; None if it is not one that leaves.

    It leaves if it was reserved for a claim that has not been created, or if its claim was deleted by an earlier run.
    """
    reference = volume["spec"].get("claimRef", {})
    if reference.get("namespace") != source.namespace:
        return None
    reserved = OURS.items() <= volume["metadata"].get("labels", {}).items() and reference.get("name") not in claims
    if not reserved and not was_moved(record, target.deployment, source.deployment):
        return None
    return recorded(record["metadata"])


async def hand_over(kube: Kube, cloud: Cloud, items: Sequence[Leaving], source: Party, target: Party, say: Say) -> None:
    """Have the target own the volumes, which no node has, and the source's cluster forget them. Repeatable.

    All of them are retained before the first claim is deleted. KubeError if one cannot be, or if a claim is still there after
    its time.
    """
    limit, done = anyio.CapacityLimiter(AT_ONCE), 0

    async def retain(each: Leaving) -> None:
        async with limit:
            await volumes.set_policy(kube, each.persistent, "Retain")

    async def hand_one(each: Leaving) -> None:
        nonlocal done
        async with limit:
            await _mark(cloud, each.volume.id, each.volume.owner, source, target, since=kept.now(cloud))
            if each.claim:
                await kube.delete(PERSISTENT_VOLUME_CLAIM, each.claim, source.namespace, wait=DELETE_TIMEOUT)
            await _forget(kube, each.persistent)
            done += 1
            say(f"{done} of {plural(len(items), 'volume')}: {each.volume.owner.label}")

    await gather(*map(retain, items))
    await gather(*map(hand_one, items))


async def wait_until_detached(kube: Kube, cloud: Cloud, items: Sequence[Leaving], say: Say) -> None:
    """Wait until no node has one of the volumes, as Kubernetes and Cinder say. ZeroJHubError if one does not come off."""

    async def look() -> bool | NotYet:
        nodes, listed = await gather(volumes.attached(kube), cinder.volumes(cloud))
        servers = {each["id"]: each["attachments"][0]["server_id"] for each in listed if each["attachments"]}
        for each in items:
            if holder := nodes.get(each.persistent) or servers.get(each.volume.id):
                return NotYet(f"volume {each.volume.id} of {each.volume.owner.label} is still attached to {holder}")
        return True

    try:
        await wait_until(look, timeout=DETACH_TIMEOUT, pause=(0.5, 2), say=say)
    except TimedOut as late:
        hint = "run the same command again; one that is dead for good needs: openstack server remove volume"
        raise ZeroJHubError(late.reason, hint=hint) from None


async def redirect(cloud: Cloud, source: Party, target: Party) -> int:
    """Have volumes that were on their way to the source go to the target; how many there were. Repeatable."""
    listed = [each for each in await cinder.volumes(cloud) if is_between(each, source.deployment, target.deployment)]
    for each in listed:
        owner = recorded(each["metadata"])
        if owner:
            turned = replace(owner, deployment=target.deployment, namespace=target.namespace)
            await _mark(cloud, each["id"], turned, source, target, since=each["metadata"][KEPT])
    return len(listed)


def is_between(volume: cinder.Volume, to: str, handed_over_by: str) -> bool:
    """Has the volume been handed over to this deployment, whose cluster does not have it yet?"""
    metadata = volume["metadata"]
    owner = recorded(metadata)
    origin = unquote(metadata.get(MOVED_FROM, ""))
    return owner is not None and KEPT in metadata and (owner.deployment, origin) == (to, handed_over_by)


def was_moved(volume: cinder.Volume, to: str, handed_over_by: str) -> bool:
    """Has the volume been handed over to this deployment, whether its cluster has it already or not?"""
    owner = recorded(volume["metadata"])
    origin = unquote(volume["metadata"].get(MOVED_FROM, ""))
    return owner is not None and (owner.deployment, origin) == (to, handed_over_by)


async def _mark(cloud: Cloud, volume_id: str, owner: Owner, source: Party, target: Party, *, since: str) -> None:
    """Record for whom the volume is kept, and give it the tag of the target's cluster."""
    moved = {MOVED_FROM: quote(source.deployment, safe=PRINTABLE), CLUSTER_METADATA: target.cluster, KEPT: since}
    await cinder.set_metadata(cloud, volume_id, owner.metadata() | KEEP | moved)


async def _forget(kube: Kube, name: str) -> None:
    """Delete the PersistentVolume, whose policy is Retain. KubeError if it is still there after its time."""
    there = await kube.get(PERSISTENT_VOLUME, name)
    if there and PROVISIONER in there["metadata"].get("finalizers", []):
        left = [each for each in there["metadata"]["finalizers"] if each != PROVISIONER]
        await kube.merge(PERSISTENT_VOLUME, name, None, {"metadata": {"finalizers": left}})
    await kube.delete(PERSISTENT_VOLUME, name, wait=DELETE_TIMEOUT)
