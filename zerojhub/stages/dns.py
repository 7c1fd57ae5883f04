"""The DNS record of the hub's host name, where the project has a zone for it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zerojhub import lookup
from zerojhub.deployment import is_address
from zerojhub.errors import CloudError, ZeroJHubError
from zerojhub.openstack import designate
from zerojhub.openstack.session import if_allowed
from zerojhub.stage import Found, Missing, Stage, Teardown, Wrong
from zerojhub.stages.address import Address
from zerojhub.stages.floating_ip import mark
from zerojhub.stages.host_name import absolute, host_of, zone_of, zones_of
from zerojhub.tasks import gather
from zerojhub.waiting import NotYet, TimedOut, wait_until

if TYPE_CHECKING:
    from zerojhub.deployment import Deployment
    from zerojhub.openstack.designate import RecordSet, RecordType, Zone
    from zerojhub.run import Run

TTL = 300
"""Seconds for which resolvers may use a record that has changed since."""
ACTIVE_TIMEOUT, SERVERS_TIMEOUT, HERE_TIMEOUT = 300, 120, 120
"""Seconds until Designate has published a record, until all name servers have it, and until this machine sees it."""
OWNER = "zerojhub:"
"""What the descriptions of all records of zerojhub begin with."""


@dataclass(frozen=True)
class Name:
    """The hub's host name. `ready`: its record is as it should be, or is not zerojhub's to create."""

    host: str
    ready: bool


@dataclass(frozen=True)
class _Records:
    """What the zone has, and what it should have, at the hub's name."""

    host: str
    zone: Zone
    wanted: dict[RecordType, list[str]]
    own: list[RecordSet]
    """All that are marked as the deployment's, whatever their name."""
    others: list[RecordSet]
    """Those at the name that somebody else has created."""


class Dns(Stage[Name]):
    """The DNS record of the hub's host name, in the project's zone.

    Creates an A record, or AAAA, described as `zerojhub:NAME`, corrects it when the address changes, and waits until the
    zone's name servers and this machine have it. Leaves records alone that somebody else has created. Without a zone, or
    without Designate, it says which record to create. `down` deletes the record, unless the address is kept.
    """

    name = "dns"
    needs = (Address,)
    undo_needs = ()

    @classmethod
    def applies(cls, deployment: Deployment) -> bool:
        return deployment.hub.host is not None and not is_address(deployment.hub.host)

    async def check(self, run: Run) -> list[ZeroJHubError]:
        await zone_of(run)
        return []

    async def look(self, run: Run) -> Found[Name] | Missing[Name] | Wrong[Name]:
        host, zone, addresses = await host_of(run) or "", await zone_of(run), run[Address].addresses
        ready = Name(host, ready=True)
        if not addresses:
            return Found(f"the address for the record of {host} is not known here", ready)
        if zone is None:
            return Found(f"no zone of this project has it; the record is: {record(host, addresses)}", ready)
        found = await _records(run, host, zone, addresses)
        there = {each["type"]: each for each in found.own if each["name"] == absolute(host)}
        if found.others and not there:
            return _about_others(found, insisted=run.deployment.dns is not None)
        unready = Name(host, ready=False)
        if lacking := [kind for kind in found.wanted if kind not in there]:
            return Missing(f"{record(host, found.wanted[lacking[0]])} is not in zone {zone['name']}", unready)
        for each in found.own:
            if each["name"] != absolute(host) or sorted(each["records"]) != sorted(_of(found.wanted, each["type"])):
                return Wrong(f"zone {zone['name']} has {record(each['name'], each['records'])}", unready)
        if late := [each for each in there.values() if each["status"] != "ACTIVE"]:
            return Missing(f"{record(host, late[0]['records'])} is {late[0]['status']}", unready)
        return Found(f"{record(host, addresses)}, in zone {zone['name']}", ready)

    async def do(self, run: Run, state: Missing[Name] | Wrong[Name]) -> None:
        host, zone, addresses = await host_of(run) or "", await zone_of(run), run[Address].addresses
        if zone is None or state.value is None:
            raise ZeroJHubError(state.detail, hint=state.hint)
        found = await _records(run, host, zone, addresses)
        there = {each["type"]: each for each in found.own if each["name"] == absolute(host)}
        for each in found.own:
            if each not in there.values() or each["type"] not in found.wanted:
                await designate.delete_recordset(run.cloud, each)
        for kind, values in found.wanted.items():
            if kind not in there:
                await _wait_for_deletion(run, zone, host, kind)
                there[kind] = await _create(run, zone, host, kind, values)
            elif sorted(there[kind]["records"]) != sorted(values):
                await designate.set_records(run.cloud, there[kind], values)
        for each in await _everywhere(run):
            if each["zone_id"] != zone["id"]:
                await designate.delete_recordset(run.cloud, each)  # of an earlier name
        await _wait_until_active(run, [there[kind] for kind in found.wanted])
        await _wait_for_servers(run, found)
        await _wait_here(run, found)

    async def undo(self, run: Run, teardown: Teardown) -> None:
        if run.deployment.hub.address is not None or not self.applies(run.deployment):
            return
        with if_allowed():
            for each in await _everywhere(run):
                await designate.delete_recordset(run.cloud, each)


def record(host: str, addresses: Sequence[str]) -> str:
    """The record as a zone file has it, without a TTL: `hub.example.org. A 203.0.113.7`."""
    kinds = _by_type(addresses)
    return ", ".join(f"{absolute(host)} {kind} {value}" for kind, values in kinds.items() for value in values)


