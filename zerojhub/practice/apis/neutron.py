"""Neutron v2.0: networks, subnets, routers, ports and security groups, to read and to change. What makes them is in neutron_creation."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import Record, Table, now
from zerojhub.practice.apis.neutron_bodies import SETTABLE, allowed
from zerojhub.practice.apis.neutron_records import (
    INTERFACE,
    MISSING,
    add_interface,
    get,
    interfaces,
    key,
    set_gateway,
    shown,
    tables,
)
from zerojhub.practice.apis.wire import Call, Refusal, Service, change_quota, collection


def say_no(refusal: Refusal) -> JSONResponse:
    kind = refusal.kind or {404: "HTTPNotFound", 409: "Conflict"}.get(refusal.status, "HTTPBadRequest")
    return JSONResponse({"NeutronError": {"type": kind, "message": refusal.message, "detail": ""}}, refusal.status)


EXTENSIONS = {
    "allowed-address-pairs": "Allowed Address Pairs",
    "availability_zone": "Availability Zone",
    "binding": "Port Binding",
    "external-net": "Neutron external network",
    "extra_dhcp_opt": "Neutron Extra DHCP options",
    "extraroute": "Neutron Extra Route",
    "fip-port-details": "Floating IP Port Details Extension",
    "l3-ha": "HA Router extension",
    "net-mtu": "Network MTU",
    "pagination": "Pagination support",
    "port-security": "Port Security",
    "project-id": "project_id field enabled",
    "quota_details": "Quota details management support",
    "quotas": "Quota management support",
    "router": "Neutron L3 Router",
    "security-group": "security-group",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-tag": "Tag support for resources with standard attribute",
    "standard-attr-timestamp": "Resource timestamps",
    "stateful-security-group": "Stateful security group",
    "tag-creation": "Tag creation extension",
}

neutron = Service("network", "/network", say_no)


@neutron.route("GET", "", public=True)
async def versions(call: Call) -> Record:
    links = [{"rel": "self", "href": f"{call.origin}/network/v2.0/"}]
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}


@neutron.route("GET", "/v2.0", public=True)
async def resources(call: Call) -> Record:
    links = {kind: [{"rel": "self", "href": f"{call.origin}/network/v2.0/{kind}"}] for kind in tables(call.cloud)}
    return {"resources": [{"name": kind, "collection": kind, "links": link} for kind, link in links.items()]}


def extension(alias: str) -> Record:
    name = EXTENSIONS[alias]
    return {"alias": alias, "name": name, "description": name, "links": [], "updated": "2020-01-01T00:00:00-00:00"}


@neutron.route("GET", "/v2.0/extensions")
async def extensions(call: Call) -> Record:
    return {"extensions": [extension(alias) for alias in EXTENSIONS]}


@neutron.route("GET", "/v2.0/extensions/{alias}")
async def show_extension(call: Call) -> Record:
    alias = call.path_params["alias"]
    if alias not in EXTENSIONS:
        raise Refusal(404, f"Extension with alias {alias} does not exist")
    return {"extension": extension(alias)}


@neutron.route("GET", "/v2.0/availability_zones")
async def zones(call: Call) -> Record:
    kinds = ("network", "router")
    zones = [
        {"name": zone, "resource": kind, "state": "available"}
        for zone in call.cloud.profile.availability_zones
        for kind in kinds
    ]
    return {"availability_zones": zones}


@neutron.route("GET", "/v2.0/service-providers")
async def service_providers(call: Call) -> Record:
    """What may make routers: Neutron knows these four by itself."""
    names = ("dvrha", "dvr", "ha", "single_node")
    providers = [{"service_type": "L3_ROUTER_NAT", "name": name, "default": False} for name in names]
    wanted = call.query_params.getlist("service_type")
    return {"service_providers": [each for each in providers if not wanted or each["service_type"] in wanted]}


@neutron.route("GET", "/v2.0/quotas/{project}")
async def show_quota(call: Call) -> Record:
    return {"quota": call.cloud.quotas["network"]}


@neutron.route("GET", "/v2.0/quotas/{project}/default")
async def show_default_quota(call: Call) -> Record:
    return {"quota": call.cloud.quotas["network"]}


@neutron.route("PUT", "/v2.0/quotas/{project}")
async def update_quota(call: Call) -> Record:
    return change_quota(call, "network", "quota")


@neutron.route("GET", "/v2.0/quotas/{project}/details.json")
@neutron.route("GET", "/v2.0/quotas/{project}/details")
async def quota_details(call: Call) -> Record:
    used = call.cloud.usage("network", call.project)
    limits = call.cloud.quotas["network"]
    return {
        "quota": {name: {"limit": limit, "used": used.get(name, 0), "reserved": 0} for name, limit in limits.items()}
    }


def matches(record: Record, name: str, values: list[str]) -> bool:
    """Whether the record has one of the values that a query filter asks for."""
    if name == "fixed_ips":
        wanted = [value.partition("=")[::2] for value in values]
        addresses = record.get("fixed_ips", [])
        return all(any(address.get(key) == value for address in addresses) for key, value in wanted)
    if name == "tags":
        return set(",".join(values).split(",")) <= set(record["tags"])
    if name == "security_groups":
        return bool(set(values) & set(record.get("security_groups", [])))
    return str(record.get(name)).lower() in [value.lower() for value in values]


@neutron.route("GET", "/v2.0/{kind}")
async def list_records(call: Call) -> Record:
    kind = call.path_params["kind"].removesuffix(".json")
    records = list(known(call, kind).values())
    hidden = {"limit", "marker", "sort_key", "sort_dir", "page_reverse", "fields"}
    # External networks are everyone's to see.
    records = [
        item
        for item in records
        if item["project_id"] == call.project or (kind == "networks" and item["router:external"])
    ]
    for name in set(call.query_params) - hidden:
        values = call.query_params.getlist(name)
        records = [record for record in records if matches(record, name, values)]
    body = collection(call, key(kind), [shown(call.cloud, kind, record) for record in records])
    body[key(kind)] = [with_fields(call, item) for item in body[key(kind)]]
    return body


def with_fields(call: Call, record: Record) -> Record:
    """The fields that the query asks for: all when it names none."""
    fields = call.query_params.getlist("fields")
    return {name: record[name] for name in fields if name in record} if fields else record


def body_of(body: Any, name: str) -> Record:
    """What a request's body says of the resource. Raises Refusal (400) for a body that says nothing of it."""
    if not isinstance(body, dict) or not isinstance(body.get(name), dict):
        raise Refusal(400, f"Unable to find '{name}' in request body")
    named = body[name].get("name", "")
    if not isinstance(named, str):
        raise Refusal(400, f"Invalid input for name. Reason: '{named}' is not a valid string.")
    return body[name]


