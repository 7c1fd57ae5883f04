"""Every volume of a deployment: what its claims have, what was kept without a cluster, and what no longer fits together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING

import anyio

from zerojhub.data import kept
from zerojhub.data.owner import Owner, recorded, recovered, user_of
from zerojhub.kube import kinds, quantity
from zerojhub.kube.client import KubeError
from zerojhub.kube.labels import SERVERNAME, USER_STORAGE, USERNAME
from zerojhub.kube.nodes import is_ready, server_id
from zerojhub.kube.volumes import cinder_id
from zerojhub.openstack import cinder
from zerojhub.openstack.leftovers import CLUSTER_METADATA, volume_tags
from zerojhub.openstack.session import Cloud, if_allowed
from zerojhub.tasks import gather

if TYPE_CHECKING:
    from zerojhub.deployment import Deployment
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import PersistentVolume, PersistentVolumeClaim
    from zerojhub.openstack.magnum import Cluster

STATS_TIMEOUT = 3
"""Seconds for the kubelets to say how full the volumes are."""


class State(StrEnum):
    """What a volume, or a claim, is there for."""

    in_use = "in use"
    """Attached to a server."""
    idle = "idle"
    """Its user has no server that runs."""
    kept = "kept"
    """No cluster has it; the next `up` gives it back."""
    doubtful = "doubtful"
    """No cluster has it, and it may belong to another hub."""
    orphaned = "orphaned"
    """The hub has no such user."""
    pending = "pending"
    """The claim waits for its volume."""
    no_volume = "claim without volume"
    """The volume that the claim was bound to no longer exists."""
    no_claim = "volume without claim"
    """The cluster's, but none of the hub's claims has it."""


@dataclass(frozen=True)
class Item:
    """A claim with its volume, or one of the two."""

    owner: str
    """The user with the name of a named server, or the claim's name."""
    user: str | None
    """None for the hub's own volume and for claims that are nobody's."""
    server: str
    """The name of the user's server; empty for the default server."""
    claim: str | None
    volume: str | None
    """Cinder's UUID."""
    persistent_volume: str | None
    size_gb: int | None
    used_bytes: int | None
    """None unless it is mounted: only a kubelet can tell."""
    attached_to: str | None
    """The node, or the UUID of a server that is none of the cluster's nodes."""
    last_used: str | None
    """The user's last activity in the hub (ISO 8601)."""
    state: State


@dataclass(frozen=True)
class InKubernetes:
    """What Kubernetes says."""

    claims: Sequence[PersistentVolumeClaim] = ()
    """Those of the hub's namespace."""
    volumes: Sequence[PersistentVolume] = ()
    """Those of the cluster."""
    nodes: Mapping[str, str] = field(default_factory=dict)
    """UUID of a server -> name of the node."""
    attached: Mapping[str, str] = field(default_factory=dict)
    """PersistentVolume -> node."""
    used: Mapping[str, int] = field(default_factory=dict)
    """Claim -> used bytes, of the claims whose volume is mounted."""


@dataclass(frozen=True)
class InCinder:
    """What Cinder says."""

    volumes: Mapping[str, cinder.Volume]
    """By UUID."""
    found: kept.Found
    """Those without a cluster."""
    tags: frozenset[str]
    """What the metadata of the volumes of the deployment's cluster call it."""


async def in_kubernetes(kube: Kube, namespace: str) -> InKubernetes:
    """Ask Kubernetes. Raises KubeError."""
    claims, volumes, attachments, nodes = await gather(
        kube.list(kinds.PERSISTENT_VOLUME_CLAIM, namespace),
        kube.list(kinds.PERSISTENT_VOLUME),
        kube.list(kinds.VOLUME_ATTACHMENT),
        kube.list(kinds.NODE),
    )
    attached = {
        name: each["spec"]["nodeName"]
        for each in attachments
        if (name := each["spec"]["source"].get("persistentVolumeName"))
    }
    ours = {claim["spec"].get("volumeName") for claim in claims}
    mounting = {node for name, node in attached.items() if name in ours}
    used: dict[str, int] = {}

    async def measure(node: str) -> None:
        with suppress(KubeError):
            for pod in (await kube.stats(node))["pods"]:
                for volume in pod.get("volume", []):
                    reference = volume.get("pvcRef")
                    if reference and reference["namespace"] == namespace and "usedBytes" in volume:
                        used[reference["name"]] = volume["usedBytes"]

    with anyio.move_on_after(STATS_TIMEOUT):
        ready = [each["metadata"]["name"] for each in nodes if is_ready(each)]
        await gather(*(measure(name) for name in ready if name in mounting))
    names = {server_id(each): each["metadata"]["name"] for each in nodes}
    return InKubernetes(claims, volumes, names, attached, used)


async def in_cinder(cloud: Cloud, deployment: Deployment, cluster: Cluster | None) -> InCinder | None:
    """Ask Cinder. None where the cloud has none, or the project may not use it. Raises CloudError."""
    listed: list[cinder.Volume] | None = None
    with if_allowed():
        listed = await cinder.volumes(cloud)
    if listed is None:
        return None
    found = await kept.among(cloud, deployment, cluster, listed)
    return InCinder({each["id"]: each for each in listed}, found, frozenset(volume_tags(cluster) if cluster else ()))


