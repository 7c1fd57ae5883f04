"""Nova's servers: each is a machine on the ground."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from starlette.responses import JSONResponse, Response

from zerojhub.practice.apis.cloud import Cloud, Record, new_id, now
from zerojhub.practice.apis.glance_changes import new_snapshot
from zerojhub.practice.apis.neutron_floatingips import delete_port
from zerojhub.practice.apis.nova import get, links, nova
from zerojhub.practice.apis.wire import Call, Refusal, collection
from zerojhub.practice.ground import Ground, GroundError


def new_server(cloud: Cloud, project: str, user: str, name: str, **fields: Any) -> Record:
    """A server that is being built; `flavor` and `image` are ids. Raises Refusal (403) beyond the quota."""
    flavor = cloud.flavors[str(fields["flavor"])]
    wanted = {"instances": 1, "cores": flavor["vcpus"], "ram": flavor["ram"]}
    for resource in cloud.over_quota("compute", project, wanted):
        used, limit = cloud.usage("compute", project)[resource], cloud.quotas["compute"][resource]
        asked = f"Requested {wanted[resource]}, but already used {used} of {limit} {resource}"
        raise Refusal(403, f"Quota exceeded for {resource}: {asked}")
    server = {
        "id": new_id(),
        "name": name,
        "status": "BUILD",
        "project_id": project,
        "user_id": user,
        "created": now(),
        "updated": now(),
        "launched": None,
        "metadata": {},
        "fault": None,
        "description": None,
        "tags": [],
        "config_drive": "",
        "security_groups": [],
        "server_group": None,
        **fields,
    }
    return cloud.servers.add(server)


def started(server: Record) -> None:
    server |= {"status": "ACTIVE", "updated": now(), "launched": now("%Y-%m-%dT%H:%M:%S.000000")}


def failed(server: Record, message: str) -> None:
    fault = {"code": 500, "created": now(), "message": message}
    server |= {"status": "ERROR", "updated": now(), "fault": fault}


async def delete_server(cloud: Cloud, ground: Ground, server: Record) -> None:
    """Halt the machine and give back its ports. A floating IP that led there stays, and leads nowhere."""
    await ground.halt(server["id"])
    await forget_server(cloud, ground, server)


async def forget_server(cloud: Cloud, ground: Ground, server: Record) -> None:
    for item in cloud.attachments.where(instance=server["id"]):
        # Those that Nova itself made have a device; whoever made others takes them away.
        if item.get("device"):
            del cloud.attachments[item["id"]]
            cloud.volumes[item["volume_id"]]["status"] = "available"
            if item["delete_on_termination"]:
                await ground.remove_volume(item["volume_id"])
                del cloud.volumes[item["volume_id"]]
    for port in cloud.ports.where(device_id=server["id"]):
        await delete_port(cloud, ground, port)
    for group in cloud.server_groups.values():
        if server["id"] in group["members"]:
            group["members"].remove(server["id"])
    cloud.servers.pop(server["id"], None)


def addresses(cloud: Cloud, server: Record) -> Record:
    """A server's addresses by network, floating ones after the fixed one that they lead to."""
    result: Record = {}
    for port in cloud.ports.where(device_id=server["id"]):
        network = result.setdefault(cloud.networks[port["network_id"]]["name"], [])
        common = {"version": 4, "OS-EXT-IPS-MAC:mac_addr": port["mac_address"]}
        for fixed in port["fixed_ips"]:
            network.append({"addr": fixed["ip_address"], "OS-EXT-IPS:type": "fixed", **common})
        for floating in cloud.floatingips.where(port_id=port["id"]):
            network.append({"addr": floating["floating_ip_address"], "OS-EXT-IPS:type": "floating", **common})
    return result


def fixed_address(cloud: Cloud, server: Record) -> str:
    return cloud.ports.where(device_id=server["id"])[0]["fixed_ips"][0]["ip_address"]


