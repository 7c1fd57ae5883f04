"""Giving kept volumes back: a PersistentVolume and a claim for each on the new cluster, and nothing is copied.

A PersistentVolume made by hand is bound to a claim only if both have the same storage class, the volume is large enough and
its claimRef has no UID of an earlier claim. It needs a file system type, because the kubelet does not change the group of
the files on any other, and a zone of the new cluster's nodes. Sources: cloud-provider-openstack, docs/cinder-csi-plugin;
kubernetes-csi.github.io, "Support fsGroup".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from zerojhub.data import claims
from zerojhub.data.kept import KeptVolume, unmark
from zerojhub.errors import ZeroJHubError
from zerojhub.hub.names import HUB_CLAIM, Scheme
from zerojhub.kube import kinds
from zerojhub.kube.client import OURS
from zerojhub.kube.volumes import CINDER, IN_TREE, cinder_id
from zerojhub.openstack import cinder, nova
from zerojhub.tasks import gather
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.data.owner import Owner
    from zerojhub.kube.client import Kube
    from zerojhub.kube.types import Manifest, PersistentVolume, PersistentVolumeClaim
    from zerojhub.openstack.session import Cloud
    from zerojhub.text import Say

ZONE = "topology.cinder.csi.openstack.org/zone"
"""The label of a node with the zone whose volumes it can use."""
PREFIX = "kept-"
"""How the name of a PersistentVolume begins that was made for a kept volume."""
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
AT_ONCE = 8
"""Volumes that are worked on at the same time."""
DETACH_TIMEOUT = 60
"""Seconds for a volume to be detached from a server that is being deleted."""
BIND_TIMEOUT = 60
"""Seconds for Kubernetes to bind a claim."""


@dataclass(frozen=True)
class Hub:
    """The hub that the volumes are given back to."""

    namespace: str
    release: str
    cluster: str
    """The UUID of its cluster."""
    scheme: Scheme
    storage_class: str
    """The class of its users' volumes."""
    hub_storage_class: str
    """The class of its own volume."""
    hub_request_gb: float
    """The GiB that its chart requests for its own volume."""
    reclaim_policies: Mapping[str, str]
    """By class, Delete or Retain: what becomes of the volume of a claim that is deleted."""
    in_tree: bool = False
    """Kubernetes' own Cinder driver attaches its volumes: it is too old for the CSI driver."""
    has_accounts: bool = False
    """It has its accounts already: it was given its own volume back earlier, or its database is outside of the cluster."""


@dataclass(frozen=True)
class Return:
    """A volume, and the name of the claim that is to have it."""

    volume: KeptVolume
    claim: str
    zones: tuple[str, ...]
    """Of nodes that can use it; empty if the nodes have no zones."""
    leaving: bool = False
    """A server that has been deleted still has it."""


@dataclass(frozen=True)
class Decision:
    """What is to be given back, and why the rest is not."""

    returns: list[Return] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class There:
    """What there is already."""

    claims: Mapping[str, PersistentVolumeClaim]
    """Those of the namespace, by name."""
    volumes: Mapping[str, PersistentVolume]
    """Those of the cluster, by the UUID of the volume in Cinder."""
    servers: Collection[str]
    """The UUIDs of the project's servers."""
    node_zones: Collection[str]
    cinder_zones: Collection[str]


def is_hub(volume: KeptVolume) -> bool:
    """Is it the hub's own volume?"""
    return volume.owner.user is None and volume.owner.claim.endswith(HUB_CLAIM)


def claim_name(owner: Owner, scheme: Scheme, *, accounts: bool) -> str:
    """The name by which KubeSpawner will look for the owner's claim.

    `accounts`: the hub has its database, in which KubeSpawner 7 has noted the name of each claim.
    """
    if owner.user is None or (accounts and owner.safe and scheme.safe and owner.claim):
        return owner.claim
    try:
        return scheme.claim(owner.user, owner.server)
    except (KeyError, ValueError, IndexError):  # the template names something else, such as the user's number
        return owner.claim


