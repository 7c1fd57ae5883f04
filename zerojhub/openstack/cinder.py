"""Cinder (block storage API v3): the project's volumes.

Types have the keys that the product reads, as the Block Storage API reference names them.
"""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from zerojhub import retry
from zerojhub.answers import Time
from zerojhub.openstack.session import Cloud

AVAILABLE = "available"
"""The status of a volume that is attached to no server."""


class Attachment(TypedDict):
    """To which server a volume is attached."""

    server_id: str


class Volume(TypedDict):
    """A volume; `size` in GB."""

    id: str
    name: str | None
    size: int
    status: str
    availability_zone: str | None
    created_at: str
    """ISO 8601, in UTC, without a zone."""
    updated_at: NotRequired[Time | None]
    """The same, of its last change."""
    attachments: list[Attachment]
    metadata: dict[str, str]


class Snapshot(TypedDict):
    """A snapshot of a volume."""

    id: str
    volume_id: str


class QuotaUsage(TypedDict):
    """A limit (-1 is unlimited), what is used of it, and what is being created."""

    limit: int
    in_use: int
    reserved: int


class ZoneName(TypedDict):
    """An availability zone."""

    zoneName: str


async def volumes(cloud: Cloud) -> list[Volume]:
    """The project's volumes. CloudError where the cloud has no Cinder."""
    return await cloud.volume.all("/volumes/detail", "volumes", Volume)


async def snapshots(cloud: Cloud) -> list[Snapshot]:
    """The snapshots of the project's volumes."""
    return await cloud.volume.all("/snapshots/detail", "snapshots", Snapshot)


async def delete_volume(cloud: Cloud, volume_id: str) -> None:
    """Delete it. CloudError (status 400 or 409) while it is attached."""
    await cloud.volume.delete(f"/volumes/{volume_id}")


async def clone_volume(cloud: Cloud, source: str, size: int, name: str, metadata: dict[str, str]) -> Volume:
    """A new volume of `size` GB with the contents that another one has now, also if it is in use: as after a power cut.

    No other volume has this metadata. It is being created; CloudError (status 413) if the quota does not allow it.
    """
    body = {"volume": {"source_volid": source, "size": size, "name": name, "metadata": metadata}}

    async def create() -> Volume:
        return await cloud.volume.post("/volumes", body, Volume, within="volume")

    async def look() -> Volume | None:
        return next((each for each in await volumes(cloud) if metadata.items() <= each["metadata"].items()), None)

    return await retry.settle(create, look)


async def set_metadata(cloud: Cloud, volume_id: str, metadata: dict[str, str]) -> None:
    """Add to its metadata, or change what is there. CloudError (status 404) if there is no such volume."""
    await cloud.volume.act(f"/volumes/{volume_id}/metadata", {"metadata": metadata}, repeatable=True)


async def delete_metadata(cloud: Cloud, volume_id: str, key: str) -> None:
    """Delete an item of its metadata, if it is there. The key has no slash: clouds do not find it in the path then."""
    await cloud.volume.delete(f"/volumes/{volume_id}/metadata/{key}")


async def quotas(cloud: Cloud) -> dict[str, QuotaUsage]:
    """The project's quotas by resource, `volumes` and `gigabytes` among them, with those of volume types.

    CloudError where the cloud has no Cinder, or the project may not see them.
    """
    path = f"/os-quota-sets/{cloud.project_id}"
    answer = await cloud.volume.get(path, dict[str, QuotaUsage | str], within="quota_set", usage=True)
    return {name: usage for name, usage in answer.items() if not isinstance(usage, str)}  # the project's ID


async def zones(cloud: Cloud) -> list[str]:
    """The names of its availability zones."""
    listed = await cloud.volume.get("/os-availability-zone", list[ZoneName], within="availabilityZoneInfo")
    return [zone["zoneName"] for zone in listed]
