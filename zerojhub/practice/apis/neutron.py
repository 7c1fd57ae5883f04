"""Neutron v2.0: networks, subnets, routers, ports and security groups. Floating IPs are in neutron_floatingips.

Every machine is on the one practice network in truth; the networks that are recorded here all take their addresses
from it.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import Cloud, Record, Table, new_id, now, words
from zerojhub.practice.apis.wire import Call, Refusal, Service, collection

DNS = "8.8.8.8"
"""The name server of subnets that name none, as with Magnum."""
# How Neutron names each kind when there is none of that id: type and words of the error.
MISSING = {
    "networks": ("NetworkNotFound", "Network {} could not be found."),
    "subnets": ("SubnetNotFound", "Subnet {} could not be found."),
    "routers": ("RouterNotFound", "Router {} could not be found"),
    "ports": ("PortNotFound", "Port {} could not be found."),
    "security-groups": ("SecurityGroupNotFound", "Security group {} does not exist"),
    "security-group-rules": ("SecurityGroupRuleNotFound", "Security group rule {} does not exist"),
    "floatingips": ("FloatingIPNotFound", "Floating IP {} could not be found"),
}
EXTENSIONS = words(
    "address-group agent allowed-address-pairs auto-allocated-topology availability_zone binding default-subnetpools "
    "dns-integration dvr external-net extra_dhcp_opt extraroute fip-port-details l3-flavors net-mtu "
    "network-ip-availability pagination port-security project-id provider quota_details quotas rbac-policies router "
    "security-group service-type shared-address-scope sorting standard-attr-description standard-attr-revisions "
    "standard-attr-tag standard-attr-timestamp subnet_allocation"
)


def say_no(refusal: Refusal) -> JSONResponse:
    kind = refusal.kind or {404: "HTTPNotFound", 409: "Conflict"}.get(refusal.status, "HTTPBadRequest")
    return JSONResponse({"NeutronError": {"type": kind, "message": refusal.message, "detail": ""}}, refusal.status)


neutron = Service("network", "/network", say_no)


def tables(cloud: Cloud) -> dict[str, Table]:
    return {
        "networks": cloud.networks,
        "subnets": cloud.subnets,
        "routers": cloud.routers,
        "ports": cloud.ports,
        "security-groups": cloud.security_groups,
        "security-group-rules": cloud.security_group_rules,
        "floatingips": cloud.floatingips,
    }


def key(kind: str) -> str:
    """The name that a body wraps a collection of the kind in."""
    return kind.replace("-", "_")


def missing(kind: str, ident: str) -> Refusal:
    name, words = MISSING[kind]
    return Refusal(404, words.format(ident), name)


def get(cloud: Cloud, kind: str, ident: str) -> Record:
    record = tables(cloud)[kind].get(ident)
    if not record:
        raise missing(kind, ident)
    return record


def within_quota(cloud: Cloud, project: str, resource: str) -> None:
    """Refuse (409) one more of the resource than the project may have."""
    if cloud.over_quota("network", project, {resource: 1}):
        raise Refusal(409, f"Quota exceeded for resources: ['{resource}'].", "OverQuota")


# -- records ------------------------------------------------------------------------------------------------------------


def common(project: str, name: str, description: str = "") -> Record:
    """What every Neutron record has."""
    return {
        "id": new_id(),
        "name": name,
        "description": description,
        "project_id": project,
        "tenant_id": project,
        "tags": [],
        "created_at": now(),
        "updated_at": now(),
        "revision_number": 1,
    }


def new_network(cloud: Cloud, project: str, name: str, *, external: bool = False, shared: bool = False) -> Record:
    within_quota(cloud, project, "network")
    network = {
        **common(project, name),
        "status": "ACTIVE",
        "admin_state_up": True,
        "subnets": [],
        "shared": shared,
        "router:external": external,
        "is_default": external,
        "mtu": 1500,
        "port_security_enabled": True,
        "availability_zone_hints": [],
        "availability_zones": ["nova"],
        "ipv4_address_scope": None,
        "ipv6_address_scope": None,
    }
    return cloud.networks.add(network)


def new_subnet(
    cloud: Cloud,
    project: str,
    network: Record,
    name: str,
    cidr: str,
    *,
    dhcp: bool = True,
    nameservers: list[str] | None = None,
) -> Record:
    within_quota(cloud, project, "subnet")
    hosts = ipaddress.IPv4Network(cidr)
    subnet = {
        **common(project, name),
        "network_id": network["id"],
        "ip_version": 4,
        "cidr": cidr,
        "gateway_ip": cloud.gateway if cidr == cloud.network else str(hosts[1]),
        "allocation_pools": [{"start": str(hosts[2]), "end": str(hosts[-2])}],
        "enable_dhcp": dhcp,
        "dns_nameservers": nameservers or [],
        "host_routes": [],
        "subnetpool_id": None,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
        "service_types": [],
    }
    network["subnets"].append(subnet["id"])
    return cloud.subnets.add(subnet)


def new_port(cloud: Cloud, project: str, network: Record, name: str = "", address: str = "", **fields: Any) -> Record:
    """A port with an address of its network's subnet: the one asked for, or the next free one."""
    within_quota(cloud, project, "port")
    subnet = cloud.subnets[network["subnets"][0]] if network["subnets"] else None
    fixed = []
    if subnet:
        found = address or cloud.free_address(subnet["cidr"])
        if not found:
            message = f"No more IP addresses available on network {network['id']}."
            raise Refusal(409, message, "IpAddressGenerationFailure")
        fixed = [{"subnet_id": subnet["id"], "ip_address": found}]
    port = {
        **common(project, name),
        "network_id": network["id"],
        "status": "ACTIVE",
        "admin_state_up": True,
        "mac_address": "fa:16:3e:" + ":".join(secrets.token_hex(1) for _ in range(3)),
        "fixed_ips": fixed,
        "device_id": "",
        "device_owner": "",
        "security_groups": [],
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "port_security_enabled": True,
        "binding:vnic_type": "normal",
        "qos_policy_id": None,
        **fields,
    }
    return cloud.ports.add(port)


