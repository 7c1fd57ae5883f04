"""Designate (DNS API v2): the project's zones, and the recordsets in them.

Types have the keys that the product reads, as the DNS API reference names them. Names are absolute, with a dot at their end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from typing_extensions import TypedDict

from zerojhub import retry
from zerojhub.openstack.session import Cloud

RecordType = Literal["A", "AAAA"]


class Zone(TypedDict):
    """A zone of the project, or one that is shared with it."""

    id: str
    name: str
    status: str


class RecordSet(TypedDict):
    """All records of a type at a name. `status`: ACTIVE once the zone's name servers have them, before that PENDING or ERROR.

    `action`: what is being done to it. One that is being deleted (DELETE) is there until the name servers have deleted it.
    """

    id: str
    zone_id: str
    name: str
    type: str
    records: list[str]
    description: str | None
    status: str
    action: str


class NameServer(TypedDict):
    """A name server of a zone."""

    hostname: str
    priority: int


async def zones(cloud: Cloud) -> list[Zone]:
    """The zones that the project sees. CloudError where the cloud has no Designate."""
    return await cloud.dns.all("/zones", "zones", Zone)


async def name_servers(cloud: Cloud, zone_id: str) -> list[str]:
    """The host names of the zone's name servers, without a dot at their end."""
    listed = await cloud.dns.all(f"/zones/{zone_id}/nameservers", "nameservers", NameServer)
    return [each["hostname"].rstrip(".") for each in sorted(listed, key=lambda each: each["priority"])]


async def recordsets(cloud: Cloud, zone_id: str, **query: str) -> list[RecordSet]:
    """The zone's recordsets; `query` filters by their keys, such as `name` or `description`."""
    return await cloud.dns.all(f"/zones/{zone_id}/recordsets", "recordsets", RecordSet, **query)


async def get_recordset(cloud: Cloud, recordset: RecordSet) -> RecordSet | None:
    """The recordset as it is now; None once it is deleted."""
    return await cloud.dns.find(_path(recordset), RecordSet)


async def create_recordset(
    cloud: Cloud,
    zone_id: str,
    name: str,
    kind: RecordType,
    records: Sequence[str],
    *,
    ttl: int | None = None,
    description: str,
) -> RecordSet:
    """Create a recordset. `ttl` in seconds (None: the zone's). CloudError (409) if there is one of that type at the name."""
    body = {"name": name, "type": kind, "records": list(records), "ttl": ttl, "description": description}

    async def create() -> RecordSet:
        return await cloud.dns.post(f"/zones/{zone_id}/recordsets", body, RecordSet)

    async def look() -> RecordSet | None:
        there = await recordsets(cloud, zone_id, name=name, type=kind)
        return next((each for each in there if each["description"] == description), None)

    return await retry.settle(create, look)


async def set_records(cloud: Cloud, recordset: RecordSet, records: Sequence[str]) -> None:
    """Replace all records of the recordset."""
    await cloud.dns.put(_path(recordset), {"records": list(records)})


async def describe_recordset(cloud: Cloud, recordset: RecordSet, description: str) -> None:
    """Give the recordset another description."""
    await cloud.dns.put(_path(recordset), {"description": description})


async def delete_recordset(cloud: Cloud, recordset: RecordSet) -> None:
    await cloud.dns.delete(_path(recordset))


def zone_of(name: str, zones: Iterable[Zone]) -> Zone | None:
    """The zone that a record of this absolute name belongs in: the nearest one above it, or of the name itself."""
    fitting = [each for each in zones if f".{name}".lower().endswith(f".{each['name']}".lower())]
    return max(fitting, key=lambda each: len(each["name"]), default=None)


def _path(recordset: RecordSet) -> str:
    return f"/zones/{recordset['zone_id']}/recordsets/{recordset['id']}"
