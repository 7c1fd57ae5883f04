"""Neutron v2.0: networks, subnets, routers, ports and security groups. Floating IPs are in neutron_floatingips."""

from __future__ import annotations

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import Record, Table, now, words
from zerojhub.practice.apis.neutron_records import (
    MISSING,
    add_interface,
    get,
    key,
    new_network,
    new_port,
    new_router,
    new_rule,
    new_security_group,
    new_subnet,
    set_gateway,
    shown,
    tables,
)
from zerojhub.practice.apis.wire import Call, Refusal, Service, change_quota, collection


def say_no(refusal: Refusal) -> JSONResponse:
    kind = refusal.kind or {404: "HTTPNotFound", 409: "Conflict"}.get(refusal.status, "HTTPBadRequest")
    return JSONResponse({"NeutronError": {"type": kind, "message": refusal.message, "detail": ""}}, refusal.status)


EXTENSIONS = words(
    "address-group agent allowed-address-pairs auto-allocated-topology availability_zone binding default-subnetpools "
    "dns-integration dvr external-net extra_dhcp_opt extraroute fip-port-details l3-flavors net-mtu "
    "network-ip-availability pagination port-security project-id provider quota_details quotas rbac-policies router "
    "security-group service-type shared-address-scope sorting standard-attr-description standard-attr-revisions "
    "standard-attr-tag standard-attr-timestamp subnet_allocation"
)

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
    records = [item for item in records if item["project_id"] == call.project or item.get("router:external")]
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
    if kind == "routers" and "external_gateway_info" in wanted:
        external = (wanted["external_gateway_info"] or {}).get("network_id")
        set_gateway(call.cloud, record, get(call.cloud, "networks", external) if external else None)
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