def new_router(cloud: Cloud, project: str, name: str, external: Record | None, subnets: list[Record]) -> Record:
    within_quota(cloud, project, "router")
    router = {
        **common(project, name),
        "status": "ACTIVE",
        "admin_state_up": True,
        "external_gateway_info": None,
        "ha": False,
        "distributed": False,
        "routes": [],
        "flavor_id": None,
        "availability_zone_hints": [],
        "availability_zones": ["nova"],
    }
    cloud.routers.add(router)
    if external:
        gateway = {"device_id": router["id"], "device_owner": "network:router_gateway"}
        port = new_port(cloud, "", external, **gateway)
        info = {"network_id": external["id"], "enable_snat": True, "external_fixed_ips": port["fixed_ips"]}
        router["external_gateway_info"] = info
    for subnet in subnets:
        add_interface(cloud, router, subnet)
    return router


def add_interface(cloud: Cloud, router: Record, subnet: Record) -> Record:
    owner = {"device_id": router["id"], "device_owner": "network:router_interface"}
    return new_port(cloud, router["project_id"], cloud.networks[subnet["network_id"]], **owner)


def new_security_group(cloud: Cloud, project: str, name: str, description: str = "") -> Record:
    within_quota(cloud, project, "security_group")
    group = {**common(project, name, description), "stateful": True, "shared": False}
    cloud.security_groups.add(group)
    for version in ("IPv4", "IPv6"):
        new_rule(cloud, group, {"direction": "egress", "ethertype": version})
    return group