def known(call: Call, kind: str) -> Table:
    """The table of the kind. Raises Refusal (404) for a kind that is not kept here."""
    if kind not in MISSING:
        raise Refusal(404, "The resource could not be found.")
    return tables(call.cloud)[kind]


@neutron.route("GET", "/v2.0/{kind}/{ident}")
async def show_record(call: Call) -> Record:
    kind, ident = call.path_params["kind"], call.path_params["ident"].removesuffix(".json")
    known(call, kind)
    return {key(kind)[:-1]: with_fields(call, shown(call.cloud, kind, get(call.cloud, kind, ident)))}


def port_groups(call: Call, wanted: Record) -> Record:
    """The security groups of a new port: those that are named, or else the project's default one."""
    if wanted.get("port_security_enabled") is False:
        return {"security_groups": []}
    if (named := wanted.get("security_groups")) is not None:
        return {"security_groups": [get(call.cloud, "security-groups", ident)["id"] for ident in named]}
    default = call.cloud.security_groups.where(project_id=call.project, name="default")
    return {"security_groups": [group["id"] for group in default]}


@neutron.route("PUT", "/v2.0/{kind}/{ident}")
async def update_record(call: Call) -> Record:
    kind, ident = call.path_params["kind"], call.path_params["ident"]
    known(call, kind)
    record = get(call.cloud, kind, ident)
    wanted = body_of(call.data, key(kind)[:-1])
    if kind == "ports" and wanted.get("security_groups"):
        port_groups(call, wanted)
    record |= allowed(call, "update", kind, wanted) if kind in SETTABLE else {}
    if kind == "routers" and "external_gateway_info" in wanted:
        external = (wanted["external_gateway_info"] or {}).get("network_id")
        network = get(call.cloud, "networks", external) if external else None
        if network and not network["router:external"]:
            message = f"Bad router request: Network {external} is not an external network."
            raise Refusal(400, message, "BadRequest")
        if not network and call.cloud.floatingips.where(router_id=ident):
            message = (
                f"Gateway cannot be updated for router {ident}, since a gateway to external network "
                f"{record['external_gateway_info']['network_id']} is required by one or more floating IPs."
            )
            raise Refusal(409, message, "RouterExternalGatewayInUseByFloatingIp")
        set_gateway(call.cloud, record, network)
    record |= {"updated_at": now(), "revision_number": record["revision_number"] + 1}
    return {key(kind)[:-1]: shown(call.cloud, kind, record)}


