"""Saying whose a volume is, so that it is given to them as if it had been kept for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zerojhub.data.inventory import InCinder, InKubernetes, Item, State
from zerojhub.data.owner import Owner, recorded, recovered
from zerojhub.errors import UserError
from zerojhub.kube.volumes import cinder_id
from zerojhub.openstack import cinder, names

if TYPE_CHECKING:
    from zerojhub.openstack.cinder import Volume


@dataclass(frozen=True)
class Adoption:
    """What is going to be recorded."""

    volume: Volume
    owner: Owner
    taken_from: str | None
    """Whose it has been; None if it has been nobody's, or the new owner's."""
    item: Item | None
    """What the deployment has of it already."""


def plan(wanted: str, owner: Owner, items: Sequence[Item], here: InKubernetes | None, there: InCinder) -> Adoption:
    """Check that the volume, by name or UUID, can be the owner's. UserError if it cannot."""
    volume = names.one("volume", wanted, list(there.volumes.values()))
    item = next((each for each in items if each.volume == volume["id"]), None)
    _refuse_if_used(volume, item, here, owner.namespace)
    for each in items:
        if each is not item and _is_of(each, owner) and each.state not in (State.no_claim, State.doubtful):
            has = f"volume {each.volume} ({each.size_gb} GB, {each.state})" if each.volume else f"claim {each.claim}"
            hint = None
            if owner.user is not None:
                hint = (
                    f"delete it with: zerojhub data remove {owner.user}, or name another server of theirs with --server"
                )
            raise UserError(f"{owner.label} already has {has}", hint=hint)
    known = recorded(volume["metadata"]) or recovered(volume["metadata"])
    current = item.owner if item else known.label if known else None
    if known:
        owner = replace(owner, file_system=known.file_system)
        if known.deployment not in ("", owner.deployment):
            current = f"{known.label} of deployment {known.deployment}"
        elif known.namespace != owner.namespace:
            current = f"{known.label} in namespace {known.namespace}"
    return Adoption(volume, owner, None if current == owner.label else current, item)


def _refuse_if_used(volume: Volume, item: Item | None, here: InKubernetes | None, namespace: str) -> None:
    servers = [each["server_id"] for each in volume["attachments"]]
    if servers:
        node = (item and item.attached_to) or (here.nodes.get(servers[0]) if here else None)
        raise UserError(
            f"volume {volume['id']} is in use: server {node or servers[0]} has it", hint="stop what uses it"
        )
    if volume["status"] != cinder.AVAILABLE:
        raise UserError(f"volume {volume['id']} has status {volume['status']}", hint="see: openstack volume show")
    for each in here.volumes if here else ():
        claim = each["spec"].get("claimRef", {})
        if cinder_id(each) == volume["id"] and claim and claim.get("namespace") != namespace:
            raise UserError(
                f"claim {claim.get('name')} in namespace {claim.get('namespace')} has volume {volume['id']}"
            )


def _is_of(item: Item, owner: Owner) -> bool:
    if owner.user is None:
        return item.claim == owner.claim
    return (item.user, item.server) == (owner.user, owner.server)
