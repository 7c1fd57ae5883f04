"""The volumes that were kept when their cluster was deleted, found in Cinder."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from zerojhub.data.owner import (
    CLUSTER,
    DEPLOYMENT,
    GIVEN_BACK,
    KEPT,
    RECORDED,
    Owner,
    recorded,
    recovered,
)
from zerojhub.deployment import Deployment
from zerojhub.hub.names import HUB_CLAIM
from zerojhub.openstack import cinder, leftovers, magnum
from zerojhub.openstack.clusters import OWNER_LABEL
from zerojhub.openstack.session import Cloud, if_allowed

TO_THE_SECOND = len("2026-11-28T10:00:00")


@dataclass(frozen=True)
class KeptVolume:
    """A volume without a cluster, and whose it is."""

    id: str
    name: str
    size_gb: int
    status: str
    zone: str | None
    """Its availability zone."""
    servers: tuple[str, ...]
    """The UUIDs of the servers that it is attached to."""
    owner: Owner
    since: str = ""
    """The last time that a cluster is known to have had it (ISO 8601, in UTC, to the second)."""

    @property
    def brief(self) -> leftovers.KeptVolume:
        """For reports."""
        return leftovers.KeptVolume(self.id, self.name, self.size_gb, self.owner.label)


@dataclass(frozen=True)
class Found:
    """What there is of a deployment's volumes without a cluster."""

    volumes: list[KeptVolume]
    doubtful: list[KeptVolume]
    """Those that may belong to another deployment: nothing tells whose the namespace was."""
    has_accounts: bool = False
    """The deployment's cluster has been given the hub's own volume back."""


async def find(cloud: Cloud, deployment: Deployment, cluster: magnum.Cluster | None) -> Found:
    """The deployment's kept volumes, in the order of their owners. None where the cloud has no Cinder.

    `cluster`: the deployment's own, if there is one.
    """
    listed: list[cinder.Volume] = []
    with if_allowed():
        listed = await cinder.volumes(cloud)
    return await among(cloud, deployment, cluster, listed)


async def among(
    cloud: Cloud, deployment: Deployment, cluster: magnum.Cluster | None, listed: Sequence[cinder.Volume]
) -> Found:
    """Those of the project's volumes that are the deployment's kept volumes."""
    own = leftovers.volume_tags(cluster) if cluster else set()
    has_accounts = False
    marked: list[KeptVolume] = []
    in_a_cluster: list[KeptVolume] = []
    unmarked: list[KeptVolume] = []
    for volume in listed:
        metadata = volume["metadata"]
        if owner := recorded(metadata):
            if owner.deployment == deployment.name and (KEPT in metadata or owner.cluster not in own):
                (marked if KEPT in metadata else in_a_cluster).append(as_kept(volume, owner))
            elif owner.deployment == deployment.name:
                has_accounts |= owner.user is None and owner.claim.endswith(HUB_CLAIM)
        elif (owner := recovered(metadata)) and owner.namespace == deployment.namespace and owner.cluster not in own:
            unmarked.append(as_kept(volume, owner))
    others = {volume["metadata"].get(DEPLOYMENT) for volume in listed} - {None, deployment.name}
    doubtful: list[KeptVolume] = []
    if unmarked or in_a_cluster:
        clusters = await magnum.clusters(cloud)
        others |= {each["labels"].get(OWNER_LABEL) for each in clusters} - {None, deployment.name}
        there = {tag for each in clusters for tag in leftovers.volume_tags(each)}
        # A cluster can be deleted without `down`.
        marked += [each for each in in_a_cluster if each.owner.cluster not in there]
        unmarked = [each for each in unmarked if each.owner.cluster not in there]
        named = deployment.hub.namespace is None  # after the deployment
        certain = len({each.owner.cluster for each in unmarked}) == 1 and (named or not others)
        if not certain or any(_says_nothing(each.owner.cluster) for each in unmarked):
            doubtful, unmarked = unmarked, []

    def order(volume: KeptVolume) -> tuple[str, str]:
        return volume.owner.label, volume.since

    return Found(sorted([*marked, *unmarked], key=order), sorted(doubtful, key=order), has_accounts)


async def mark(cloud: Cloud, volume_id: str, owner: Owner, *, since: str = "", had: Collection[str] = ()) -> None:
    """Record in Cinder that the volume is kept, and whose it is.

    `since`: as in `KeptVolume`, if not until now. `had`: the keys of its metadata if it may have been somebody else's, of whom
    nothing stays.
    """
    wanted = owner.metadata() | leftovers.KEEP | {KEPT: since or now(cloud)}
    await cinder.set_metadata(cloud, volume_id, wanted)
    for key in RECORDED:
        if key in had and key not in wanted:
            await cinder.delete_metadata(cloud, volume_id, key)


def now(cloud: Cloud) -> str:
    """What is recorded as the time at which a volume is kept (ISO 8601). Cinder's: such times are compared."""
    return cloud.volume.clock.now().isoformat(timespec="seconds")


async def unmark(cloud: Cloud, volume_id: str, cluster: str) -> None:
    """Record that the cluster has it now."""
    await cinder.set_metadata(cloud, volume_id, {CLUSTER: cluster, GIVEN_BACK: now(cloud)})
    await cinder.delete_metadata(cloud, volume_id, KEPT)


async def mark_rest(cloud: Cloud, cluster: magnum.Cluster, deployment: Deployment) -> None:
    """Mark the volumes of the cluster that nobody could mark through Kubernetes, because it does not respond.

    If it does respond, no claim has them any more. So all that is known is that they were in use when they were created.
    """
    for volume in await leftovers.volumes(cloud, cluster):
        owner = recovered(volume["metadata"])
        if owner and owner.namespace == deployment.namespace and KEPT not in volume["metadata"]:
            known = recorded(volume["metadata"]) or owner
            marked = replace(known, deployment=deployment.name, cluster=cluster["uuid"])
            await mark(cloud, volume["id"], marked, since=_last(volume))


def _last(volume: cinder.Volume) -> str:
    """The last time that a cluster is known to have had it."""
    metadata = volume["metadata"]
    return metadata.get(KEPT) or metadata.get(GIVEN_BACK) or volume["created_at"]


def as_kept(volume: cinder.Volume, owner: Owner) -> KeptVolume:
    """The volume, of that owner."""
    return KeptVolume(
        volume["id"],
        volume["name"] or "",
        volume["size"],
        volume["status"],
        volume["availability_zone"],
        tuple(each["server_id"] for each in volume["attachments"]),
        owner,
        _last(volume)[:TO_THE_SECOND],
    )


def _says_nothing(tag: str) -> bool:
    """Is it what Magnum's Heat drivers call every cluster?"""
    return tag in ("", "kubernetes")
