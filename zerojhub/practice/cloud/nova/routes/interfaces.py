"""Interfaces: the ports of a server, each an address of its machine."""

from __future__ import annotations

from zerojhub.practice.cloud.nova.boot import boot, plug, possible_networks, wanted_groups
from zerojhub.practice.cloud.nova.events import done
from zerojhub.practice.cloud.nova.records import release_port
from zerojhub.practice.cloud.nova.routes.servers import requested_server
from zerojhub.practice.cloud.nova.states import check_state
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


PATH = "/v2.1/servers/{ident}/os-interface"


def render(call: Call, port: Record) -> Record:
    body = {
        "port_id": port["id"],
        "net_id": port["network_id"],
        "mac_addr": port["mac_address"],
        "port_state": port["status"],
        "fixed_ips": port["fixed_ips"],
    }
    return {**body, "tag": None} if call.state.version >= (2, 70) else body


@routes("GET", PATH)
async def list_interfaces(call: Call) -> Record:
    ports = call.store.ports.where(device_id=requested_server(call)["id"])
    return {"interfaceAttachments": [render(call, port) for port in ports]}


@routes("GET", PATH + "/{port}")
async def show_interface(call: Call) -> Record:
    server, ident = requested_server(call), call.path_params["port"]
    port = call.store.ports.get(ident)
    if not port:
        raise Refusal(404, f"Port id {ident} could not be found.")
    if port["device_id"] != server["id"]:
        raise Refusal(404, f"Instance {server['id']} does not have a port with id {ident}")
    return {"interfaceAttachment": render(call, port)}


@routes("POST", PATH)
async def attach(call: Call) -> Record:
    server, wanted = requested_server(call), (call.data or {}).get("interfaceAttachment") or {}
    port, network = wanted.get("port_id"), wanted.get("net_id")
    address = next((fixed.get("ip_address") for fixed in wanted.get("fixed_ips") or []), None)
    if port and network:
        raise Refusal(400, "Must not input both network_id and port_id")
    if address and not network:
        raise Refusal(400, "Must input network_id when request IP address")
    check_state(server, "attach_interface", "active", "stopped")
    if port and port not in call.store.ports:
        raise Refusal(404, f"Port id {port} could not be found.")
    if network and network not in call.store.networks:
        raise Refusal(404, f"Network {network} could not be found.")
    if not port and not network:
        network = next((item["id"] for item in possible_networks(call)), None)
    first = not call.store.ports.where(device_id=server["id"])
    groups = wanted_groups(call, {})
    plugged = plug(call, server, {"port": port, "uuid": network, "fixed_ip": address}, groups)
    if first and server["vm_state"] == "active" and not call.ground.alive(server["id"]):
        await boot(call.store, call.ground, server)
    else:
        await call.ground.plug(server["id"], plugged["fixed_ips"][0]["ip_address"])
    done(call, server, "attach_interface")
    return {"interfaceAttachment": render(call, plugged)}


@routes("DELETE", PATH + "/{port}", status=202)
async def detach(call: Call) -> None:
    server, ident = requested_server(call), call.path_params["port"]
    check_state(server, "detach_interface", "active", "stopped")
    port = call.store.ports.get(ident)
    if not port or port["device_id"] != server["id"]:
        raise Refusal(404, f"Port {ident} is not attached to the instance {server['id']}")
    await call.ground.unplug(server["id"], port["fixed_ips"][0]["ip_address"])
    await release_port(call.store, call.ground, server, port)
    done(call, server, "detach_interface")
