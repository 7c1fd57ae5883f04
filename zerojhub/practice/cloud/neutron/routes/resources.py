"""Networks, subnets, subnet pools, routers, ports and security groups: requests that all kinds have in common."""

from __future__ import annotations

from typing import Any

from zerojhub.practice.cloud.neutron.errors import REQUIRED, require
from zerojhub.practice.cloud.neutron.floatingips import delete_floatingip, delete_port
from zerojhub.practice.cloud.neutron.policy import SETTABLE, settable
from zerojhub.practice.cloud.neutron.records import (
    forget,
    get,
    key,
    new_network,
    new_port,
    new_router,
    new_rule,
    new_security_group,
    new_subnet,
    new_subnet_pool,
    prefix_of,
    render,
    set_gateway,
)
from zerojhub.practice.cloud.neutron.requests import body_of, port_groups, table_of
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, now
from zerojhub.practice.cloud.wire import Call, Routes, collection

routes = Routes()


def matches(record: Record, name: str, values: list[str]) -> bool:
    """Whether the record matches a query filter."""
    if name == "fixed_ips":
        wanted = [value.partition("=")[::2] for value in values]
        addresses = record.get("fixed_ips", [])
        return all(any(address.get(key) == value for address in addresses) for key, value in wanted)
    if name == "tags":
        return set(",".join(values).split(",")) <= set(record["tags"])
    if name == "security_groups":
        return bool(set(values) & set(record.get("security_groups", [])))
    return str(record.get(name)).lower() in [value.lower() for value in values]


@routes("GET", "/v2.0/{kind}")
async def list_records(call: Call) -> Record:
    kind = call.path_params["kind"].removesuffix(".json")
    records = list(table_of(call, kind).values())
    hidden = {"limit", "marker", "sort_key", "sort_dir", "page_reverse", "fields"}
    # Everyone can see external networks.
    records = [
        item
        for item in records
        if item["project_id"] == call.project or (kind == "networks" and item["router:external"])
    ]
    for name in set(call.query_params) - hidden:
        values = call.query_params.getlist(name)
        records = [record for record in records if matches(record, name, values)]
    body = collection(call, key(kind), [render(call.store, kind, record) for record in records])
    body[key(kind)] = [with_fields(call, item) for item in body[key(kind)]]
    return body


def with_fields(call: Call, record: Record) -> Record:
    """The requested fields of the record; default: all."""
    fields = call.query_params.getlist("fields")
    return {name: record[name] for name in fields if name in record} if fields else record


@routes("GET", "/v2.0/{kind}/{ident}")
async def show_record(call: Call) -> Record:
    kind, ident = call.path_params["kind"], call.path_params["ident"].removesuffix(".json")
    table_of(call, kind)
    return {key(kind)[:-1]: with_fields(call, render(call.store, kind, get(call.store, kind, ident)))}


@routes("PUT", "/v2.0/{kind}/{ident}")
async def update_record(call: Call) -> Record:
    kind, ident = call.path_params["kind"], call.path_params["ident"]
    table_of(call, kind)
    record = get(call.store, kind, ident)
    wanted = body_of(call.data, key(kind)[:-1])
    if kind == "ports" and wanted.get("security_groups"):
        port_groups(call, wanted)
    record |= settable(call, "update", kind, wanted) if kind in SETTABLE else {}
    if kind == "routers" and "external_gateway_info" in wanted:
        external = (wanted["external_gateway_info"] or {}).get("network_id")
        network = get(call.store, "networks", external) if external else None
        if network and not network["router:external"]:
            message = f"Bad router request: Network {external} is not an external network."
            raise Refusal(400, message, "BadRequest")
        if not network and call.store.floatingips.where(router_id=ident):
            message = (
                f"Gateway cannot be updated for router {ident}, since a gateway to external network "
                f"{record['external_gateway_info']['network_id']} is required by one or more floating IPs."
            )
            raise Refusal(409, message, "RouterExternalGatewayInUseByFloatingIp")
        set_gateway(call.store, record, network)
    record |= {"updated_at": now(), "revision_number": record["revision_number"] + 1}
    return {key(kind)[:-1]: render(call.store, kind, record)}


@routes("POST", "/v2.0/{kind}", status=201)
async def create(call: Call) -> Record:
    kind = call.path_params["kind"].removesuffix(".json")
    table_of(call, kind)
    plural = key(kind)
    many = call.data.get(plural) if isinstance(call.data, dict) else None
    if many is None:
        return {plural[:-1]: render(call.store, kind, new_record(call, kind, call.data))}
    if not many:
        raise Refusal(400, "Resources required")
    if not isinstance(many, list):
        raise Refusal(400, f"Object '{plural[:-1]}' contains invalid data")
    records: list[Record] = []
    try:
        for wanted in many:
            records.append(new_record(call, kind, {plural[:-1]: wanted}))
    except Refusal:
        # All or nothing.
        for record in records:
            forget(call.store, kind, record["id"])
        raise
    return {plural: [render(call.store, kind, record) for record in records]}


def new_record(call: Call, kind: str, body: Any) -> Record:
    """Create the record in a body. Raises Refusal."""
    wanted = body_of(body, key(kind)[:-1])
    require(wanted, *REQUIRED.get(kind, ()))
    fields = settable(call, "create", kind, wanted) if kind in SETTABLE else {}
    store, project, name = call.store, call.project, wanted.get("name", "")
    match kind:
        case "networks":
            record = new_network(store, project, name)
        case "subnets":
            network = get(store, "networks", wanted.get("network_id", ""))
            pool = get(store, "subnetpools", wanted["subnetpool_id"]) if wanted.get("subnetpool_id") else None
            cidr = wanted.get("cidr") or (prefix_of(store, pool, wanted.get("prefixlen")) if pool else store.network)
            record = new_subnet(store, project, network, name, cidr, pool=pool)
        case "subnetpools":
            record = new_subnet_pool(store, project, name, wanted)
        case "routers":
            gateway = (wanted.get("external_gateway_info") or {}).get("network_id")
            record = new_router(store, project, name, get(store, "networks", gateway) if gateway else None, [])
        case "ports":
            network = get(store, "networks", wanted.get("network_id", ""))
            fixed = (wanted.get("fixed_ips") or [{}])[0].get("ip_address", "")
            record = new_port(store, project, network, name, fixed, **port_groups(call, wanted))
        case "security-groups":
            record = new_security_group(store, project, name, wanted.get("description", ""))
        case "security-group-rules":
            group = get(store, "security-groups", wanted.get("security_group_id", ""))
            record = new_rule(store, group, wanted)
        case _:
            raise Refusal(404, "The resource could not be found.")
    record |= fields
    return record


@routes("DELETE", "/v2.0/{kind}/{ident}", status=204)
async def delete(call: Call) -> None:
    kind, ident = call.path_params["kind"], call.path_params["ident"]
    table_of(call, kind)
    record = get(call.store, kind, ident)
    if kind == "floatingips":
        await delete_floatingip(call.store, call.ground, record)
    elif kind == "ports":
        if record["device_owner"].startswith("network:"):
            message = (
                f"Port {ident} cannot be deleted directly via the port API: has device owner {record['device_owner']}."
            )
            raise Refusal(409, message, "ServicePortInUse")
        await delete_port(call.store, call.ground, record)
    else:
        forget(call.store, kind, ident)