def decide(kept: Sequence[KeptVolume], hub: Hub, there: There) -> Decision:
    """Which of the kept volumes can be given back."""
    own = _decide([each for each in kept if is_hub(each)], hub, there, accounts=False)
    users = [each for each in kept if not is_hub(each)]
    rest = _decide(users, hub, there, accounts=hub.has_accounts or bool(own.returns) or _has_accounts(hub, there))
    return Decision(own.returns + rest.returns, own.problems + rest.problems)


def _decide(kept: Sequence[KeptVolume], hub: Hub, there: There, *, accounts: bool) -> Decision:
    decision = Decision()
    wanted = [(volume, claim_name(volume.owner, hub.scheme, accounts=accounts)) for volume in kept]
    of_claim: dict[str, list[KeptVolume]] = {}
    for volume, claim in wanted:
        of_claim.setdefault(claim, []).append(volume)
    for volume, claim in wanted:
        zones, problem = _zones(volume, there)
        problem = _misfit(volume, claim, hub, there) or _not_the_last(volume, claim, of_claim[claim]) or problem
        if problem:
            decision.problems.append(f"volume {volume.id} of {volume.owner.label}, {volume.size_gb} GB: {problem}")
        else:
            decision.returns.append(Return(volume, claim, zones, _is_leaving(volume, there)))
    return decision


def _has_accounts(hub: Hub, there: There) -> bool:
    """Has the hub been given its own volume back by an earlier run that was interrupted?"""
    for volume in there.volumes.values():
        reference = volume["spec"].get("claimRef", {})
        ours = volume["metadata"]["name"].startswith(PREFIX)
        if ours and reference.get("namespace") == hub.namespace and reference.get("name", "").endswith(HUB_CLAIM):
            return True
    return False


def _not_the_last(volume: KeptVolume, claim: str, all_of_it: Sequence[KeptVolume]) -> str | None:
    """Why the claim gets another one of these volumes, or none. Of two that it had last, the one that had its name."""

    def rank(each: KeptVolume) -> tuple[str, bool]:
        return each.since, each.owner.claim == claim

    last = max(map(rank, all_of_it))
    chosen = [each for each in all_of_it if rank(each) == last]
    if len(chosen) > 1 and volume in chosen:
        return "there is another volume of the same owner"
    return None if volume in chosen else f"volume {chosen[0].id} of the same owner was used later"


def _is_leaving(volume: KeptVolume, there: There) -> bool:
    return volume.id not in there.volumes and volume.status != cinder.AVAILABLE


def _misfit(volume: KeptVolume, claim: str, hub: Hub, there: There) -> str | None:
    """Why the claim cannot have the volume; None if it can."""
    if volume.owner.namespace != hub.namespace:
        return f"it was in namespace {volume.owner.namespace}, and the hub is in {hub.namespace}"
    if not claim:
        return "nothing tells which claim had it"
    current = there.volumes.get(volume.id)
    reference = current["spec"].get("claimRef", {}) if current else {}
    if reference and reference.get("namespace") != hub.namespace:
        return f"claim {reference.get('name')} in namespace {reference.get('namespace')} has it"
    has = there.claims.get(claim)
    if has and (current is None or has["spec"].get("volumeName") != current["metadata"]["name"]):
        return f"claim {claim} already has another volume"
    if _is_reserved(claim, volume, hub, there):
        return f"another volume is reserved for claim {claim}"
    if current is None and volume.status != cinder.AVAILABLE:
        using = [server for server in volume.servers if server in there.servers]
        if using:
            return f"server {using[0]} uses it"
        if volume.status not in ("in-use", "detaching"):
            return f"its status is {volume.status}"
    if is_hub(volume) and hub.hub_request_gb > volume.size_gb:
        return f"hub.db.pvc.storage in the values asks for {hub.hub_request_gb:g} GiB"
    return None


def _is_reserved(claim: str, volume: KeptVolume, hub: Hub, there: There) -> bool:
    """Will the claim get another volume when it is created? The hub's own claim is created by its release only."""
    references = [each["spec"].get("claimRef", {}) for id, each in there.volumes.items() if id != volume.id]
    return any(
        (each.get("namespace"), each.get("name"), each.get("uid")) == (hub.namespace, claim, None)
        for each in references
    )