def shown_server(call: Call, server: Record) -> Record:
    flavor, running = call.cloud.flavors[server["flavor"]], server["status"] == "ACTIVE"
    recent = call.state.version
    body: Record = {
        "id": server["id"],
        "name": server["name"],
        "status": server["status"],
        "tenant_id": server["project_id"],
        "user_id": server["user_id"],
        "metadata": server["metadata"],
        "hostId": hashlib.sha224(f"{server['project_id']}practice".encode()).hexdigest(),
        "image": {"id": server["image"], "links": links(call, f"images/{server['image']}")[1:]},
        "flavor": {"id": flavor["id"], "links": links(call, f"flavors/{flavor['id']}")[1:]},
        "created": server["created"],
        "updated": server["updated"],
        "addresses": addresses(call.cloud, server),
        "accessIPv4": "",
        "accessIPv6": "",
        "links": links(call, f"servers/{server['id']}"),
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": call.cloud.zone if running else "",
        "config_drive": server["config_drive"],
        "key_name": server["key_name"],
        "OS-SRV-USG:launched_at": server["launched"],
        "OS-SRV-USG:terminated_at": None,
        "security_groups": [{"name": name} for name in server["security_groups"]],
        "OS-EXT-STS:task_state": "spawning" if server["status"] == "BUILD" else None,
        "OS-EXT-STS:vm_state": {"ACTIVE": "active", "BUILD": "building"}.get(server["status"], "error"),
        "OS-EXT-STS:power_state": 1 if running else 0,
        "os-extended-volumes:volumes_attached": [
            {"id": item["volume_id"]} for item in call.cloud.attachments.where(instance=server["id"])
        ],
    }
    if running:
        body["progress"] = 0
    if server["fault"]:
        body["fault"] = server["fault"]
    if recent >= (2, 9):
        body["locked"] = False
    if recent >= (2, 19):
        body["description"] = server["description"]
    if recent >= (2, 26):
        body["tags"] = server["tags"]
    if recent >= (2, 47):
        named = {"original_name": flavor["name"], "ephemeral": 0, "swap": 0, "extra_specs": {}}
        body["flavor"] = {**{name: flavor[name] for name in ("vcpus", "ram", "disk")}, **named}
    if recent >= (2, 71):
        body["server_groups"] = [server["server_group"]] if server["server_group"] else []
    return body


def a_server(call: Call) -> Record:
    return get(call.cloud.servers, call.path_params["ident"], "Instance {} could not be found.")


def own_servers(call: Call) -> list[Record]:
    if call.query_params.get("all_tenants", "").lower() in ("1", "true"):
        raise Refusal(403, "Policy doesn't allow os_compute_api:servers:detail:get_all_tenants to be performed.")
    servers = call.cloud.servers.where(project_id=call.project)
    for name in ("name", "status", "flavor", "image"):
        if wanted := call.query_params.get(name):
            # Nova reads the name as a pattern.
            match = re.search if name == "name" else re.fullmatch
            servers = [server for server in servers if match(wanted, server[name], re.IGNORECASE)]
    return servers


@nova.route("GET", "/v2.1/servers")
async def list_servers(call: Call) -> Record:
    servers = [shown_server(call, server) for server in own_servers(call)]
    return collection(call, "servers", [{key: server[key] for key in ("id", "name", "links")} for server in servers])


@nova.route("GET", "/v2.1/servers/detail")
async def list_servers_in_detail(call: Call) -> Record:
    return collection(call, "servers", [shown_server(call, server) for server in own_servers(call)])


@nova.route("GET", "/v2.1/servers/{ident}")
async def show_server(call: Call) -> Record:
    return {"server": shown_server(call, a_server(call))}


@nova.route("DELETE", "/v2.1/servers/{ident}", status=204)
async def remove_server(call: Call) -> None:
    server = a_server(call)
    call.conductor.cancel(server["id"])
    await delete_server(call.cloud, call.ground, server)


@nova.route("POST", "/v2.1/servers/{ident}/action")
async def act(call: Call) -> Any:
    server = a_server(call)
    action = next(iter(call.data or {}), "")
    if action not in ACTIONS:
        raise Refusal(400, f"There is no such action: {action}")
    return ACTIONS[action](call, server, (call.data or {})[action] or {})


