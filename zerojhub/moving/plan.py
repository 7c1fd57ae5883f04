"""What a move is about: who moves, how the two clusters differ, how far it is, and what cannot work."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from semver import Version

from zerojhub.data import handover, reattach
from zerojhub.data.handover import Leaving
from zerojhub.data.inventory import State as VolumeState
from zerojhub.data.kept import KeptVolume, as_kept
from zerojhub.data.owner import KEPT, recorded
from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.hub.authenticators import OAUTH
from zerojhub.hub.charts import at
from zerojhub.hub.values import authenticator
from zerojhub.moving import stop
from zerojhub.moving.sides import Side
from zerojhub.openstack import cinder
from zerojhub.openstack.clusters import OWNER_LABEL
from zerojhub.stages import Access, Cluster, Endpoint, StorageClass, Template, Values
from zerojhub.stages.chart import names_are_safe
from zerojhub.stages.kept_address import KEEP
from zerojhub.stages.values import kubernetes_of
from zerojhub.stages.volumes import hub_of
from zerojhub.text import plural

if TYPE_CHECKING:
    from zerojhub.deployment import Deployment
    from zerojhub.hub.charts import ChartValues
    from zerojhub.hub.release import InstalledRelease

DOWNTIME, EACH, COPIED_EACH = 60, 2, 10
"""Seconds without a hub that a move is expected to take: altogether, for each person, and for each one who is copied."""
USABLE = {cinder.AVAILABLE, "in-use", "attaching", "detaching"}
"""The statuses of a volume that can move, by itself or once its pod has stopped."""


class Progress(StrEnum):
    """How far the move is."""

    to_do = "to do"
    under_way = "under way"
    """The hub is at a standstill, or volumes are without a cluster."""
    moved = "moved"
    """The hub runs on the new cluster; --back is possible."""
    finished = "finished"
    """The old deployment is gone."""


class Place(StrEnum):
    """Where a volume is."""

    old = "old cluster"
    between = "between"
    new = "new cluster"
    copied = "copied"
    """On the old cluster, and the new one has a copy of what is on it."""


@dataclass(frozen=True)
class Moving:
    """A volume of the move."""

    owner: str
    size_gb: int
    volume: str
    """Cinder's UUID, or the PersistentVolume's name for one of another kind."""
    place: Place


@dataclass(frozen=True)
class Difference:
    """Something that is not the same in both deployments."""

    what: str
    old: str
    new: str


@dataclass(frozen=True)
class Plan:
    """What a look at both deployments has found."""

    progress: Progress
    volumes: list[Moving]
    differences: list[Difference]
    remarks: list[str]
    """What else people should know before."""
    problems: list[ZeroJHubError] = field(default_factory=list)
    """Why it cannot work."""
    through: str | None = None
    """The place of the backups through which everything is copied; None if the volumes themselves move."""

    @property
    def people(self) -> list[str]:
        """Whose volumes move."""
        return list(dict.fromkeys(each.owner for each in self.volumes))

    @property
    def downtime_seconds(self) -> int:
        """What is expected."""
        return DOWNTIME + (COPIED_EACH if self.through else EACH) * len(self.people)

    @property
    def size_gb(self) -> int:
        """Of all volumes."""
        return sum(each.size_gb for each in self.volumes)

    def refuse(self) -> None:
        """Raises Problems if it cannot work."""
        if self.problems:
            raise Problems(self.problems)


def refuse_alike(old: Deployment, new: Deployment, *, copy: bool = False) -> None:
    """UserError unless these are two deployments whose parts cannot be mistaken for one another's.

    `copy`: those in two clouds never are, because nothing of the one gets into the other.
    """
    if copy and old.cloud != new.cloud:
        return
    if old.name == new.name:
        other = (
            "or add --copy, if it is in another cloud" if old.cloud != new.cloud else "hub.namespace can stay as it is"
        )
        raise UserError(
            f"both deployments are named {old.name}, by which zerojhub tells their clusters and volumes apart",
            where=new.where("name"),
            hint=f"give the new one another name; {other}",
        )
    if (old.cluster_name, old.namespace) == (new.cluster_name, new.namespace):
        raise UserError(
            f"both deployments are on cluster {old.cluster_name} in namespace {old.namespace}",
            where=new.where("cluster"),
            hint="move to another cluster, or to another namespace",
        )


async def make(old: Side, new: Side) -> Plan:
    """Look at everything that a move depends on. Changes nothing. ZeroJHubError if the old cluster does not respond."""
    if new.copied_from == old.name:
        raise UserError(
            f"files of {old.name} were copied to {new.name} by an earlier run with --copy",
            hint=f"give --copy again, or delete what was copied: zerojhub down --delete-data -f {new.run.deployment.path}",
        )
    going = await leaving(old, new)
    moving = where(going, await cinder.volumes(old.run.cloud), old.name, new.name)
    if all(each.place is not Place.new for each in moving):
        old.data.require_answers()
    progress = how_far(old, new, moving)
    problems = other_project(old, new) + structural(old, new, merged_values(new) if Values in new.found else None)
    if progress is Progress.to_do:
        old.require_release()
        problems += in_the_way(old, new)
        problems += [UserError(text) for text in unusable(going)]
        problems += await other_pods(old)
        if project(old) == project(new):
            problems += [UserError(text) for text in await misfits(new, going)]
    return Plan(progress, moving, differences(old, new), remarks(old, new), problems)


async def other_pods(old: Side) -> list[ZeroJHubError]:
    """Pods that use volumes, and are none of the hub's."""
    if old.data.kube is None:
        return []
    others = stop.others_of(await stop.users_of_volumes(old.data.kube, old.namespace))
    return [UserError(f"pod {name} uses a volume; delete it first") for name in others]