def _zones(volume: KeptVolume, there: There) -> tuple[tuple[str, ...], str | None]:
    """The zones of nodes that can use it, and why none can."""
    if volume.zone in there.node_zones:
        return (str(volume.zone),), None
    if set(there.node_zones) & set(there.cinder_zones):
        return (), f"it is in zone {volume.zone}, and the cluster's nodes are in {', '.join(sorted(there.node_zones))}"
    return tuple(sorted(there.node_zones)), None  # Nova and Cinder name their zones differently


async def look(
    kube: Kube, cloud: Cloud, kept: Sequence[KeptVolume], hub: Hub, *, but: Collection[str] = ()
) -> Decision:
    """Decide for the cluster as it is now; `but`: as if it did not have these volumes, by their UUIDs in Cinder."""
    claims, volumes, nodes = await gather(
        kube.list(kinds.PERSISTENT_VOLUME_CLAIM, hub.namespace),
        kube.list(kinds.PERSISTENT_VOLUME),
        kube.list(kinds.NODE),
    )
    node_zones = {zone for node in nodes if (zone := node["metadata"].get("labels", {}).get(ZONE))}
    there = There(
        claims={each["metadata"]["name"]: each for each in claims},
        volumes={volume_id: each for each in volumes if (volume_id := cinder_id(each)) and volume_id not in but},
        servers={server["id"] for server in await nova.servers(cloud)} if any(each.servers for each in kept) else (),
        node_zones=node_zones,
        cinder_zones=await cinder.zones(cloud) if any(each.zone not in node_zones for each in kept) else (),
    )
    return decide(kept, hub, there)


async def give_back(kube: Kube, cloud: Cloud, returns: Sequence[Return], hub: Hub, say: Say) -> None:
    """Have claims bound to the volumes. Repeatable. TimedOut if Kubernetes does not bind one."""
    limit, done = anyio.CapacityLimiter(AT_ONCE), 0

    async def give_one(each: Return) -> None:
        nonlocal done
        async with limit:
            if each.leaving:
                await _detached(cloud, each.volume)
            await _bind(kube, each, hub)
            await unmark(cloud, each.volume.id, hub.cluster)
            done += 1
            say(f"{done} of {len(returns)} volumes: {each.volume.owner.label}, {each.volume.size_gb} GB")

    await gather(*map(give_one, returns))


async def _detached(cloud: Cloud, volume: KeptVolume) -> None:
    """Wait for the server that was deleted with the old cluster."""

    async def is_available() -> bool | NotYet:
        listed = await cinder.volumes(cloud)
        status = next((each["status"] for each in listed if each["id"] == volume.id), cinder.AVAILABLE)
        return True if status == cinder.AVAILABLE else NotYet(f"volume {volume.id} is {status}")

    with suppress(TimedOut):  # the driver waits for it as well, and says what it waits for
        await wait_until(is_available, timeout=DETACH_TIMEOUT, pause=(1, 3))


async def _bind(kube: Kube, each: Return, hub: Hub) -> None:
    name = await _volume(kube, each, hub)
    if is_hub(each.volume):
        return  # the release creates the claim, which gets the volume because that is reserved for it
    if await kube.get(kinds.PERSISTENT_VOLUME_CLAIM, each.claim, hub.namespace) is None:
        await kube.create(kinds.PERSISTENT_VOLUME_CLAIM, claim_manifest(each, name, hub))
    await _bound(kube, each.claim, hub.namespace)


async def _bound(kube: Kube, name: str, namespace: str) -> None:
    """Wait until the claim is bound. TimedOut if it is not."""

    async def is_bound() -> bool | NotYet:
        claim = await kube.get(kinds.PERSISTENT_VOLUME_CLAIM, name, namespace)
        phase = claim["status"].get("phase") if claim else "not there"
        return True if phase == "Bound" else NotYet(f"claim {name} is {phase}")

    await wait_until(is_bound, timeout=BIND_TIMEOUT, pause=(0.2, 2))


