"""Cinder's records: volumes, volume types and attachments."""

from __future__ import annotations

from typing import Any

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, new_id, now

MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%f"


def check_quota(store: Store, project: str, **wanted: int) -> None:
    """Raises Refusal (413) if the quota does not allow that many more of each resource."""
    quota, used = store.quotas["volume"], store.usage("volume", project)
    for name in store.over_quota("volume", project, wanted):
        if name == "gigabytes":
            asked = f"Requested {wanted[name]}G, quota is {quota[name]}G and {used[name]}G has been consumed."
            message = f"Requested volume or snapshot exceeds allowed gigabytes quota. {asked}"
            raise Refusal(413, f"VolumeSizeExceedsAvailableQuota: {message}")
        kind, which = name.removesuffix("s").capitalize(), " for quota 'volumes'." if name == "volumes" else ""
        raise Refusal(413, f"{kind}LimitExceeded: Maximum number of {name} allowed ({quota[name]}) exceeded{which}")


def new_volume(store: Store, project: str, user: str, size: int, **fields: Any) -> Record:
    """A new volume of `size` GB in status `creating`. Raises Refusal (413) if the quota is exceeded."""
    check_quota(store, project, volumes=1, gigabytes=size)
    volume = {
        "id": new_id(),
        "name": "",
        "description": None,
        "size": size,
        "status": "creating",
        "volume_type": next(iter(store.volume_types.values()))["name"],
        "bootable": False,
        "snapshot_id": None,
        "source_volid": None,
        "metadata": {},
        "project_id": project,
        "user_id": user,
        "availability_zone": store.zone,
        "created_at": now(MICROSECONDS),
        "updated_at": None,
        **fields,
    }
    return store.volumes.add(volume)


def find_volume(store: Store, ident: str | None) -> Record:
    if ident is None or ident not in store.volumes:
        raise Refusal(404, f"Volume {ident} could not be found.")
    return store.volumes[ident]


def attach(store: Store, wanted: str | None, server: str | None, mode: str, **more: object) -> Record:
    """Attach the volume with this ID. Raises Refusal: 404 if it does not exist, 400 if it is not available."""
    volume = find_volume(store, wanted)
    if volume["status"] != "available":
        message = f"Volume {volume['id']} status must be available or downloading to reserve, but the current status is"
        raise Refusal(400, f"Invalid volume: {message} {volume['status']}.")
    attachment = {
        "id": new_id(),
        "volume_id": volume["id"],
        "instance": server,
        "status": "attached",
        "attach_mode": mode,
        "attached_at": now(MICROSECONDS),
        "detached_at": None,
        "connection_info": {},
        **more,
    }
    volume["status"] = "in-use"
    return store.attachments.add(attachment)


def detach(store: Store, attachment: Record) -> None:
    """Detach the volume; it becomes available."""
    del store.attachments[attachment["id"]]
    store.volumes[attachment["volume_id"]]["status"] = "available"


def new_type(store: Store, name: str, description: str | None) -> Record:
    kind: Record = {
        "id": new_id(),
        "name": name,
        "description": description,
        "is_public": True,
        "os-volume-type-access:is_public": True,
        "qos_specs_id": None,
        "extra_specs": {},
    }
    return store.volume_types.add(kind)


def default_type(store: Store) -> Record:
    return next(iter(store.volume_types.values()))
