"""Neutron's floating IPs and tags: public addresses that lead to a port, or to a load balancer."""

from __future__ import annotations

from zerojhub.practice.apis.balance import VIP_OWNER, spread
from zerojhub.practice.apis.cloud import Cloud, Record, now
from zerojhub.practice.apis.neutron import body_of, known, neutron
from zerojhub.practice.apis.neutron_creation import require
from zerojhub.practice.apis.neutron_records import INTERFACE, common, forget, get, within_quota
from zerojhub.practice.apis.wire import Call, Refusal
from zerojhub.practice.ground import Ground


def new_floatingip(cloud: Cloud, project: str, network: Record, description: str = "", address: str = "") -> Record:
    """A public address that leads nowhere yet."""
    within_quota(cloud, project, "floatingip")
    taken = [item["floating_ip_address"] for item in cloud.floatingips.values()]
    found = address or cloud.free_address(cloud.public_network)
    if not found:
        message = f"No more IP addresses available on network {network['id']}."
        raise Refusal(409, message, "IpAddressGenerationFailure")
    if found in taken:
        message = f"IP address {found} already allocated in subnet {network['subnets'][0]}"
        raise Refusal(409, message, "IpAddressAlreadyAllocated")
    floating = {
        **common(project, found, description),
        "floating_ip_address": found,
        "floating_network_id": network["id"],
        "fixed_ip_address": None,
        "port_id": None,
        "router_id": None,
        "port_details": None,
        "status": "DOWN",
    }
    # Neutron gives floating IPs no name.
    del floating["name"]
    return cloud.floatingips.add(floating)


async def associate(cloud: Cloud, ground: Ground, floating: Record, port: Record) -> None:
    """Lead the floating IP to the port: to its machine, or to the load balancer whose VIP it is."""
    fixed = port["fixed_ips"][0]["ip_address"]
    rivals = cloud.floatingips.where(port_id=port["id"])
    if rivals and rivals != [floating]:
        own, network = floating["floating_ip_address"], floating["floating_network_id"]
        message = (
            f"Cannot associate floating IP {own} ({floating['id']}) with port {port['id']} using fixed IP {fixed}, "
            f"as that fixed IP already has a floating IP on external network {network}."
        )
        raise Refusal(409, message, "FloatingIPPortAlreadyAssociated")
    await disassociate(cloud, ground, floating)
    interfaces = [item for item in cloud.ports.values() if item["device_owner"] == "network:router_interface"]
    routers = [item["device_id"] for item in interfaces if item["network_id"] == port["network_id"]]
    names = ("name", "network_id", "mac_address", "admin_state_up", "status", "device_id", "device_owner")
    floating |= {
        "port_id": port["id"],
        "fixed_ip_address": fixed,
        "router_id": routers[0] if routers else None,
        "port_details": {name: port[name] for name in names},
        "status": "ACTIVE",
        "updated_at": now(),
    }
    if port["device_owner"] == VIP_OWNER:
        await spread(cloud, ground, port["device_id"].removeprefix("lb-"))
    else:
        await ground.route(floating["floating_ip_address"], fixed)


async def disassociate(cloud: Cloud, ground: Ground, floating: Record) -> None:
    if not floating["port_id"]:
        return
    owner = floating["port_details"]["device_owner"]
    nowhere = {"port_id": None, "fixed_ip_address": None, "router_id": None, "port_details": None}
    floating |= {**nowhere, "status": "DOWN", "updated_at": now()}
    if owner == VIP_OWNER:
        await ground.unbalance(floating["floating_ip_address"])
    else:
        await ground.unroute(floating["floating_ip_address"])


async def delete_floatingip(cloud: Cloud, ground: Ground, floating: Record) -> None:
    await disassociate(cloud, ground, floating)
    cloud.floatingips.pop(floating["id"], None)


async def delete_port(cloud: Cloud, ground: Ground, port: Record) -> None:
    """The port goes; a floating IP that led to it stays, and leads nowhere."""
    for floating in cloud.floatingips.where(port_id=port["id"]):
        await disassociate(cloud, ground, floating)
    cloud.ports.pop(port["id"], None)


