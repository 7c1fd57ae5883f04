"""Nova's interfaces: the ports that a server has, each an address that its machine answers at."""

from __future__ import annotations

from zerojhub.practice.apis import nova_events
from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.nova import nova
from zerojhub.practice.apis.nova_boot import boot, plug, possible_networks, wanted_groups
from zerojhub.practice.apis.nova_servers import release_port
from zerojhub.practice.apis.nova_states import a_server, allow
from zerojhub.practice.apis.wire import Call, Refusal

PATH = "/v2.1/servers/{ident}/os-interface"


def shown(call: Call, port: Record) -> Record:
    body = {
        "port_id": port["id"],
        "net_id": port["network_id"],
        "mac_addr": port["mac_address"],
        "port_state": port["status"],
        "fixed_ips": port["fixed_ips"],
    }
    return {**body, "tag": None} if call.state.version >= (2, 70) else body


@nova.route("GET", PATH)
async def list_interfaces(call: Call) -> Record:
    ports = call.cloud.ports.where(device_id=a_server(call)["id"])
    return {"interfaceAttachments": [shown(call, port) for port in ports]}


@nova.route("GET", PATH + "/{port}")
async def show_interface(call: Call) -> Record:
    server, ident = a_server(call), call.path_params["port"]
    port = call.cloud.ports.get(ident)
    if not port:
        raise Refusal(404, f"Port id {ident} could not be found.")
    if port["device_id"] != server["id"]:
        raise Refusal(404, f"Instance {server['id']} does not have a port with id {ident}")
    return {"interfaceAttachment": shown(call, port)}


@nova.route("POST", PATH)
async def attach(call: Call) -> Record:
    server, wanted = a_server(call), (call.data or {}).get("interfaceAttachment") or {}
    port, network = wanted.get("port_id"), wanted.get("net_id")
    address = next((fixed.get("ip_address") for fixed in wanted.get("fixed_ips") or []), None)
    if port and network:
        raise Refusal(400, "Must not input both network_id and port_id")
    if address and not network:
        raise Refusal(400, "Must input network_id when request IP address")
    allow(server, "attach_interface", "active", "stopped")
    if port and port not in call.cloud.ports:
        raise Refusal(404, f"Port id {port} could not be found.")
    if network and network not in call.cloud.networks:
        raise Refusal(404, f"Network {network} could not be found.")
    if not port and not network:
        network = next((item["id"] for item in possible_networks(call)), None)
    first = not call.cloud.ports.where(device_id=server["id"])
    groups = wanted_groups(call, {})
    plugged = plug(call, server, {"port": port, "uuid": network, "fixed_ip": address}, groups)
    if first and server["vm_state"] == "active" and not call.ground.alive(server["id"]):
        await boot(call.cloud, call.ground, server)
    else:
        await call.ground.plug(server["id"], plugged["fixed_ips"][0]["ip_address"])
    nova_events.done(call, server, "attach_interface")
    return {"interfaceAttachment": shown(call, plugged)}


@nova.route("DELETE", PATH + "/{port}", status=202)
async def detach(call: Call) -> None:
    server, ident = a_server(call), call.path_params["port"]
    allow(server, "detach_interface", "active", "stopped")
    port = call.cloud.ports.get(ident)
    if not port or port["device_id"] != server["id"]:
        raise Refusal(404, f"Port {ident} is not attached to the instance {server['id']}")
    await call.ground.unplug(server["id"], port["fixed_ips"][0]["ip_address"])
    await release_port(call.cloud, call.ground, server, port)
    nova_events.done(call, server, "detach_interface")
