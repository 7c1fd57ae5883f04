"""Deleting a user's volumes: claims, PersistentVolumes and what is in Cinder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zerojhub.data.inventory import Item
from zerojhub.errors import UserError, ZeroJHubError
from zerojhub.kube import volumes
from zerojhub.kube.kinds import PERSISTENT_VOLUME, PERSISTENT_VOLUME_CLAIM, POD
from zerojhub.kube.pods import claims_of, user_of
from zerojhub.openstack import cinder, leftovers
from zerojhub.openstack.session import if_allowed
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.kube.client import Kube
    from zerojhub.openstack.session import Cloud
    from zerojhub.text import Say

STOP_TIMEOUT = 120
"""Seconds for a pod to stop."""
DELETE_TIMEOUT = 60
"""Seconds for a claim or a PersistentVolume to be deleted."""


async def refuse_snapshots(cloud: Cloud, items: Sequence[Item]) -> None:
    """UserError if one of the volumes has snapshots, with which Cinder deletes none."""
    doomed = {each.volume: each.owner for each in items if each.volume}
    with if_allowed():
        found = [each for each in await cinder.snapshots(cloud) if each["volume_id"] in doomed]
        if found:
            volume, ids = found[0]["volume_id"], " ".join(each["id"] for each in found)
            raise UserError(
                f"volume {volume} of {doomed[volume]} has snapshots, with which Cinder does not delete it",
                hint=f"delete them first with: openstack volume snapshot delete {ids}",
            )


async def stop_pods(kube: Kube, namespace: str, user: str, items: Sequence[Item]) -> None:
    """Stop the pods of the user's servers. ZeroJHubError if another pod uses one of the claims."""
    claims = {each.claim for each in items}
    using = [pod for pod in await kube.list(POD, namespace) if claims.intersection(claims_of(pod))]
    for pod in using:
        name = pod["metadata"]["name"]
        if user_of(pod) != user:
            raise ZeroJHubError(
                f"pod {name} uses a volume of {user}", hint=f"delete it with: kubectl -n {namespace} delete pod {name}"
            )
    for pod in using:
        await kube.delete(POD, pod["metadata"]["name"], namespace, wait=STOP_TIMEOUT)


async def delete(kube: Kube | None, cloud: Cloud, namespace: str, items: Sequence[Item], say: Say) -> None:
    """Delete what the items are about, and verify that it is gone. ZeroJHubError with what is left.

    `kube` may be None if no cluster has any of it.
    """
    say(f"deleting {plural(len(items), 'volume')}")
    if kube:
        bound = await volumes.claimed(kube, namespace)
        there = {each["metadata"]["name"] for each in await kube.list(PERSISTENT_VOLUME)}
        theirs = [each for each in bound if any(each.name == item.persistent_volume for item in items)]
        for volume in theirs:
            await volumes.set_last_policy(kube, volume.name, "Delete")
        await volumes.delete_claims(kube, namespace, theirs)
        for item in items:
            if item.persistent_volume in {each.name for each in theirs}:
                continue
            if item.claim and item.persistent_volume not in there:
                await kube.delete(PERSISTENT_VOLUME_CLAIM, item.claim, namespace, wait=DELETE_TIMEOUT)
            elif item.persistent_volume:
                # Nothing but its claim makes a driver delete it.
                await volumes.set_last_policy(kube, item.persistent_volume, "Retain")
                await kube.delete(PERSISTENT_VOLUME, item.persistent_volume, wait=DELETE_TIMEOUT)
    doomed = {item.volume for item in items if item.volume}
    for volume_id in doomed & await _in_cinder(cloud):
        await leftovers.delete_volume(cloud, volume_id)
    if left := doomed & await _in_cinder(cloud):
        raise ZeroJHubError(f"Cinder still has {', '.join(sorted(left))}", hint="see: openstack volume show")


async def _in_cinder(cloud: Cloud) -> set[str]:
    """The volumes that are there and not being deleted."""
    listed: list[cinder.Volume] = []
    with if_allowed():
        listed = await cinder.volumes(cloud)
    return {each["id"] for each in listed if each["status"] != "deleting"}