def console(call: Call, server: Record, wanted: Record) -> Record:
    try:
        lines = call.ground.console(server["id"]).splitlines(keepends=True)
    except GroundError:
        raise Refusal(409, f"Instance {server['id']} is not ready") from None
    length = wanted.get("length")
    return {"output": "".join(lines[-int(length) :] if length else lines)}


def change_groups(add: bool, call: Call, server: Record, wanted: Record) -> Response:
    """Put the server's ports into the security group of that name, or out of it."""
    cloud, name = call.cloud, wanted.get("name") or ""
    group = next((item for item in cloud.security_groups.find(name) if item["project_id"] == call.project), None)
    if not group or (not add and group["name"] not in server["security_groups"]):
        raise Refusal(404, f"Security group {name} not found.")
    for port in cloud.ports.where(device_id=server["id"]):
        others = [ident for ident in port["security_groups"] if ident != group["id"]]
        port["security_groups"] = [*others, group["id"]] if add else others
    others = [other for other in server["security_groups"] if other != group["name"]]
    server["security_groups"] = [*others, group["name"]] if add else others
    return Response(status_code=202)


def make_image(call: Call, server: Record, wanted: Record) -> Response:
    """A snapshot of the server's disk, as an image of the project's own."""
    image = new_snapshot(call.cloud, call.project, server, wanted.get("name") or "", wanted.get("metadata") or {})
    if call.state.version >= (2, 45):
        return JSONResponse({"image_id": image["id"]}, 202)
    return Response(status_code=202, headers={"Location": f"{call.origin}/image/v2/images/{image['id']}"})


ACTIONS: dict[str, Callable[[Call, Record, Record], Any]] = {
    "os-getConsoleOutput": console,
    "addSecurityGroup": partial(change_groups, True),
    "removeSecurityGroup": partial(change_groups, False),
    "createImage": make_image,
}


@nova.route("GET", "/v2.1/servers/{ident}/ips")
async def list_addresses(call: Call) -> Record:
    found = addresses(call.cloud, a_server(call))
    short = {name: [{key: item[key] for key in ("addr", "version")} for item in items] for name, items in found.items()}
    return {"addresses": short}


@nova.route("GET", "/v2.1/servers/{ident}/metadata")
async def show_metadata(call: Call) -> Record:
    return {"metadata": a_server(call)["metadata"]}


@nova.route("POST", "/v2.1/servers/{ident}/metadata")
async def update_metadata(call: Call) -> Record:
    server = a_server(call)
    server["metadata"] |= {key: str(value) for key, value in call.inner("metadata").items()}
    return {"metadata": server["metadata"]}


@nova.route("PUT", "/v2.1/servers/{ident}/metadata")
async def replace_metadata(call: Call) -> Record:
    server = a_server(call)
    server["metadata"] = {key: str(value) for key, value in call.inner("metadata").items()}
    return {"metadata": server["metadata"]}


@nova.route("DELETE", "/v2.1/servers/{ident}/metadata/{key}", status=204)
async def delete_metadata(call: Call) -> None:
    if a_server(call)["metadata"].pop(call.path_params["key"], None) is None:
        raise Refusal(404, "Metadata item was not found")


@nova.route("GET", "/v2.1/servers/{ident}/os-interface")
async def list_interfaces(call: Call) -> Record:
    ports = call.cloud.ports.where(device_id=a_server(call)["id"])
    attached = [
        {
            "port_id": port["id"],
            "net_id": port["network_id"],
            "mac_addr": port["mac_address"],
            "port_state": "ACTIVE",
            "fixed_ips": port["fixed_ips"],
        }
        for port in ports
    ]
    return {"interfaceAttachments": attached}


@nova.route("GET", "/v2.1/servers/{ident}/os-security-groups")
async def list_security_groups(call: Call) -> Record:
    names = a_server(call)["security_groups"]
    return {"security_groups": [group for group in call.cloud.security_groups.values() if group["name"] in names]}