def _by_type(addresses: Sequence[str]) -> dict[RecordType, list[str]]:
    """The addresses by the type of their record. What is none, such as the target of a CNAME, is left out."""
    found: dict[RecordType, list[str]] = {}
    for each in addresses:
        with suppress(ValueError):
            kind: RecordType = "A" if ipaddress.ip_address(each).version == 4 else "AAAA"
            found.setdefault(kind, []).append(each)
    return found


def _of(wanted: dict[RecordType, list[str]], kind: str) -> list[str]:
    return next((values for each, values in wanted.items() if each == kind), [])


async def _records(run: Run, host: str, zone: Zone, addresses: Sequence[str]) -> _Records:
    own = await designate.recordsets(run.cloud, zone["id"], description=mark(run))
    at_name = await designate.recordsets(run.cloud, zone["id"], name=absolute(host))
    ids = {each["id"] for each in own}
    others = [each for each in at_name if each["id"] not in ids and each["type"] in ("A", "AAAA", "CNAME")]
    return _Records(host, zone, _by_type(addresses), _staying(own), _staying(others))


async def _everywhere(run: Run) -> list[RecordSet]:
    """All records of the deployment, in whichever zone of the project: the name may have been in another one."""
    zones = await run.once(zones_of, run)
    found = await gather(*(designate.recordsets(run.cloud, zone["id"], description=mark(run)) for zone in zones))
    return _staying([each for listed in found for each in listed])


def _staying(recordsets: list[RecordSet]) -> list[RecordSet]:
    return [each for each in recordsets if each["action"] != "DELETE"]


def _about_others(found: _Records, *, insisted: bool) -> Found[Name] | Wrong[Name]:
    """Records that somebody else has created are right, or left alone; an error if the file names the zone, or another hub has them."""
    text = ", ".join(f"{each['name']} {each['type']} {' '.join(each['records'])}" for each in found.others)
    if {each["type"]: sorted(each["records"]) for each in found.others} == {
        kind: sorted(values) for kind, values in found.wanted.items()
    }:
        return Found(f"{text}, which somebody else has created", Name(found.host, ready=True))
    owners = [each["description"] for each in found.others if (each["description"] or "").startswith(OWNER)]
    if not insisted and not owners:
        return Found(f"{text}: somebody else has created that, so it is left alone", Name(found.host, ready=True))
    who = f"of deployment {str(owners[0]).removeprefix(OWNER)}" if owners else "somebody else has created"
    first = found.others[0]
    hint = f"delete it first: openstack recordset delete {found.zone['name']} {first['id']}"
    return Wrong(f"zone {found.zone['name']} has {text}, {who}", None, hint)


async def _wait_for_deletion(run: Run, zone: Zone, host: str, kind: RecordType) -> None:
    """A record cannot be created while one like it is being deleted, as after `down`."""

    async def look() -> bool | NotYet:
        there = await designate.recordsets(run.cloud, zone["id"], name=absolute(host), type=kind)
        going = len(there) - len(_staying(there))
        return NotYet(f"waiting until Designate has deleted the former record of {host}") if going else True

    await wait_until(look, timeout=ACTIVE_TIMEOUT, say=run.say)


async def _create(run: Run, zone: Zone, host: str, kind: RecordType, values: list[str]) -> RecordSet:
    """Create the record; with the zone's own TTL where the cloud allows no short one."""
    run.say(f"creating {record(host, values)} in zone {zone['name']}")
    name, description = absolute(host), mark(run)
    try:
        return await designate.create_recordset(
            run.cloud, zone["id"], name, kind, values, ttl=TTL, description=description
        )
    except CloudError as error:
        if error.status != 400 or "TTL" not in error.message:
            raise
    return await designate.create_recordset(run.cloud, zone["id"], name, kind, values, description=description)


async def _wait_until_active(run: Run, recordsets: list[RecordSet]) -> None:
    """Designate may repair a record in ERROR by itself, as soon as its name servers are back."""

    async def look() -> bool | NotYet:
        for each in recordsets:
            now = await designate.get_recordset(run.cloud, each)
            if now is None or now["status"] != "ACTIVE":
                return NotYet(
                    f"waiting for Designate: {each['name']} {each['type']} is {now['status'] if now else 'gone'}"
                )
        return True

    try:
        await wait_until(look, timeout=ACTIVE_TIMEOUT, say=run.say)
    except TimedOut as late:
        late.hint = "ask the operators of the cloud: its name servers do not take the record"
        raise


async def _wait_for_servers(run: Run, found: _Records) -> None:
    """Ask the zone's own name servers first: others remember for an hour that they did not find a name."""
    servers = await designate.name_servers(run.cloud, found.zone["id"])

    async def look() -> bool | NotYet:
        for kind, values in found.wanted.items():
            answers = await gather(*(lookup.at_server(server, absolute(found.host), kind) for server in servers))
            late = [server for server, given in zip(servers, answers, strict=True) if given not in (None, set(values))]
            if late:
                return NotYet(f"waiting until {', '.join(late)} has {record(found.host, values)}")
        return True

    await wait_until(look, timeout=SERVERS_TIMEOUT, say=run.say)


async def _wait_here(run: Run, found: _Records) -> None:
    wanted = {each for values in found.wanted.values() for each in values}

    async def look() -> bool | NotYet:
        given = await lookup.here(found.host)
        if given and given <= wanted:
            return True
        seen = ", ".join(sorted(given)) or "nothing"
        return NotYet(f"waiting until this machine finds {found.host}; it finds {seen}")

    try:
        await wait_until(look, timeout=HERE_TIMEOUT, pause=(0.5, 5), say=run.say)
    except TimedOut as late:
        servers = ", ".join(await designate.name_servers(run.cloud, found.zone["id"]))
        late.hint = (
            f"the zone's name servers have the record: does the zone above delegate to {servers}?"
            " resolvers also remember for up to an hour what they did not find: run it again then"
        )
        raise