async def leaving(source: Side, target: Side) -> list[Leaving]:
    """The volumes that the source's cluster has, as the target would get them; none without a cluster that responds."""
    if source.data.kube is None:
        return []
    safe = names_are_safe(source.installed) if source.installed else None
    return await handover.leaving(source.data.kube, source.run.cloud, source.party, target.party, safe=safe)


def where(going: Sequence[Leaving], listed: Sequence[cinder.Volume], old: str, new: str) -> list[Moving]:
    """Every volume of the move, in the order of their owners."""
    found = {each.volume.id: _row(each.volume, Place.old) for each in going}
    for volume in listed:
        owner = recorded(volume["metadata"])
        if owner is None or volume["id"] in found:
            continue
        if handover.is_between(volume, new, old) or handover.is_between(volume, old, new):
            found[volume["id"]] = _row(as_kept(volume, owner), Place.between)
        elif handover.was_moved(volume, new, old) and KEPT not in volume["metadata"]:
            found[volume["id"]] = _row(as_kept(volume, owner), Place.new)
    return sorted(found.values(), key=lambda each: each.owner)


def _row(volume: KeptVolume, place: Place) -> Moving:
    return Moving(volume.owner.label, volume.size_gb, volume.id, place)


def how_far(old: Side, new: Side, moving: Sequence[Moving]) -> Progress:
    """How far the move is."""
    places = {each.place for each in moving}
    if places <= {Place.new} and new.moved_to is None and new.data.running.url:
        if old.moved_to == new.name or (places and remains(old, new)):
            return Progress.moved
        if places and old.installed is None:
            return Progress.finished
    return Progress.under_way if old.moved_to == new.name or Place.between in places else Progress.to_do


def remains(old: Side, new: Side) -> bool:
    """Is there still a cluster that was created for the old deployment, and for no other, although the hub is gone?"""
    cluster = old.data.cluster
    if cluster is None or old.installed or cluster["uuid"] == new.party.cluster:
        return False
    return cluster["labels"].get(OWNER_LABEL) == old.name


def other_project(old: Side, new: Side) -> list[ZeroJHubError]:
    """That the volumes cannot be used where the new cluster is."""
    if project(old) == project(new):
        return []
    return [
        UserError(
            f"{new.name} is in another project or region than {old.name}, and volumes cannot be moved there",
            where=new.run.deployment.where("cloud"),
            hint="add --copy: then the files go there through backups",
        )
    ]