def reachable(cloud: Cloud, ident: str, network: str) -> Record:
    """The port of that id. Raises Refusal (404) when there is none, or when no router leads from the network to it."""
    port = get(cloud, "ports", ident)
    routers = [item["device_id"] for item in cloud.ports.where(network_id=port["network_id"], device_owner=INTERFACE)]
    gateways = [cloud.routers[router]["external_gateway_info"] or {} for router in routers]
    if network not in [gateway.get("network_id") for gateway in gateways]:
        subnet = port["fixed_ips"][0]["subnet_id"] if port["fixed_ips"] else None
        message = (
            f"External network {network} is not reachable from subnet {subnet}.  "
            f"Therefore, cannot associate Port {ident} with a Floating IP."
        )
        raise Refusal(404, message, "ExternalGatewayForFloatingIPNotFound")
    return port


@neutron.route("POST", "/v2.0/floatingips", status=201)
async def create(call: Call) -> Record:
    wanted = body_of(call.data, "floatingip")
    require(wanted, "floating_network_id")
    network = get(call.cloud, "networks", wanted.get("floating_network_id") or "")
    if not network["router:external"]:
        message = f"Bad floatingip request: Network {network['id']} is not a valid external network."
        raise Refusal(400, message, "BadRequest")
    port = reachable(call.cloud, wanted["port_id"], network["id"]) if wanted.get("port_id") else None
    described = wanted.get("description") or ""
    floating = new_floatingip(call.cloud, call.project, network, described, wanted.get("floating_ip_address") or "")
    floating["tags"] = list(wanted.get("tags") or [])
    if port:
        try:
            await associate(call.cloud, call.ground, floating, port)
        except Refusal:
            del call.cloud.floatingips[floating["id"]]
            raise
    return {"floatingip": floating}


@neutron.route("PUT", "/v2.0/floatingips/{ident}")
async def update(call: Call) -> Record:
    floating = get(call.cloud, "floatingips", call.path_params["ident"])
    wanted = body_of(call.data, "floatingip")
    if "description" in wanted:
        floating["description"] = wanted["description"]
    if wanted.get("port_id"):
        port = reachable(call.cloud, wanted["port_id"], floating["floating_network_id"])
        await associate(call.cloud, call.ground, floating, port)
    elif "port_id" in wanted:
        await disassociate(call.cloud, call.ground, floating)
    return {"floatingip": floating}


@neutron.route("DELETE", "/v2.0/{kind}/{ident}", status=204)
async def delete(call: Call) -> None:
    kind, ident = call.path_params["kind"], call.path_params["ident"]
    known(call, kind)
    record = get(call.cloud, kind, ident)
    if kind == "floatingips":
        await delete_floatingip(call.cloud, call.ground, record)
    elif kind == "ports":
        if record["device_owner"].startswith("network:"):
            message = (
                f"Port {ident} cannot be deleted directly via the port API: has device owner {record['device_owner']}."
            )
            raise Refusal(409, message, "ServicePortInUse")
        await delete_port(call.cloud, call.ground, record)
    else:
        forget(call.cloud, kind, ident)


def tagged(call: Call) -> Record:
    known(call, call.path_params["kind"])
    return get(call.cloud, call.path_params["kind"], call.path_params["ident"])


@neutron.route("GET", "/v2.0/{kind}/{ident}/tags")
async def list_tags(call: Call) -> Record:
    return {"tags": tagged(call)["tags"]}


@neutron.route("PUT", "/v2.0/{kind}/{ident}/tags")
async def replace_tags(call: Call) -> Record:
    record = tagged(call)
    record["tags"] = list((call.data or {}).get("tags", []))
    return {"tags": record["tags"]}


@neutron.route("POST", "/v2.0/{kind}/{ident}/tags")
async def add_tags(call: Call) -> Record:
    record = tagged(call)
    record["tags"] = sorted({*record["tags"], *(call.data or {}).get("tags", [])})
    return {"tags": record["tags"]}


@neutron.route("DELETE", "/v2.0/{kind}/{ident}/tags", status=204)
async def delete_tags(call: Call) -> None:
    tagged(call)["tags"] = []


@neutron.route("PUT", "/v2.0/{kind}/{ident}/tags/{tag}", status=201)
async def add_tag(call: Call) -> None:
    record = tagged(call)
    if call.path_params["tag"] not in record["tags"]:
        record["tags"].append(call.path_params["tag"])


@neutron.route("DELETE", "/v2.0/{kind}/{ident}/tags/{tag}", status=204)
async def delete_tag(call: Call) -> None:
    record = tagged(call)
    if call.path_params["tag"] not in record["tags"]:
        raise Refusal(404, f"Tag {call.path_params['tag']} could not be found.", "TagNotFound")
    record["tags"].remove(call.path_params["tag"])
