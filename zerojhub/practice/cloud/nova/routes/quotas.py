"""Limits, quotas and availability zones."""

from __future__ import annotations

from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes, change_quota

routes = Routes()


@routes("GET", "/v2.1/limits")
async def limits(call: Call) -> Record:
    quota, used = call.store.quotas["compute"], call.store.usage("compute", call.project)
    absolute = {
        "maxTotalInstances": quota["instances"],
        "maxTotalCores": quota["cores"],
        "maxTotalRAMSize": quota["ram"],
        "maxTotalKeypairs": quota["key_pairs"],
        "maxServerMeta": quota["metadata_items"],
        "maxServerGroups": quota["server_groups"],
        "maxServerGroupMembers": quota["server_group_members"],
        "totalInstancesUsed": used["instances"],
        "totalCoresUsed": used["cores"],
        "totalRAMUsed": used["ram"],
        "totalServerGroupsUsed": used["server_groups"],
    }
    # Limits of other services' resources are shown only in microversions in which Nova managed them.
    if call.state.version <= (2, 35):
        network = call.store.quotas["network"]
        absolute |= {
            "maxTotalFloatingIps": network["floatingip"],
            "maxSecurityGroups": network["security_group"],
            "maxSecurityGroupRules": network["security_group_rule"],
        }
    if call.state.version <= (2, 38):
        absolute["maxImageMeta"] = quota["metadata_items"]
    if call.state.version <= (2, 56):
        absolute |= {"maxPersonality": 5, "maxPersonalitySize": 10240}
    return {"limits": {"rate": [], "absolute": absolute}}


@routes("GET", "/v2.1/os-quota-sets/{project}")
@routes("GET", "/v2.1/os-quota-sets/{project}/defaults")
async def show_quota(call: Call) -> Record:
    return {"quota_set": {**call.store.quotas["compute"], "id": call.path_params["project"]}}


@routes("GET", "/v2.1/os-quota-sets/{project}/detail")
async def quota_details(call: Call) -> Record:
    used = call.store.usage("compute", call.project)
    quota = call.store.quotas["compute"].items()
    body = {name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in quota}
    return {"quota_set": {**body, "id": call.path_params["project"]}}


@routes("PUT", "/v2.1/os-quota-sets/{project}")
async def update_quota(call: Call) -> Record:
    return change_quota(call, "compute", "quota_set")


@routes("GET", "/v2.1/os-availability-zone")
async def zones(call: Call) -> Record:
    zones = call.store.profile.availability_zones
    info = [{"zoneName": zone, "zoneState": {"available": True}, "hosts": None} for zone in zones]
    return {"availabilityZoneInfo": info}


@routes("GET", "/v2.1/os-availability-zone/detail")
async def zones_in_detail(call: Call) -> None:
    raise Refusal(403, "Policy doesn't allow os_compute_api:os-availability-zone:detail to be performed.")
