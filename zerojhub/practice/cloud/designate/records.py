"""Designate's records: zones and recordsets. What is changed is published a moment later, as to a real one's name servers."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from zerojhub.practice.cloud.designate.errors import misplaced, missing
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, new_id, now

MICROSECONDS = "%Y-%m-%dT%H:%M:%S.000000"
POOL = "794ccc2c-d751-44fe-b57f-8894c9f5c842"
"""The pool of all zones."""
PUBLISHED_AFTER = 1.0
"""Seconds until the name servers have a change."""
REFRESH, RETRY, EXPIRE, MINIMUM = 3600, 600, 86400, 3600
"""Of every zone's start of authority, in seconds."""


@dataclass(frozen=True)
class Published:
    """A zone as the name server has it: the data at each name in small letters, by type, with its TTL."""

    name: str
    minimum: int
    names: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = field(default_factory=dict)


def servers(store: Store) -> list[Record]:
    """The name servers of every zone: the practice cloud's own, by its address, which every machine can ask."""
    return [{"hostname": f"{store.gateway}.", "priority": 1}]


def host_name(address: str) -> str:
    """The name in NS records of the name server at that address, which it knows itself.

    Go, and so Traefik, asks no server that an NS record names by its address.
    """
    return f"{address.replace('.', '-')}.name-servers.example."


def check_quota(store: Store, project: str, **wanted: int) -> None:
    """Raises Refusal (413) if the quota does not allow that many of each resource."""
    limits = store.quotas["dns"]
    if exceeded := sorted((name for name, count in wanted.items() if -1 < limits[name] < count), key=len):
        raise Refusal(413, f"Quota exceeded for {', '.join(exceeded)}.", "over_quota")


def find_zone(store: Store, project: str, ident: str) -> Record:
    """The project's zone. Raises Refusal (404)."""
    zone = store.zones.get(ident)
    if zone is None or zone["project_id"] != project:
        raise missing("Zone")
    return zone


def find_recordset(store: Store, zone: Record, ident: str) -> Record:
    """The zone's recordset. Raises Refusal (404)."""
    recordset = store.recordsets.get(ident)
    if recordset is None or recordset["zone_id"] != zone["id"]:
        raise missing("RecordSet")
    return recordset


def new_zone(store: Store, project: str, wanted: Record) -> Record:
    """A new zone, with its start of authority and its name servers. Raises Refusal."""
    name = wanted["name"]
    check_quota(store, project, zones=len(store.zones.where(project_id=project)) + 1)
    if name.count(".") < 2:
        raise Refusal(400, "More than one label is required", "invalid_zone_name")
    if store.zones.named(name):
        raise Refusal(409, "Duplicate Zone", "duplicate_zone")
    zone = {
        "id": new_id(),
        "pool_id": POOL,
        "project_id": project,
        "name": name,
        "email": wanted["email"],
        "description": wanted.get("description"),
        "ttl": MINIMUM if wanted.get("ttl") is None else wanted["ttl"],
        "serial": int(time.time()),
        "shared": False,
        "status": "PENDING",
        "action": "CREATE",
        "version": 1,
        "attributes": {},
        "type": wanted.get("type", "PRIMARY"),
        "masters": [],
        "created_at": now(MICROSECONDS),
        "updated_at": None,
        "transferred_at": None,
    }
    store.zones.add(zone)
    ends = {"status": "ACTIVE", "action": "NONE", "managed": True}
    add_recordset(store, zone, {"name": name, "type": "SOA", "records": [authority(store, zone)]}, **ends)
    add_recordset(store, zone, {"name": name, "type": "NS", "records": [host_name(store.gateway)]}, **ends)
    return zone


def authority(store: Store, zone: Record) -> str:
    """The zone's start of authority."""
    user, _, domain = zone["email"].partition("@")
    mail = f"{user.replace('.', chr(92) + '.')}.{domain}."
    primary = servers(store)[0]["hostname"]
    return f"{primary} {mail} {zone['serial']} {REFRESH} {RETRY} {EXPIRE} {MINIMUM}"