def structural(old: Side, new: Side, values: ChartValues | None) -> list[ZeroJHubError]:
    """What cannot work, however far the move is. `values`: the new hub's, merged; None if its chart is not known."""
    found: list[ZeroJHubError] = []
    if old.moved_to not in (None, new.name):
        found.append(
            UserError(
                f"the hub of {old.name} moves to {old.moved_to}, not to {new.name}", hint="finish that move first"
            )
        )
    rendered = new.found.get(Values)
    if not old.installed or not rendered or values is None:
        return found
    if is_older(old.installed.chart, f"{rendered.chart.name}-{rendered.chart.version}"):
        found.append(
            UserError(
                f"the hub has chart {old.installed.chart}, and {new.name} an older one, {rendered.chart.version}:"
                " a hub cannot read the accounts of a newer one",
                where=new.run.deployment.where("hub", "version"),
            )
        )
    return found + _accounts(old, new, old.installed, values)


def _accounts(old: Side, new: Side, installed: InstalledRelease, values: ChartValues) -> list[ZeroJHubError]:
    """What keeps the new hub from using the accounts, and the servers, that are noted in the old one's database."""
    found: list[ZeroJHubError] = []
    kinds = [at(each, "hub", "db", "type") or "sqlite-pvc" for each in (installed.values, values)]
    place = new.run.deployment.where("hub")
    if kinds[0] != kinds[1]:
        found.append(UserError(f"the hub keeps its accounts in {kinds[0]}, and {new.name} in {kinds[1]}", where=place))
    elif kinds[0] not in ("sqlite-pvc", "sqlite-memory") and old.namespace != new.namespace:
        hint = f"set hub.namespace: {old.namespace}"
        found.append(UserError("the database notes the namespace of each server", where=place, hint=hint))
    prefixes = [str(at(each, "fullnameOverride") or "") for each in (installed.values, values)]
    if prefixes[0] != prefixes[1]:
        found.append(
            UserError(
                f"fullnameOverride was {prefixes[0] or 'empty'}, and is {prefixes[1] or 'empty'}: the new hub would look"
                " for its accounts on a volume of another name",
                where=place,
                hint="leave it as it was",
            )
        )
    if at(installed.values, "hub", "config", "KubeSpawner", "enable_user_namespaces"):
        found.append(UserError("every user has a namespace of their own, which zerojhub cannot move"))
    return found


def is_older(installed: str, wanted: str) -> bool:
    """Is the wanted chart older than the installed one? Both are a name and a version."""
    versions = [re.fullmatch(r"(.+)-(\d+\.\d+\.\d+.*)", each) for each in (installed, wanted)]
    if not all(versions) or versions[0][1] != versions[1][1]:  # type: ignore[index]  # neither is None
        return False
    old, new = (Version.parse(each[2]) for each in versions if each)
    return bool(new < old)


def unusable(going: Sequence[Leaving]) -> list[str]:
    """Volumes whose status in Cinder keeps them from being attached anywhere."""
    return [
        f"volume {each.volume.id} of {each.volume.owner.label} has status {each.volume.status}: repair it first"
        for each in going
        if each.volume.status not in USABLE
    ]


async def misfits(new: Side, going: Sequence[Leaving]) -> list[str]:
    """Why the new cluster cannot have some of the volumes. Nothing is known before there is that cluster."""
    if any(need not in new.found for need in (Cluster, Access, StorageClass, Values)) or not going:
        return []
    kept = [as_detached(each.volume) for each in going]
    hub = await hub_of(new.found)
    decided = await reattach.look(new.kube, new.run.cloud, kept, hub, but={each.id for each in kept})
    return decided.problems


def as_detached(volume: KeptVolume) -> KeptVolume:
    """The volume as it is when nobody uses it any more."""
    return KeptVolume(
        volume.id, volume.name, volume.size_gb, cinder.AVAILABLE, volume.zone, (), volume.owner, volume.since
    )


def in_the_way(old: Side, new: Side) -> list[ZeroJHubError]:
    """A hub, or claims, that the new cluster has already; not those of an earlier move that was undone, or of a rehearsal."""
    if old.name in (new.moved_to, new.rehearsal_of):
        return []
    claims = new.data.here.claims if new.data.here else ()
    hint = f"delete them, with whatever is on their volumes: zerojhub down --delete-data -f {new.run.deployment.path}"
    if new.installed:
        return [UserError(f"{new.name} already has a hub, with accounts of its own", hint=hint)]
    if claims:
        return [UserError(f"{new.name} already has {plural(len(claims), 'claim')}", hint=hint)]
    return []


