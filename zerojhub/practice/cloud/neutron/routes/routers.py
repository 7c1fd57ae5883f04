"""A router's interfaces."""

from __future__ import annotations

from zerojhub.practice.cloud.neutron.records import INTERFACE, add_interface, get, interfaces
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def render_interface(router: Record, port: Record) -> Record:
    subnet = port["fixed_ips"][0]["subnet_id"]
    return {
        "id": router["id"],
        "project_id": router["project_id"],
        "network_id": port["network_id"],
        "port_id": port["id"],
        "subnet_id": subnet,
        "subnet_ids": [subnet],
    }


@routes("PUT", "/v2.0/routers/{ident}/add_router_interface")
async def add_router_interface(call: Call) -> Record:
    store, wanted = call.store, call.data or {}
    router = get(store, "routers", call.path_params["ident"])
    if wanted.get("port_id"):
        port = get(store, "ports", wanted["port_id"])
        port |= {"device_id": router["id"], "device_owner": INTERFACE}
        return render_interface(router, port)
    return render_interface(router, add_interface(store, router, subnet_of(call)))


def subnet_of(call: Call) -> Record:
    """The subnet in a request about a router's interface."""
    subnet = (call.data or {}).get("subnet_id")
    if not subnet:
        raise Refusal(400, "Bad router request: Either subnet_id or port_id must be specified.", "BadRequest")
    return get(call.store, "subnets", subnet)


@routes("PUT", "/v2.0/routers/{ident}/remove_router_interface")
async def remove_router_interface(call: Call) -> Record:
    store, wanted = call.store, call.data or {}
    router = get(store, "routers", call.path_params["ident"])
    if ident := wanted.get("port_id"):
        found = store.ports.where(id=ident, device_id=router["id"], device_owner=INTERFACE)
        missing = f"Router {router['id']} does not have an interface with id {ident}", "RouterInterfaceNotFound"
    else:
        subnet = subnet_of(call)["id"]
        found = interfaces(store, router, subnet)
        missing = f"Router {router['id']} has no interface on subnet {subnet}", "RouterInterfaceNotFoundForSubnet"
    if not found:
        raise Refusal(404, *missing)
    (port,) = found
    behind = {each["id"] for each in store.ports.where(network_id=port["network_id"])}
    if any(floating["port_id"] in behind for floating in store.floatingips.where(router_id=router["id"])):
        message = (
            f"Router interface for subnet {port['fixed_ips'][0]['subnet_id']} on router {router['id']} cannot be deleted, "
            "as it is required by one or more floating IPs."
        )
        raise Refusal(409, message, "RouterInterfaceInUseByFloatingIP")
    del store.ports[port["id"]]
    return render_interface(router, port)