def add_recordset(store: Store, zone: Record, wanted: Record, **fields: Any) -> Record:
    recordset = {
        "id": new_id(),
        "zone_id": zone["id"],
        "project_id": zone["project_id"],
        "name": wanted["name"],
        "zone_name": zone["name"],
        "type": wanted["type"],
        "records": list(dict.fromkeys(wanted.get("records", []))),
        "description": wanted.get("description"),
        "ttl": wanted.get("ttl"),
        "status": "PENDING",
        "action": "CREATE",
        "version": 1,
        "created_at": now(MICROSECONDS),
        "updated_at": None,
        "managed": False,
        **fields,
    }
    return store.recordsets.add(recordset)


def check_place(store: Store, zone: Record, wanted: Record) -> None:
    """Raises Refusal: 400 for a name at which such a recordset cannot be, 409 if there is one."""
    name, kind = wanted["name"], wanted["type"]
    if kind == "CNAME" and name == zone["name"]:
        raise misplaced("CNAME recordsets may not be created at the zone apex")
    if name != zone["name"] and not name.endswith(f".{zone['name']}"):
        raise misplaced("RecordSet is not contained within it's parent zone")
    for below in zones_below(store, zone):
        if name == below["name"] or name.endswith(f".{below['name']}"):
            raise misplaced(f"RecordSet belongs in a child zone: {below['name']}")
    there = [each for each in store.recordsets.where(zone_id=zone["id"]) if each["name"] == name]
    if any(kind == "CNAME" or each["type"] == "CNAME" for each in there if each["type"] != kind):
        raise misplaced("CNAME recordsets may not share a name with any other records")
    if any(each["type"] == kind for each in there):
        raise Refusal(409, "Duplicate RecordSet", "duplicate_recordset")


def check_records(store: Store, zone: Record, kind: str, records: list[str], *, beside: str = "") -> None:
    """Raises Refusal if the zone cannot have so many records. `beside`: the ID of the recordset that they are for."""
    if kind == "CNAME" and len(records) > 1:
        raise Refusal(400, "CNAME recordsets may not have more than 1 record", "bad_request")
    others = [each for each in store.recordsets.where(zone_id=zone["id"]) if each["id"] != beside]
    check_quota(
        store,
        zone["project_id"],
        zone_recordsets=len(others) + 1,
        recordset_records=len(records),
        zone_records=sum(len(each["records"]) for each in others) + len(records),
    )


def zones_below(store: Store, zone: Record) -> Iterator[Record]:
    """The zones of a name below the zone's."""
    return (each for each in store.zones.values() if each["name"].endswith(f".{zone['name']}"))


def pending(record: Record, action: str) -> None:
    """The record has been changed, but is not published yet."""
    record |= {"status": "PENDING", "action": action, "version": record["version"] + 1, "updated_at": now(MICROSECONDS)}


def publish_soon(store: Store, zone: Record) -> None:
    """Have the name server get what has changed in the zone, in a moment."""
    asyncio.get_running_loop().call_later(PUBLISHED_AFTER, publish, store, zone["id"])


def publish(store: Store, ident: str) -> None:
    """Have the name server get what has changed in the zone with this ID."""
    zone = store.zones.get(ident)
    if zone is None:
        return
    own = store.recordsets.where(zone_id=ident)
    gone = own if zone["action"] == "DELETE" else [each for each in own if each["action"] == "DELETE"]
    for each in gone:
        store.recordsets.pop(each["id"], None)
    if zone["action"] == "DELETE":
        del store.zones[ident]
        store.published.pop(zone["name"].lower(), None)
        return
    own = store.recordsets.where(zone_id=ident)
    for each in own:
        each |= {"status": "ACTIVE", "action": "NONE"}
        if each["type"] == "SOA":
            each |= {"records": [authority(store, zone)], "updated_at": now(MICROSECONDS)}
    zone |= {"status": "ACTIVE", "action": "NONE", "version": zone["version"] + 1, "updated_at": now(MICROSECONDS)}
    found = Published(zone["name"], MINIMUM)
    for each in own:
        if each["records"]:
            ttl = zone["ttl"] if each["ttl"] is None else each["ttl"]
            found.names.setdefault(each["name"].lower(), {})[each["type"]] = (ttl, tuple(each["records"]))
    store.published[zone["name"].lower()] = found


def changed(store: Store, zone: Record) -> None:
    """A recordset of the zone has changed: so has its serial number."""
    zone["serial"] = max(zone["serial"] + 1, int(time.time()))
    pending(zone, "UPDATE")
    publish_soon(store, zone)


def matches(pattern: str, value: object) -> bool:
    """Does a filter such as `*.example.org.` fit the value?"""
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), str(value)) is not None