def new_rule(cloud: Cloud, group: Record, wanted: Record) -> Record:
    names = ("protocol", "port_range_min", "port_range_max", "remote_ip_prefix", "remote_group_id")
    rule = {
        **common(group["project_id"], ""),
        "security_group_id": group["id"],
        "direction": wanted.get("direction", "ingress"),
        "ethertype": wanted.get("ethertype", "IPv4"),
        "description": wanted.get("description", ""),
        "remote_address_group_id": None,
        **{name: wanted.get(name) for name in names},
    }
    return cloud.security_group_rules.add(rule)


def default_security_group(cloud: Cloud, project: str) -> Record:
    group = new_security_group(cloud, project, "default", "Default security group")
    for version in ("IPv4", "IPv6"):
        new_rule(cloud, group, {"ethertype": version, "remote_group_id": group["id"]})
    return group


def shown(cloud: Cloud, kind: str, record: Record) -> Record:
    if kind == "security-groups":
        return {**record, "security_group_rules": cloud.security_group_rules.where(security_group_id=record["id"])}
    return record


# -- requests -----------------------------------------------------------------------------------------------------------


@neutron.route("GET", "", public=True)
async def versions(call: Call) -> Record:
    links = [{"rel": "self", "href": f"{call.origin}/network/v2.0/"}]
    return {"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]}


@neutron.route("GET", "/v2.0", public=True)
async def resources(call: Call) -> Record:
    links = {kind: [{"rel": "self", "href": f"{call.origin}/network/v2.0/{kind}"}] for kind in tables(call.cloud)}
    return {"resources": [{"name": kind, "collection": kind, "links": link} for kind, link in links.items()]}


def extension(alias: str) -> Record:
    return {"alias": alias, "name": alias, "description": alias, "links": [], "updated": "2020-01-01T00:00:00-00:00"}


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
    return {"availability_zones": [{"name": "nova", "resource": kind, "state": "available"} for kind in kinds]}


@neutron.route("GET", "/v2.0/quotas/{project}")
async def show_quota(call: Call) -> Record:
    return {"quota": call.cloud.quotas["network"]}


@neutron.route("GET", "/v2.0/quotas/{project}/default")
async def show_default_quota(call: Call) -> Record:
    return {"quota": call.cloud.quotas["network"]}


@neutron.route("PUT", "/v2.0/quotas/{project}")
async def update_quota(call: Call) -> Record:
    limits = call.cloud.quotas["network"]
    limits |= {name: int(value) for name, value in call.inner("quota").items() if name in limits}
    return {"quota": limits}


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
    if kind in MISSING:
        visible = (call.project, "")
        shared = ("shared", "router:external")
        records = [item for item in records if item["project_id"] in visible or any(item.get(flag) for flag in shared)]
    for name in set(call.query_params) - hidden:
        values = call.query_params.getlist(name)
        records = [record for record in records if matches(record, name, values)]
    body = collection(call, key(kind), [shown(call.cloud, kind, record) for record in records])
    if fields := call.query_params.getlist("fields"):
        body[key(kind)] = [{name: item[name] for name in fields if name in item} for item in body[key(kind)]]
    return body


def known(call: Call, kind: str) -> Table:
    """The table of the kind. Raises Refusal (404) for a kind that is not kept here."""
    if kind not in MISSING:
        raise Refusal(404, "The resource could not be found.")
    return tables(call.cloud)[kind]


@neutron.route("GET", "/v2.0/{kind}/{ident}")
async def show_record(call: Call) -> Record:
    kind, ident = call.path_params["kind"], call.path_params["ident"].removesuffix(".json")
    known(call, kind)
    return {key(kind)[:-1]: shown(call.cloud, kind, get(call.cloud, kind, ident))}


@neutron.route("POST", "/v2.0/{kind}", status=201)
async def create_record(call: Call) -> Record:
    kind = call.path_params["kind"].removesuffix(".json")
    known(call, kind)
    singular = key(kind)[:-1]
    wanted = call.inner(singular)
    cloud, project, name = call.cloud, call.project, wanted.get("name", "")
    match kind:
        case "networks":
            record = new_network(cloud, project, name)
        case "subnets":
            network = get(cloud, "networks", wanted.get("network_id", ""))
            record = new_subnet(cloud, project, network, name, wanted.get("cidr") or cloud.network)
        case "routers":
            gateway = (wanted.get("external_gateway_info") or {}).get("network_id")
            record = new_router(cloud, project, name, get(cloud, "networks", gateway) if gateway else None, [])
        case "ports":
            network = get(cloud, "networks", wanted.get("network_id", ""))
            fixed = (wanted.get("fixed_ips") or [{}])[0].get("ip_address", "")
            named = ("device_id", "device_owner", "security_groups")
            record = new_port(cloud, project, network, name, fixed, **{k: wanted[k] for k in named if k in wanted})
        case "security-groups":
            record = new_security_group(cloud, project, name, wanted.get("description", ""))
        case "security-group-rules":
            record = new_rule(cloud, get(cloud, "security-groups", wanted.get("security_group_id", "")), wanted)
        case _:
            raise Refusal(404, "The resource could not be found.")
    if wanted.get("description"):
        record["description"] = wanted["description"]
    return {singular: shown(cloud, kind, record)}


@neutron.route("PUT", "/v2.0/{kind}/{ident}")
async def update_record(call: Call) -> Record:
    kind, ident = call.path_params["kind"], call.path_params["ident"]
    known(call, kind)
    record = get(call.cloud, kind, ident)
    wanted = call.inner(key(kind)[:-1])
    changeable = (
        "name",
        "description",
        "admin_state_up",
        "security_groups",
        "dns_nameservers",
        "allowed_address_pairs",
    )
    record |= {name: wanted[name] for name in changeable if name in wanted}
    record |= {"updated_at": now(), "revision_number": record["revision_number"] + 1}
    return {key(kind)[:-1]: shown(call.cloud, kind, record)}


@neutron.route("PUT", "/v2.0/routers/{ident}/add_router_interface")
async def add_router_interface(call: Call) -> Record:
    router = get(call.cloud, "routers", call.path_params["ident"])
    subnet = get(call.cloud, "subnets", (call.data or {}).get("subnet_id", ""))
    port = add_interface(call.cloud, router, subnet)
    return {"id": router["id"], "subnet_id": subnet["id"], "port_id": port["id"], "network_id": port["network_id"]}


@neutron.route("PUT", "/v2.0/routers/{ident}/remove_router_interface")
async def remove_router_interface(call: Call) -> Record:
    router = get(call.cloud, "routers", call.path_params["ident"])
    subnet = get(call.cloud, "subnets", (call.data or {}).get("subnet_id", ""))
    for port in call.cloud.ports.where(device_id=router["id"], network_id=subnet["network_id"]):
        del call.cloud.ports[port["id"]]
    return {"id": router["id"], "subnet_id": subnet["id"]}


def forget(cloud: Cloud, kind: str, ident: str) -> None:
    """Delete a record and what goes with it. Raises Refusal (409) while something else needs it."""
    record = get(cloud, kind, ident)
    if kind == "networks":
        if any(not port["device_owner"].startswith("network:") for port in cloud.ports.where(network_id=ident)):
            message = f"Unable to complete operation on network {ident}. There are one or more ports still in use on the network."
            raise Refusal(409, message, "NetworkInUse")
        for subnet in record["subnets"]:
            cloud.subnets.pop(subnet, None)
    if kind == "subnets":
        with contextlib.suppress(KeyError, ValueError):
            cloud.networks[record["network_id"]]["subnets"].remove(ident)
    if kind == "routers":
        interfaces = cloud.ports.where(device_id=ident)
        if any(port["device_owner"] == "network:router_interface" for port in interfaces):
            raise Refusal(409, f"Router {ident} still has ports", "RouterInUse")
        for port in interfaces:
            del cloud.ports[port["id"]]
    if kind == "security-groups":
        for rule in cloud.security_group_rules.where(security_group_id=ident):
            del cloud.security_group_rules[rule["id"]]
    del tables(cloud)[kind][ident]
