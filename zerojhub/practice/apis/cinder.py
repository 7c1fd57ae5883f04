"""Cinder v3: volumes. Each is a disk that can be attached to a server. The rest of Cinder is in cinder_types."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import Cloud, Record, dotted, new_id, now
from zerojhub.practice.apis.wire import Call, Refusal, Service, collection

MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%f"
FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    413: "overLimit",
    503: "serviceUnavailable",
}
VOLUMES = "/v3/{project}/volumes"


def say_no(refusal: Refusal) -> JSONResponse:
    kind = FAULTS.get(refusal.status, "computeFault")
    return JSONResponse({kind: {"code": refusal.status, "message": refusal.message}}, refusal.status)


def negotiate(call: Call) -> dict[str, str]:
    """The microversion that the request asks for, put in `call.state.version`. Raises Refusal (406)."""
    words = call.headers.get("openstack-api-version", "").split()
    oldest, newest = call.cloud.profile.microversions("volumev3")
    wanted = words[1] if len(words) == 2 and words[0] in ("volume", "block-storage") else dotted(oldest)
    if wanted == "latest":
        wanted = dotted(newest)
    version = tuple(int(number) for number in wanted.split(".")) if re.fullmatch(r"\d+\.\d+", wanted) else (0, 0)
    if not oldest <= version <= newest:
        bounds = f"Minimum is {dotted(oldest)} and maximum is {dotted(newest)}."
        raise Refusal(406, f"Version {wanted} is not supported by the API. {bounds}")
    call.state.version = version
    return {"OpenStack-API-Version": f"volume {wanted}", "Vary": "OpenStack-API-Version"}


cinder = Service("volumev3", "/volume", say_no, negotiate)


@cinder.route("GET", "", status=300, public=True)
@cinder.route("GET", "/v3", public=True)
async def versions(call: Call) -> Record:
    oldest, newest = call.cloud.profile.microversions("volumev3")
    version = {
        "id": "v3.0",
        "status": "CURRENT",
        "version": dotted(newest),
        "min_version": dotted(oldest),
        "updated": "2023-08-31T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.origin}/volume/v3/"}],
        "media-types": [],
    }
    return {"versions": [version]}


def beyond_quota(cloud: Cloud, project: str, **wanted: int) -> None:
    """Raises Refusal (413) when the project may not have that many more of each."""
    quota, used = cloud.quotas["volume"], cloud.usage("volume", project)
    for name in cloud.over_quota("volume", project, wanted):
        if name == "gigabytes":
            asked = f"Requested {wanted[name]}G, quota is {quota[name]}G and {used[name]}G has been consumed."
            message = f"Requested volume or snapshot exceeds allowed gigabytes quota. {asked}"
            raise Refusal(413, f"VolumeSizeExceedsAvailableQuota: {message}")
        kind, which = name.removesuffix("s").capitalize(), " for quota 'volumes'." if name == "volumes" else ""
        raise Refusal(413, f"{kind}LimitExceeded: Maximum number of {name} allowed ({quota[name]}) exceeded{which}")


def new_volume(cloud: Cloud, project: str, user: str, size: int, **fields: Any) -> Record:
    """A volume of `size` GB that is being made. Raises Refusal (413) beyond the quota."""
    beyond_quota(cloud, project, volumes=1, gigabytes=size)
    volume = {
        "id": new_id(),
        "name": "",
        "description": None,
        "size": size,
        "status": "creating",
        "volume_type": next(iter(cloud.volume_types.values()))["name"],
        "bootable": False,
        "snapshot_id": None,
        "source_volid": None,
        "metadata": {},
        "project_id": project,
        "user_id": user,
        "availability_zone": cloud.zone,
        "created_at": now(MICROSECONDS),
        "updated_at": None,
        **fields,
    }
    return cloud.volumes.add(volume)


def links(call: Call, volume: Record) -> list[Record]:
    path = f"{volume['project_id']}/volumes/{volume['id']}"
    base = f"{call.origin}/volume"
    return [{"rel": "self", "href": f"{base}/v3/{path}"}, {"rel": "bookmark", "href": f"{base}/{path}"}]


def shown(call: Call, volume: Record) -> Record:
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
        for item in call.cloud.attachments.where(volume_id=volume["id"])
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


def find_volume(cloud: Cloud, ident: str | None) -> Record:
    if ident not in cloud.volumes:
        raise Refusal(404, f"Volume {ident} could not be found.")
    return cloud.volumes[ident]


def a_volume(call: Call) -> Record:
    return find_volume(call.cloud, call.path_params["ident"])


def own_volumes(call: Call) -> list[Record]:
    volumes = call.cloud.volumes.where(project_id=call.project)
    for name in ("name", "status", "availability_zone"):
        if wanted := call.query_params.get(name):
            volumes = [volume for volume in volumes if volume[name] == wanted]
    return volumes


@cinder.route("GET", VOLUMES)
async def list_volumes(call: Call) -> Record:
    brief = [{"id": item["id"], "name": item["name"], "links": links(call, item)} for item in own_volumes(call)]
    return collection(call, "volumes", brief)


@cinder.route("GET", VOLUMES + "/detail")
async def list_volumes_in_detail(call: Call) -> Record:
    return collection(call, "volumes", [shown(call, volume) for volume in own_volumes(call)])


@cinder.route("GET", VOLUMES + "/summary")
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


@cinder.route("GET", VOLUMES + "/{ident}")
async def show_volume(call: Call) -> Record:
    return {"volume": shown(call, a_volume(call))}


def origin(call: Call, wanted: Record) -> Record | None:
    """The volume or the snapshot that a new volume is to be made of. Raises Refusal (404)."""
    if ident := wanted.get("snapshot_id"):
        if ident not in call.cloud.snapshots:
            raise Refusal(404, f"Snapshot {ident} could not be found.")
        return call.cloud.snapshots[ident]
    return find_volume(call.cloud, wanted["source_volid"]) if wanted.get("source_volid") else None


def check_size(call: Call, wanted: Record, size: int, source: Record | None) -> None:
    """Raises Refusal (400) for a volume that is too small for what is to be in it, and (404) for an image that is none."""
    why = ""
    if source and size < source["size"]:
        which = "the snapshot" if wanted.get("snapshot_id") else "original volume"
        gap = " " if wanted.get("snapshot_id") else "  "
        rule = f"They must be >= original {which.split()[1]} size."
        why = f"Volume size '{size}'GB cannot be smaller than {which} size{gap}{source['size']}GB. {rule}"
    if ident := wanted.get("imageRef"):
        image = call.cloud.images.get(ident)
        if not image:
            raise Refusal(404, f"Image {ident} could not be found.")
        if size < image["min_disk"]:
            why = f"Volume size {size}GB cannot be smaller than the image minDisk size {image['min_disk']}GB."
    if why:
        raise Refusal(400, f"Invalid input received: {why}")


@cinder.route("POST", VOLUMES, status=202)
async def create_volume(call: Call) -> Record:
    wanted, cloud = call.inner("volume"), call.cloud
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
    if kind and not cloud.volume_types.find(kind):
        raise Refusal(404, f"Volume type with name {kind} could not be found.")
    fields = {key: wanted[key] for key in ("name", "description", "snapshot_id", "source_volid") if wanted.get(key)}
    metadata = {key: str(value) for key, value in (wanted.get("metadata") or {}).items()}
    fields |= {"metadata": metadata} | ({"volume_type": cloud.volume_types.find(kind)[0]["name"]} if kind else {})
    # Machines boot from what their image says, and never from a volume: one of an image has nothing in it here.
    fields["bootable"] = bool(wanted.get("imageRef"))
    volume = new_volume(cloud, call.project, call.token.user, size, **fields)
    answer = shown(call, volume)
    await call.ground.make_volume(volume["id"], size, like=source["id"] if source else None)
    volume["status"] = "available"
    return {"volume": answer}


@cinder.route("PUT", VOLUMES + "/{ident}")
async def update_volume(call: Call) -> Record:
    volume, wanted = a_volume(call), call.inner("volume")
    volume |= {key: wanted[key] for key in ("name", "description", "metadata") if key in wanted}
    volume["updated_at"] = now(MICROSECONDS)
    return {"volume": shown(call, volume)}


@cinder.route("DELETE", VOLUMES + "/{ident}", status=202)
async def delete_volume(call: Call) -> None:
    volume = a_volume(call)
    snapshots = call.cloud.snapshots.where(volume_id=volume["id"])
    if volume["status"] not in ("available", "error") or snapshots:
        allowed = "available or error or error_restoring or error_extending or error_managing"
        message = (
            f"Volume status must be {allowed} and must not be migrating, attached, belong to a group, have snapshots"
        )
        raise Refusal(400, f"Invalid volume: {message} or be disassociated from snapshots after volume transfer.")
    await call.ground.remove_volume(volume["id"])
    del call.cloud.volumes[volume["id"]]


@cinder.route("GET", VOLUMES + "/{ident}/metadata")
async def show_metadata(call: Call) -> Record:
    return {"metadata": a_volume(call)["metadata"]}


@cinder.route("POST", VOLUMES + "/{ident}/metadata")
async def update_metadata(call: Call) -> Record:
    volume = a_volume(call)
    volume["metadata"] |= {key: str(value) for key, value in call.inner("metadata").items()}
    return {"metadata": volume["metadata"]}


@cinder.route("DELETE", VOLUMES + "/{ident}/metadata/{key}")
async def delete_metadata(call: Call) -> None:
    if a_volume(call)["metadata"].pop(call.path_params["key"], None) is None:
        raise Refusal(404, f"Volume {call.path_params['ident']} has no metadata with key {call.path_params['key']}.")
