"""The rest of Cinder: attachments, volume types, limits and quotas."""

from __future__ import annotations

from zerojhub.practice.apis.cinder import MICROSECONDS, cinder, find_volume
from zerojhub.practice.apis.cloud import Cloud, Record, new_id, now
from zerojhub.practice.apis.wire import Call, Refusal, change_quota, collection

# -- attachments --------------------------------------------------------------------------------------------------------


def a_attachment(call: Call) -> Record:
    ident = call.path_params["ident"]
    if ident not in call.cloud.attachments:
        raise Refusal(404, f"Volume attachment could not be found with filter: attachment_id = {ident}.")
    return call.cloud.attachments[ident]


@cinder.route("GET", "/v3/{project}/attachments")
@cinder.route("GET", "/v3/{project}/attachments/detail")
async def list_attachments(call: Call) -> Record:
    return collection(call, "attachments", list(call.cloud.attachments.values()))


@cinder.route("GET", "/v3/{project}/attachments/{ident}")
async def show_attachment(call: Call) -> Record:
    return {"attachment": a_attachment(call)}


def attach(cloud: Cloud, wanted: str | None, server: str | None, mode: str, **more: object) -> Record:
    """Attach the volume of this id, which is in use then. Raises Refusal: 404 for none, 400 for one that is not available."""
    volume = find_volume(cloud, wanted)
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
    return cloud.attachments.add(attachment)


def detach(cloud: Cloud, attachment: Record) -> None:
    """Its volume is available then."""
    del cloud.attachments[attachment["id"]]
    cloud.volumes[attachment["volume_id"]]["status"] = "available"


@cinder.route("POST", "/v3/{project}/attachments")
async def create_attachment(call: Call) -> Record:
    wanted = call.inner("attachment")
    server, mode = wanted.get("instance_uuid"), wanted.get("mode", "rw")
    return {"attachment": attach(call.cloud, wanted.get("volume_uuid"), server, mode)}


@cinder.route("DELETE", "/v3/{project}/attachments/{ident}")
async def delete_attachment(call: Call) -> Record:
    attachment = a_attachment(call)
    detach(call.cloud, attachment)
    return {"attachments": call.cloud.attachments.where(volume_id=attachment["volume_id"])}


# -- types, limits, quotas ----------------------------------------------------------------------------------------------


def new_type(cloud: Cloud, name: str, description: str | None) -> Record:
    kind = {
        "id": new_id(),
        "name": name,
        "description": description,
        "is_public": True,
        "os-volume-type-access:is_public": True,
        "qos_specs_id": None,
        "extra_specs": {},
    }
    return cloud.volume_types.add(kind)


def default_type(cloud: Cloud) -> Record:
    return next(iter(cloud.volume_types.values()))


@cinder.route("GET", "/v3/{project}/types")
async def list_types(call: Call) -> Record:
    return collection(call, "volume_types", list(call.cloud.volume_types.values()))


@cinder.route("GET", "/v3/{project}/types/{ident}")
async def show_type(call: Call) -> Record:
    ident = call.path_params["ident"]
    found = [default_type(call.cloud)] if ident == "default" else call.cloud.volume_types.find(ident)
    if not found:
        raise Refusal(404, f"Volume type {ident} could not be found.")
    return {"volume_type": found[0]}


@cinder.route("GET", "/v3/{project}/limits")
async def limits(call: Call) -> Record:
    quota, used = call.cloud.quotas["volume"], call.cloud.usage("volume", call.project)
    absolute = {
        "maxTotalVolumes": quota["volumes"],
        "maxTotalVolumeGigabytes": quota["gigabytes"],
        "maxTotalSnapshots": quota["snapshots"],
        "maxTotalBackups": quota["backups"],
        "maxTotalBackupGigabytes": quota["backup_gigabytes"],
        "totalVolumesUsed": used["volumes"],
        "totalGigabytesUsed": used["gigabytes"],
        "totalSnapshotsUsed": used["snapshots"],
        "totalBackupsUsed": 0,
        "totalBackupGigabytesUsed": 0,
    }
    return {"limits": {"rate": [], "absolute": absolute}}


@cinder.route("GET", "/v3/{project}/os-quota-sets/{owner}")
@cinder.route("GET", "/v3/{project}/os-quota-sets/{owner}/defaults")
async def show_quota(call: Call) -> Record:
    quota = call.cloud.quotas["volume"]
    body: Record = {**quota, "id": call.path_params["owner"]}
    if call.query_params.get("usage", "").lower() == "true":
        used = call.cloud.usage("volume", call.project)
        body |= {name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in quota.items()}
    return {"quota_set": body}


@cinder.route("PUT", "/v3/{project}/os-quota-sets/{owner}")
async def update_quota(call: Call) -> Record:
    return change_quota(call, "volume", "quota_set")


@cinder.route("GET", "/v3/{project}/os-availability-zone")
async def zones(call: Call) -> Record:
    zones = call.cloud.profile.availability_zones
    return {"availabilityZoneInfo": [{"zoneName": zone, "zoneState": {"available": True}} for zone in zones]}
