"""Volumes. Each is a disk that can be attached to a server."""

from __future__ import annotations

from zerojhub.practice.cloud.cinder.records import MICROSECONDS, find_volume, new_volume
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, now
from zerojhub.practice.cloud.wire import Call, Routes, collection

routes = Routes()

VOLUMES = "/v3/{project}/volumes"


def links(call: Call, volume: Record) -> list[Record]:
    path = f"{volume['project_id']}/volumes/{volume['id']}"
    base = f"{call.origin}/volume"
    return [{"rel": "self", "href": f"{base}/v3/{path}"}, {"rel": "bookmark", "href": f"{base}/{path}"}]


def render_volume(call: Call, volume: Record) -> Record:
    attachments = [
        {
            "id": volume["id"],
            "attachment_id": item["id"],
            "volume_id": volume["id"],
            "server_id": item["instance"],
            "host_name": None,
            "device": item.get("device"),
            "attached_at": item["attached_at"],
        }
        for item in call.store.attachments.where(volume_id=volume["id"])
    ]
    body = {key: value for key, value in volume.items() if key != "project_id"}
    return {
        **body,
        "os-vol-tenant-attr:tenant_id": volume["project_id"],
        "attachments": attachments,
        "links": links(call, volume),
        "bootable": str(volume["bootable"]).lower(),
        "encrypted": False,
        "multiattach": False,
        "replication_status": None,
        "consistencygroup_id": None,
    }


def requested_volume(call: Call) -> Record:
    return find_volume(call.store, call.path_params["ident"])


def own_volumes(call: Call) -> list[Record]:
    volumes = call.store.volumes.where(project_id=call.project)
    for name in ("name", "status", "availability_zone"):
        if wanted := call.query_params.get(name):
            volumes = [volume for volume in volumes if volume[name] == wanted]
    return volumes


@routes("GET", VOLUMES)
async def list_volumes(call: Call) -> Record:
    brief = [{"id": item["id"], "name": item["name"], "links": links(call, item)} for item in own_volumes(call)]
    return collection(call, "volumes", brief)


@routes("GET", VOLUMES + "/detail")
async def list_volumes_in_detail(call: Call) -> Record:
    return collection(call, "volumes", [render_volume(call, volume) for volume in own_volumes(call)])


@routes("GET", VOLUMES + "/summary")
async def summary(call: Call) -> Record:
    volumes = own_volumes(call)
    body: Record = {"total_count": len(volumes), "total_size": sum(volume["size"] for volume in volumes)}
    if call.state.version >= (3, 36):
        found: dict[str, set[str]] = {}
        for volume in volumes:
            for key, value in volume["metadata"].items():
                found.setdefault(key, set()).add(value)
        body["metadata"] = {key: sorted(values) for key, values in found.items()}
    return {"volume-summary": body}


@routes("GET", VOLUMES + "/{ident}")
async def show_volume(call: Call) -> Record:
    return {"volume": render_volume(call, requested_volume(call))}


def origin(call: Call, wanted: Record) -> Record | None:
    """The volume or snapshot to create a volume from, if any. Raises Refusal (404)."""
    if ident := wanted.get("snapshot_id"):
        if ident not in call.store.snapshots:
            raise Refusal(404, f"Snapshot {ident} could not be found.")
        return call.store.snapshots[ident]
    return find_volume(call.store, wanted["source_volid"]) if wanted.get("source_volid") else None


def check_size(call: Call, wanted: Record, size: int, source: Record | None) -> None:
    """Raises Refusal: 400 if the volume is too small for its source, 404 if the image does not exist."""
    why = ""
    if source and size < source["size"]:
        which = "the snapshot" if wanted.get("snapshot_id") else "original volume"
        gap = " " if wanted.get("snapshot_id") else "  "
        rule = f"They must be >= original {which.split()[1]} size."
        why = f"Volume size '{size}'GB cannot be smaller than {which} size{gap}{source['size']}GB. {rule}"
    if ident := wanted.get("imageRef"):
        image = call.store.images.get(ident)
        if not image:
            raise Refusal(404, f"Image {ident} could not be found.")
        if size < image["min_disk"]:
            why = f"Volume size {size}GB cannot be smaller than the image minDisk size {image['min_disk']}GB."
    if why:
        raise Refusal(400, f"Invalid input received: {why}")


@routes("POST", VOLUMES, status=202)
async def create_volume(call: Call) -> Record:
    wanted, store = call.inner("volume"), call.store
    source = origin(call, wanted)
    try:
        size = int(wanted.get("size") or (source["size"] if source else 0))
    except (TypeError, ValueError):
        size = 0
    if size < 1:
        raise Refusal(
            400, f"Invalid input received: Invalid volume size provided for create request: {wanted.get('size')}"
        )
    check_size(call, wanted, size, source)
    kind = wanted.get("volume_type")
    if kind and not store.volume_types.find(kind):
        raise Refusal(404, f"Volume type with name {kind} could not be found.")
    fields = {key: wanted[key] for key in ("name", "description", "snapshot_id", "source_volid") if wanted.get(key)}
    metadata = {key: str(value) for key, value in (wanted.get("metadata") or {}).items()}
    fields |= {"metadata": metadata} | ({"volume_type": store.volume_types.find(kind)[0]["name"]} if kind else {})
    # Machines never boot from volumes here, so a volume created from an image stays empty.
    fields["bootable"] = bool(wanted.get("imageRef"))
    volume = new_volume(store, call.project, call.token.user, size, **fields)
    answer = render_volume(call, volume)
    await call.ground.make_volume(volume["id"], size, like=source["id"] if source else None)
    volume["status"] = "available"
    return {"volume": answer}


@routes("PUT", VOLUMES + "/{ident}")
async def update_volume(call: Call) -> Record:
    volume, wanted = requested_volume(call), call.inner("volume")
    volume |= {key: wanted[key] for key in ("name", "description", "metadata") if key in wanted}
    volume["updated_at"] = now(MICROSECONDS)
    return {"volume": render_volume(call, volume)}


@routes("DELETE", VOLUMES + "/{ident}", status=202)
async def delete_volume(call: Call) -> None:
    volume = requested_volume(call)
    snapshots = call.store.snapshots.where(volume_id=volume["id"])
    if volume["status"] not in ("available", "error") or snapshots:
        allowed = "available or error or error_restoring or error_extending or error_managing"
        message = (
            f"Volume status must be {allowed} and must not be migrating, attached, belong to a group, have snapshots"
        )
        raise Refusal(400, f"Invalid volume: {message} or be disassociated from snapshots after volume transfer.")
    await call.ground.remove_volume(volume["id"])
    del call.store.volumes[volume["id"]]


@routes("GET", VOLUMES + "/{ident}/metadata")
async def show_metadata(call: Call) -> Record:
    return {"metadata": requested_volume(call)["metadata"]}


@routes("POST", VOLUMES + "/{ident}/metadata")
async def update_metadata(call: Call) -> Record:
    volume = requested_volume(call)
    volume["metadata"] |= {key: str(value) for key, value in call.inner("metadata").items()}
    return {"metadata": volume["metadata"]}


@routes("DELETE", VOLUMES + "/{ident}/metadata/{key}")
async def delete_metadata(call: Call) -> None:
    if requested_volume(call)["metadata"].pop(call.path_params["key"], None) is None:
        raise Refusal(404, f"Volume {call.path_params['ident']} has no metadata with key {call.path_params['key']}.")
