"""Limits, quotas and availability zones."""

from __future__ import annotations

from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes, change_quota

routes = Routes()


@routes("GET", "/v3/{project}/limits")
async def limits(call: Call) -> Record:
    quota, used = call.store.quotas["volume"], call.store.usage("volume", call.project)
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


@routes("GET", "/v3/{project}/os-quota-sets/{owner}")
@routes("GET", "/v3/{project}/os-quota-sets/{owner}/defaults")
async def show_quota(call: Call) -> Record:
    quota = call.store.quotas["volume"]
    body: Record = {**quota, "id": call.path_params["owner"]}
    if call.query_params.get("usage", "").lower() == "true":
        used = call.store.usage("volume", call.project)
        body |= {name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in quota.items()}
    return {"quota_set": body}


@routes("PUT", "/v3/{project}/os-quota-sets/{owner}")
async def update_quota(call: Call) -> Record:
    return change_quota(call, "volume", "quota_set")


@routes("GET", "/v3/{project}/os-availability-zone")
async def zones(call: Call) -> Record:
    zones = call.store.profile.availability_zones
    return {"availabilityZoneInfo": [{"zoneName": zone, "zoneState": {"available": True}} for zone in zones]}
