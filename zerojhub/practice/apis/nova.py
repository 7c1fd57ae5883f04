"""Nova v2.1: versions, flavors, limits and quotas. Servers and keypairs are in files of their own."""

from __future__ import annotations

import hashlib
import re

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import Cloud, Record, Table, dotted
from zerojhub.practice.apis.wire import Call, Refusal, Service, change_quota, collection

FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    501: "notImplemented",
}


def say_no(refusal: Refusal) -> JSONResponse:
    kind = FAULTS.get(refusal.status, "computeFault")
    body = {kind: {"code": refusal.status, "message": refusal.message}}
    return JSONResponse(body, refusal.status, media_type="application/json; charset=UTF-8")


def require(field: str, value: Record, *names: str) -> None:
    """Refuse (400) a body whose field lacks one of the names, in the words of Nova's schemas."""
    for name in names:
        if name not in value:
            message = f"Invalid input for field/attribute {field}. Value: {value}. {name!r} is a required property"
            raise Refusal(400, message)


def negotiate(call: Call) -> dict[str, str]:
    """The microversion that the request asks for, put in `call.state.version`. Raises Refusal (400, 406)."""
    words = call.headers.get("openstack-api-version", "").split()
    oldest, newest = call.cloud.profile.microversions("compute")
    wanted = words[1] if len(words) == 2 and words[0] == "compute" else call.headers.get("x-openstack-nova-api-version")
    if wanted == "latest":
        version = newest
    elif wanted:
        if not re.fullmatch(r"\d+\.\d+", wanted):
            raise Refusal(
                400, f"API Version String {wanted} is of invalid format. Must be of format MajorNum.MinorNum."
            )
        version = tuple(int(number) for number in wanted.split("."))
    else:
        version = oldest
    if not oldest <= version <= newest:
        bounds = f"Minimum is {dotted(oldest)} and maximum is {dotted(newest)}."
        raise Refusal(406, f"Version {wanted} is not supported by the API. {bounds}")
    call.state.version = version
    shown_version = dotted(version)
    return {
        "OpenStack-API-Version": f"compute {shown_version}",
        "X-OpenStack-Nova-API-Version": shown_version,
        "Vary": "OpenStack-API-Version, X-OpenStack-Nova-API-Version",
    }


# Nova says of nothing, too, that it is JSON.
nova = Service("compute", "/compute", say_no, negotiate, {"Content-Type": "application/json"})


def links(call: Call, path: str) -> list[Record]:
    base = f"{call.origin}/compute"
    return [{"rel": "self", "href": f"{base}/v2.1/{path}"}, {"rel": "bookmark", "href": f"{base}/{path}"}]


def host_id(project: str) -> str:
    """What Nova shows of the computer that a project's servers are on."""
    return hashlib.sha224(f"{project}practice".encode()).hexdigest()


# -- versions -----------------------------------------------------------------------------------------------------------


def version(call: Call) -> Record:
    oldest, newest = call.cloud.profile.microversions("compute")
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": dotted(newest),
        "min_version": dotted(oldest),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{call.origin}/compute/v2.1/"}],
    }


@nova.route("GET", "", public=True)
async def versions(call: Call) -> Record:
    return {"versions": [version(call)]}


@nova.route("GET", "/v2.1", public=True)
async def version_2_1(call: Call) -> Record:
    return {"version": {**version(call), "media-types": [{"base": "application/json", "type": "application/json"}]}}


# -- flavors ------------------------------------------------------------------------------------------------------------


def new_flavor(cloud: Cloud, ident: str, name: str, *, vcpus: int, ram: int, disk: int) -> Record:
    """`ram` is MB, `disk` GB."""
    return cloud.flavors.add({"id": ident, "name": name, "vcpus": vcpus, "ram": ram, "disk": disk})


def shown_flavor(call: Call, flavor: Record) -> Record:
    body = {
        **flavor,
        "swap": 0 if call.state.version >= (2, 75) else "",
        "rxtx_factor": 1.0,
        "OS-FLV-EXT-DATA:ephemeral": 0,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "links": links(call, f"flavors/{flavor['id']}"),
    }
    if call.state.version >= (2, 55):
        body["description"] = None
    if call.state.version >= (2, 61):
        body["extra_specs"] = {}
    return body


def get(table: Table, ident: str, words: str) -> Record:
    if ident not in table:
        raise Refusal(404, words.format(ident))
    return table[ident]


def a_flavor(call: Call) -> Record:
    return get(call.cloud.flavors, call.path_params["ident"], "Flavor {} could not be found.")


@nova.route("GET", "/v2.1/flavors")
async def list_flavors(call: Call) -> Record:
    brief = ("id", "name", "links", "description")
    flavors = [shown_flavor(call, flavor) for flavor in call.cloud.flavors.values()]
    return collection(call, "flavors", [{key: flavor[key] for key in brief if key in flavor} for flavor in flavors])


@nova.route("GET", "/v2.1/flavors/detail")
async def list_flavors_in_detail(call: Call) -> Record:
    return collection(call, "flavors", [shown_flavor(call, flavor) for flavor in call.cloud.flavors.values()])


@nova.route("GET", "/v2.1/flavors/{ident}")
async def show_flavor(call: Call) -> Record:
    return {"flavor": shown_flavor(call, a_flavor(call))}


@nova.route("GET", "/v2.1/flavors/{ident}/os-extra_specs")
async def extra_specs(call: Call) -> Record:
    a_flavor(call)
    return {"extra_specs": {}}


# -- limits and quotas --------------------------------------------------------------------------------------------------


@nova.route("GET", "/v2.1/limits")
async def limits(call: Call) -> Record:
    quota, used = call.cloud.quotas["compute"], call.cloud.usage("compute", call.project)
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
    # Limits of what Nova does not do itself any more are only shown as long as it did.
    if call.state.version <= (2, 35):
        network = call.cloud.quotas["network"]
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


@nova.route("GET", "/v2.1/os-quota-sets/{project}")
@nova.route("GET", "/v2.1/os-quota-sets/{project}/defaults")
async def show_quota(call: Call) -> Record:
    return {"quota_set": {**call.cloud.quotas["compute"], "id": call.path_params["project"]}}


@nova.route("GET", "/v2.1/os-quota-sets/{project}/detail")
async def quota_details(call: Call) -> Record:
    used = call.cloud.usage("compute", call.project)
    quota = call.cloud.quotas["compute"].items()
    body = {name: {"limit": limit, "in_use": used.get(name, 0), "reserved": 0} for name, limit in quota}
    return {"quota_set": {**body, "id": call.path_params["project"]}}


@nova.route("PUT", "/v2.1/os-quota-sets/{project}")
async def update_quota(call: Call) -> Record:
    return change_quota(call, "compute", "quota_set")


@nova.route("GET", "/v2.1/os-availability-zone")
async def zones(call: Call) -> Record:
    zones = call.cloud.profile.availability_zones
    shown = [{"zoneName": zone, "zoneState": {"available": True}, "hosts": None} for zone in zones]
    return {"availabilityZoneInfo": shown}


@nova.route("GET", "/v2.1/os-availability-zone/detail")
async def zones_in_detail(call: Call) -> None:
    raise Refusal(403, "Policy doesn't allow os_compute_api:os-availability-zone:detail to be performed.")
