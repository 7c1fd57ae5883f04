"""Neutron's networks, subnets, routers, ports and security groups as they are made: one at a time, or many at once."""

from __future__ import annotations

from typing import Any

from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.neutron import body_of, known, neutron, port_groups
from zerojhub.practice.apis.neutron_bodies import SETTABLE, allowed
from zerojhub.practice.apis.neutron_records import (
    forget,
    get,
    key,
    new_network,
    new_port,
    new_router,
    new_rule,
    new_security_group,
    new_subnet,
    shown,
)
from zerojhub.practice.apis.wire import Call, Refusal

REQUIRED = {
    "subnets": ("network_id", "ip_version"),
    "ports": ("network_id",),
    "security-group-rules": ("direction", "security_group_id"),
}


def require(wanted: Record, *names: str) -> None:
    """Refuse (400) a resource that lacks one of the attributes."""
    for name in names:
        if name not in wanted:
            raise Refusal(400, f"Failed to parse request. Required attribute '{name}' not specified")


@neutron.route("POST", "/v2.0/{kind}", status=201)
async def create(call: Call) -> Record:
    kind = call.path_params["kind"].removesuffix(".json")
    known(call, kind)
    plural = key(kind)
    many = call.data.get(plural) if isinstance(call.data, dict) else None
    if many is None:
        return {plural[:-1]: shown(call.cloud, kind, made(call, kind, call.data))}
    if not many:
        raise Refusal(400, "Resources required")
    if not isinstance(many, list):
        raise Refusal(400, f"Object '{plural[:-1]}' contains invalid data")
    records: list[Record] = []
    try:
        for wanted in many:
            records.append(made(call, kind, {plural[:-1]: wanted}))
    except Refusal:
        # All of them or none.
        for record in records:
            forget(call.cloud, kind, record["id"])
        raise
    return {plural: [shown(call.cloud, kind, record) for record in records]}


def made(call: Call, kind: str, body: Any) -> Record:
    """The new record that a body asks for. Raises Refusal."""
    wanted = body_of(body, key(kind)[:-1])
    require(wanted, *REQUIRED.get(kind, ()))
    fields = allowed(call, "create", kind, wanted) if kind in SETTABLE else {}
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
            record = new_port(cloud, project, network, name, fixed, **port_groups(call, wanted))
        case "security-groups":
            record = new_security_group(cloud, project, name, wanted.get("description", ""))
        case "security-group-rules":
            group = get(cloud, "security-groups", wanted.get("security_group_id", ""))
            record = new_rule(cloud, group, wanted)
        case _:
            raise Refusal(404, "The resource could not be found.")
    record |= fields
    return record