def differences(old: Side, new: Side) -> list[Difference]:
    """What will not be as it was."""
    was, will = old.found, new.found
    rendered, template = will.get(Values), will.get(Template)
    planned = kubernetes_of(will, template) if template else None
    pairs = {
        "cluster": (old.run.deployment.cluster_name, new.run.deployment.cluster_name),
        "Kubernetes": (
            was[Access].version if Access in was else None,
            will[Access].version if Access in will else planned,
        ),
        "road": (was[Access].road if Access in was else None, will[Access].road if Access in will else None),
        "chart": (
            old.installed.chart if old.installed else None,
            f"{rendered.chart.name}-{rendered.chart.version}" if rendered else None,
        ),
        "namespace": (old.namespace, new.namespace),
        "storage class": (was.get(StorageClass), will.get(StorageClass)),
        "address": (was.get(Endpoint), will.get(Endpoint) or _address(new)),
    }
    return [Difference(what, a or "unknown", b or "unknown") for what, (a, b) in pairs.items() if a != b]


def _address(new: Side) -> str:
    wanted = new.run.deployment.hub
    scheme = "https" if wanted.https else "http"
    return f"{scheme}://{wanted.host}/" if wanted.host else "a new one"


def remarks(old: Side, new: Side, *, copied: bool = False) -> list[str]:
    """What else people should know before. `copied`: files are, so it does not matter what kind of volume they are on."""
    found = []
    host = new.run.deployment.hub.host
    if host and host == old.run.deployment.hub.host:
        found.append(
            f"{host} must resolve to the new address when the hub has moved: lower the TTL of its DNS record, unless"
            " zerojhub has created that"
        )
    if new.found.get(Values):
        values = merged_values(new)
        if (authenticator(values) or "") in {name.replace("-", "") for name in OAUTH} and not (
            host and host == old.run.deployment.hub.host
        ):
            found.append("register the new address with the provider that people log in with, or nobody can log in")
        found += _about_the_address(old, new, wanted_addresses(new, values))
    lost = [each for each in old.data.items if each.state in (VolumeState.no_volume, VolumeState.pending)]
    if lost:
        found.append(f"{plural(len(lost), 'claim')} without a volume: {', '.join(each.owner for each in lost)}")
    foreign = [each for each in old.data.items if each.claim and not each.volume and each not in lost]
    if foreign and not copied:
        names = ", ".join(str(each.claim) for each in foreign)
        found.append(f"not in Cinder, so to be set up by yourself: {names}")
    apart = [each for each in old.data.items if each.state in (VolumeState.kept, VolumeState.no_claim)]
    if apart:
        found.append(f"stays with {old.name}, because no claim has it: {', '.join(str(each.volume) for each in apart)}")
    return found


def wanted_addresses(side: Side, values: ChartValues) -> set[str]:
    """What a side asks for as the address of its hub's load balancer: `keep`, floating IPs, or nothing."""
    return set(filter(None, (side.run.deployment.hub.address, at(values, "proxy", "service", "loadBalancerIP"))))


def _about_the_address(old: Side, new: Side, wanted: set[str]) -> list[str]:
    if old.installed is None or not wanted:
        return []
    had = wanted_addresses(old, old.installed.values)
    if both := wanted & had:
        known = (had if KEEP in both else both) - {KEEP}
        return [" ".join(["the hub keeps its address", *known])]
    if KEEP in wanted:
        return [f"the hub gets a new address; to keep its present one, set hub.address: {KEEP} for {old.name}, too"]
    return []


def merged_values(side: Side) -> ChartValues:
    """The hub's values with those of its chart."""
    return side.found[Values].merged()


def project(side: Side) -> tuple[str | None, str | None]:
    """The project and the region."""
    cloud = side.run.cloud
    return cloud.project_id, cloud.region.get_region_name(cloud.volume.type)