async def claim_for_hub(kube: Kube, name: str, release: str, hub: Hub) -> None:
    """Claim the hub's own volume as its release would, before the hub starts.

    ZeroJHubError if no volume is reserved for the claim: it would get a new one, without accounts.
    """
    reserved = [
        each["metadata"]["name"]
        for each in await kube.list(kinds.PERSISTENT_VOLUME)
        if (reference := each["spec"].get("claimRef", {})).get("namespace") == hub.namespace
        and reference.get("name") == name
    ]
    if not reserved:
        raise ZeroJHubError(f"the hub's own volume, for claim {name}, is not there", hint="see: zerojhub data list")
    manifest = claims.hub_manifest(hub, name, release)
    manifest["spec"]["volumeName"] = reserved[0]
    await kube.create(kinds.PERSISTENT_VOLUME_CLAIM, manifest)
    await _bound(kube, name, hub.namespace)


async def _volume(kube: Kube, each: Return, hub: Hub) -> str:
    """The name of its PersistentVolume, which is created or made free for the claim."""
    listed = await kube.list(kinds.PERSISTENT_VOLUME)
    current = next((volume for volume in listed if cinder_id(volume) == each.volume.id), None)
    if current is None:
        manifest = volume_manifest(each, hub)
        await kube.create(kinds.PERSISTENT_VOLUME, manifest)
        return str(manifest["metadata"]["name"])
    name = current["metadata"]["name"]
    bound = await kube.get(kinds.PERSISTENT_VOLUME_CLAIM, each.claim, hub.namespace)
    spec: dict[str, object] = {"persistentVolumeReclaimPolicy": _policy(each, hub)}
    if bound is None:
        spec["claimRef"] = {"name": each.claim, "namespace": hub.namespace, "uid": None, "resourceVersion": None}
        spec["storageClassName"] = _class(each, hub)
        # A volume that its claim has left is deleted by the policy Delete, unless it is free first.
        await kube.merge(
            kinds.PERSISTENT_VOLUME, name, None, {"spec": spec | {"persistentVolumeReclaimPolicy": "Retain"}}
        )
        await wait_until(lambda: _is_free(kube, name), timeout=BIND_TIMEOUT, pause=(0.2, 2))
    await kube.merge(kinds.PERSISTENT_VOLUME, name, None, {"spec": spec})
    return name


async def _is_free(kube: Kube, name: str) -> bool | NotYet:
    volume = await kube.get(kinds.PERSISTENT_VOLUME, name)
    phase = volume.get("status", {}).get("phase") if volume else "gone"
    return NotYet(f"PersistentVolume {name} is {phase}") if phase in ("Released", "Failed") else True


def volume_manifest(each: Return, hub: Hub) -> Manifest:
    """The PersistentVolume, reserved for the claim."""
    spec: dict[str, object] = {
        "accessModes": ["ReadWriteOnce"],
        "capacity": {"storage": f"{each.volume.size_gb}Gi"},
        "claimRef": {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": hub.namespace,
            "name": each.claim,
        },
        **_source(each.volume, hub),
        "persistentVolumeReclaimPolicy": _policy(each, hub),
        "storageClassName": _class(each, hub),
        "volumeMode": "Filesystem",
    }
    if each.zones:
        zones = {"key": ZONE, "operator": "In", "values": list(each.zones)}
        spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [zones]}]}}
    provisioner = IN_TREE if hub.in_tree else CINDER
    meta = {"name": f"{PREFIX}{each.volume.id}", "labels": OURS, "annotations": {PROVISIONED_BY: provisioner}}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": spec}


def _source(volume: KeptVolume, hub: Hub) -> dict[str, object]:
    """What the PersistentVolume says about the driver."""
    if hub.in_tree:
        return {"cinder": {"volumeID": volume.id, "fsType": volume.owner.file_system}}
    return {"csi": {"driver": CINDER, "volumeHandle": volume.id, "fsType": volume.owner.file_system}}


def claim_manifest(each: Return, volume: str, hub: Hub) -> Manifest:
    """The claim, as the hub's KubeSpawner would have created it."""
    owner = each.volume.owner
    made = claims.manifest(hub, each.claim, owner.user, owner.server, f"{each.volume.size_gb}Gi")
    made["spec"] |= {"storageClassName": _class(each, hub), "volumeName": volume}
    return made


def _class(each: Return, hub: Hub) -> str:
    return hub.hub_storage_class if is_hub(each.volume) else hub.storage_class


def _policy(each: Return, hub: Hub) -> str:
    return hub.reclaim_policies.get(_class(each, hub), "Delete")