def interface(router: Record, port: Record) -> Record:
    subnet = port["fixed_ips"][0]["subnet_id"]
    return {
        "id": router["id"],
        "project_id": router["project_id"],
        "network_id": port["network_id"],
        "port_id": port["id"],
        "subnet_id": subnet,
        "subnet_ids": [subnet],
    }


@neutron.route("PUT", "/v2.0/routers/{ident}/add_router_interface")
async def add_router_interface(call: Call) -> Record:
    cloud, wanted = call.cloud, call.data or {}
    router = get(cloud, "routers", call.path_params["ident"])
    if wanted.get("port_id"):
        port = get(cloud, "ports", wanted["port_id"])
        port |= {"device_id": router["id"], "device_owner": INTERFACE}
        return interface(router, port)
    return interface(router, add_interface(cloud, router, subnet_of(call)))


def subnet_of(call: Call) -> Record:
    """The subnet that a request about a router's interface names."""
    subnet = (call.data or {}).get("subnet_id")
    if not subnet:
        raise Refusal(400, "Bad router request: Either subnet_id or port_id must be specified.", "BadRequest")
    return get(call.cloud, "subnets", subnet)


@neutron.route("PUT", "/v2.0/routers/{ident}/remove_router_interface")
async def remove_router_interface(call: Call) -> Record:
    cloud, wanted = call.cloud, call.data or {}
    router = get(cloud, "routers", call.path_params["ident"])
    if ident := wanted.get("port_id"):
        found = cloud.ports.where(id=ident, device_id=router["id"], device_owner=INTERFACE)
        missing = f"Router {router['id']} does not have an interface with id {ident}", "RouterInterfaceNotFound"
    else:
        subnet = subnet_of(call)["id"]
        found = interfaces(cloud, router, subnet)
        missing = f"Router {router['id']} has no interface on subnet {subnet}", "RouterInterfaceNotFoundForSubnet"
    if not found:
        raise Refusal(404, *missing)
    (port,) = found
    behind = {each["id"] for each in cloud.ports.where(network_id=port["network_id"])}
    if any(floating["port_id"] in behind for floating in cloud.floatingips.where(router_id=router["id"])):
        message = (
            f"Router interface for subnet {port['fixed_ips'][0]['subnet_id']} on router {router['id']} cannot be deleted, "
            "as it is required by one or more floating IPs."
        )
        raise Refusal(409, message, "RouterInterfaceInUseByFloatingIP")
    del cloud.ports[port["id"]]
    return interface(router, port)
