"""Cinder (block storage API v3): the project's volumes.

Types have the keys that the product reads, as the Block Storage API reference names them.
"""

from __future__ import annotations

from typing_extensions import TypedDict

from zerojhub.openstack.session import Cloud


class Volume(TypedDict):
    """A volume; `size` in GB."""

    id: str
    name: str | None
    size: int
    status: str
    metadata: dict[str, str]


async def volumes(cloud: Cloud) -> list[Volume]:
    """The project's volumes. CloudError where the cloud has no Cinder."""
    return await cloud.volume.all("/volumes/detail", "volumes", Volume)


async def delete_volume(cloud: Cloud, volume_id: str) -> None:
    """Delete it. CloudError (status 400 or 409) while it is attached."""
    await cloud.volume.delete(f"/volumes/{volume_id}")