def items(
    deployment: Deployment, here: InKubernetes | None, there: InCinder | None, users: Mapping[str, str | None] | None
) -> list[Item]:
    """What the deployment has, by owner.

    `here` is None without a cluster that responds, `there` without Cinder. `users`: the last activity of each of the hub's
    users; None if the hub does not respond.
    """
    found = [*_of_cluster(deployment.namespace, here, there)] if here else []
    if there:
        known = {volume_id for each in here.volumes if (volume_id := cinder_id(each))} if here else set()
        found += _of_cinder(deployment, there, known, here)
    return sorted((_with_user(each, users) for each in found), key=lambda each: (each.owner, each.claim or ""))


def _of_cluster(namespace: str, here: InKubernetes, there: InCinder | None) -> Iterator[Item]:
    volumes = {each["metadata"]["name"]: each for each in here.volumes}
    for claim in here.claims:
        meta, name = claim["metadata"], claim["spec"].get("volumeName")
        annotations = meta.get("annotations", {})
        user = annotations.get(USERNAME)
        if user is None and meta.get("labels", {}).get("component") == USER_STORAGE:
            user = user_of(meta["name"])
        owner = Owner(namespace, meta["name"], user=user, server=annotations.get(SERVERNAME, ""))
        volume = volumes.get(name) if name else None
        if volume is None:
            state = State.no_volume if name or claim["status"].get("phase") == "Lost" else State.pending
            yield _item(owner, state, persistent_volume=name)
            continue
        node = _attached(volume, here, there)
        state = State.in_use if node or meta["name"] in here.used else State.idle
        if there and (volume_id := cinder_id(volume)) and volume_id not in there.volumes:
            state = State.no_volume
        yield _item(owner, state, volume, attached_to=node, used_bytes=here.used.get(meta["name"]))
    bound = {claim["spec"].get("volumeName") for claim in here.claims}
    for name, volume in volumes.items():
        reference = volume["spec"].get("claimRef", {})
        if reference.get("namespace") == namespace and name not in bound:
            owner = Owner(namespace, reference.get("name", ""), user=user_of(reference.get("name", "")))
            if there and (record := there.volumes.get(cinder_id(volume) or "")):
                owner = recorded(record["metadata"]) or owner
            yield _item(owner, State.no_claim, volume, attached_to=_attached(volume, here, there))


def _of_cinder(deployment: Deployment, there: InCinder, known: set[str], here: InKubernetes | None) -> Iterator[Item]:
    """The volumes that the cluster has no PersistentVolume for; all of them if the cluster does not respond."""
    loose = {each.id: State.kept for each in there.found.volumes} | {
        each.id: State.doubtful for each in there.found.doubtful
    }
    owners = {each.id: each.owner for each in (*there.found.volumes, *there.found.doubtful)}
    for volume_id, record in there.volumes.items():
        metadata = record["metadata"]
        owner = owners.get(volume_id) or recorded(metadata) or recovered(metadata)
        if volume_id in known or owner is None:
            continue
        tagged = metadata.get(CLUSTER_METADATA) in there.tags and owner.namespace == deployment.namespace
        if not tagged and owner.deployment != deployment.name and volume_id not in loose:
            continue
        servers = [each["server_id"] for each in record["attachments"]]
        state = State.no_claim
        if here is None and there.tags:
            state = State.in_use if servers else State.idle
        node = (here.nodes if here else {}).get(servers[0], servers[0]) if servers else None
        yield _item(owner, loose.get(volume_id, state), record=record, attached_to=node)


def _item(
    owner: Owner,
    state: State,
    volume: PersistentVolume | None = None,
    *,
    record: cinder.Volume | None = None,
    persistent_volume: str | None = None,
    attached_to: str | None = None,
    used_bytes: int | None = None,
) -> Item:
    size = ceil(quantity.number(volume["spec"]["capacity"]["storage"]) / 2**30) if volume else None
    return Item(
        owner=owner.label,
        user=owner.user,
        server=owner.server,
        claim=owner.claim or None,
        volume=cinder_id(volume) if volume else record["id"] if record else None,
        persistent_volume=volume["metadata"]["name"] if volume else persistent_volume,
        size_gb=record["size"] if record else size,
        used_bytes=used_bytes,
        attached_to=attached_to,
        last_used=None,
        state=state,
    )


def _attached(volume: PersistentVolume, here: InKubernetes, there: InCinder | None) -> str | None:
    """The node that has the volume; Cinder knows of servers that are none of the cluster's nodes."""
    if node := here.attached.get(volume["metadata"]["name"]):
        return node
    record = there.volumes.get(cinder_id(volume) or "") if there else None
    servers = [each["server_id"] for each in record["attachments"]] if record else []
    return here.nodes.get(servers[0], servers[0]) if servers else None


def _with_user(item: Item, users: Mapping[str, str | None] | None) -> Item:
    """With what the hub knows of the user."""
    if users is None or item.user is None:
        return item
    orphaned = item.state is State.idle and item.user not in users
    return replace(item, last_used=users.get(item.user), state=State.orphaned if orphaned else item.state)
