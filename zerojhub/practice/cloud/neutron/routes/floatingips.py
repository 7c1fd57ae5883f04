"""Floating IPs: create, associate, disassociate."""

from __future__ import annotations

from zerojhub.practice.cloud.neutron.errors import require
from zerojhub.practice.cloud.neutron.floatingips import associate, disassociate, new_floatingip
from zerojhub.practice.cloud.neutron.records import INTERFACE, get
from zerojhub.practice.cloud.neutron.requests import body_of
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def reachable(store: Store, ident: str, network: str) -> Record:
    """The port with this ID. Raises Refusal (404) if it does not exist or no router connects it to the network."""
    port = get(store, "ports", ident)
    routers = [item["device_id"] for item in store.ports.where(network_id=port["network_id"], device_owner=INTERFACE)]
    gateways = [store.routers[router]["external_gateway_info"] or {} for router in routers]
    if network not in [gateway.get("network_id") for gateway in gateways]:
        subnet = port["fixed_ips"][0]["subnet_id"] if port["fixed_ips"] else None
        message = (
            f"External network {network} is not reachable from subnet {subnet}.  "
            f"Therefore, cannot associate Port {ident} with a Floating IP."
        )
        raise Refusal(404, message, "ExternalGatewayForFloatingIPNotFound")
    return port


@routes("POST", "/v2.0/floatingips", status=201)
async def create(call: Call) -> Record:
    wanted = body_of(call.data, "floatingip")
    require(wanted, "floating_network_id")
    network = get(call.store, "networks", wanted.get("floating_network_id") or "")
    if not network["router:external"]:
        message = f"Bad floatingip request: Network {network['id']} is not a valid external network."
        raise Refusal(400, message, "BadRequest")
    port = reachable(call.store, wanted["port_id"], network["id"]) if wanted.get("port_id") else None
    described = wanted.get("description") or ""
    floating = new_floatingip(call.store, call.project, network, described, wanted.get("floating_ip_address") or "")
    floating["tags"] = list(wanted.get("tags") or [])
    if port:
        try:
            await associate(call.store, call.ground, floating, port)
        except Refusal:
            del call.store.floatingips[floating["id"]]
            raise
    return {"floatingip": floating}


@routes("PUT", "/v2.0/floatingips/{ident}")
async def update(call: Call) -> Record:
    floating = get(call.store, "floatingips", call.path_params["ident"])
    wanted = body_of(call.data, "floatingip")
    if "description" in wanted:
        floating["description"] = wanted["description"]
    if wanted.get("port_id"):
        port = reachable(call.store, wanted["port_id"], floating["floating_network_id"])
        await associate(call.store, call.ground, floating, port)
    elif "port_id" in wanted:
        await disassociate(call.store, call.ground, floating)
    return {"floatingip": floating}
