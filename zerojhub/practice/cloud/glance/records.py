"""Glance's records: images."""

from __future__ import annotations

from typing import Any

from zerojhub.practice.cloud.store import Record, Store, new_id, now

READ_ONLY = ("created_at", "updated_at", "status", "checksum", "size", "virtual_size", "self", "file", "schema", "id")
BASIC = (
    "name",
    "visibility",
    "protected",
    "os_hidden",
    "container_format",
    "disk_format",
    "min_disk",
    "min_ram",
    "tags",
)


def image_record(project: str, **fields: Any) -> Record:
    """A new image without data, with Glance's defaults; `fields` override them."""
    ident = fields.get("id") or new_id()
    return {
        "id": ident,
        "name": None,
        "status": "queued",
        "visibility": "shared",
        "owner": project,
        "protected": False,
        "os_hidden": False,
        "container_format": None,
        "disk_format": None,
        "min_disk": 0,
        "min_ram": 0,
        "size": None,
        "virtual_size": None,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "tags": [],
        "created_at": now(),
        "updated_at": now(),
        "self": f"/v2/images/{ident}",
        "file": f"/v2/images/{ident}/file",
        "schema": "/v2/schemas/image",
        **fields,
    }


def new_image(store: Store, project: str, name: str, **properties: str) -> Record:
    """A public image, with properties such as os_distro and os_admin_user (the login of its machines)."""
    image = image_record(
        project,
        name=name,
        status="active",
        visibility="public",
        protected=True,
        container_format="bare",
        disk_format="qcow2",
        min_disk=10,
        min_ram=1024,
        size=1_700_000_000,
        virtual_size=10_737_418_240,
        **properties,
    )
    return store.images.add(image)


def new_snapshot(store: Store, project: str, server: Record, name: str, metadata: Record) -> Record:
    """An image of a server's disk, with the properties of the server's image."""
    source = {key: value for key, value in store.images[server["image"]].items() if key not in (*READ_ONLY, *BASIC)}
    own = {"image_type": "snapshot", "instance_uuid": server["id"], "base_image_ref": server["image"], **metadata}
    formats = {"status": "active", "container_format": "bare", "disk_format": "qcow2", "size": 1_700_000_000}
    return store.images.add(image_record(project, **{**source, **own, **formats, "name": name, "owner": project}))
