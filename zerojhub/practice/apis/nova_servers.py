"""Nova's servers: each is a machine on the ground."""

from __future__ import annotations

import re
from typing import Any

from zerojhub.practice.apis.cloud import Cloud, Record, new_id, now
from zerojhub.practice.apis.neutron_floatingips import delete_port
from zerojhub.practice.apis.nova import host_id, links, nova
from zerojhub.practice.apis.nova_events import begin, done, finish
from zerojhub.practice.apis.nova_states import MICROSECONDS, a_server, power_state, set_state, status, unlocked
from zerojhub.practice.apis.wire import Call, Refusal, collection
from zerojhub.practice.ground import Ground

PROGRESSING = ("ACTIVE", "BUILD", "REBUILD", "RESIZE", "VERIFY_RESIZE")
"""The statuses in which Nova says how far it is."""


def within_quota(cloud: Cloud, project: str, wanted: dict[str, int]) -> None:
    """Refuse (403) more of what the wanted resources name than the project may have."""
    for resource in cloud.over_quota("compute", project, wanted):
        used, limit = cloud.usage("compute", project)[resource], cloud.quotas["compute"][resource]
        asked = f"Requested {wanted[resource]}, but already used {used} of {limit} {resource}"
        raise Refusal(403, f"Quota exceeded for {resource}: {asked}")


def host_name(name: str) -> str:
    """What of a server's name a host name may hold, as Nova makes it. It stays when the server is renamed."""
    return re.sub(r"[^a-z0-9.-]", "", re.sub(r"[ _]", "-", name.lower())).strip(".-")[:63]


def new_server(
    cloud: Cloud, project: str, user: str, name: str, *, request: str | None = None, **fields: Any
) -> Record:
    """A server that is being built; `flavor` and `image` are ids. Raises Refusal (403) beyond the quota.

    `request` is the id of what somebody asked Nova for. `own_ports` are the ports that Nova made for the server.
    """
    flavor = cloud.flavors[str(fields["flavor"])]
    within_quota(cloud, project, {"instances": 1, "cores": flavor["vcpus"], "ram": flavor["ram"]})
    ident = new_id()
    server = {
        "id": ident,
        "name": name,
        "hostname": host_name(name) or f"server-{ident}",
        "vm_state": "building",
        "task_state": "spawning",
        "locked": False,
        "locked_reason": None,
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
        "own_ports": [],
        **fields,
    }
    server["creation"] = begin(cloud, server, "create", user, request)
    return cloud.servers.add(server)


def started(server: Record) -> None:
    set_state(server, "active")
    server["launched"] = now(MICROSECONDS)
    finish(server["creation"])


def failed(server: Record, message: str) -> None:
    set_state(server, "error")
    server["fault"] = {"code": 500, "created": now(), "message": message}
    if not server["launched"]:
        finish(server["creation"], "Error")


async def delete_server(cloud: Cloud, ground: Ground, server: Record) -> None:
    """Halt the machine and give back its ports. A floating IP that led to Nova's own stays, and leads nowhere."""
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
        await release_port(cloud, ground, server, port)
    for group in cloud.server_groups.values():
        if server["id"] in group["members"]:
            group["members"].remove(server["id"])
    cloud.servers.pop(server["id"], None)


async def release_port(cloud: Cloud, ground: Ground, server: Record, port: Record) -> None:
    """A port that Nova made goes; one that was there before the server stays, for another."""
    if port["id"] in server["own_ports"]:
        server["own_ports"].remove(port["id"])
        await delete_port(cloud, ground, port)
    else:
        port |= {"device_id": "", "device_owner": ""}


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
    flavor, recent = call.cloud.flavors[server["flavor"]], call.state.version
    state = status(server)
    body: Record = {
        "id": server["id"],
        "name": server["name"],
        "status": state,
        "tenant_id": server["project_id"],
        "user_id": server["user_id"],
        "metadata": server["metadata"],
        "hostId": host_id(server["project_id"]),
        "image": {"id": server["image"], "links": links(call, f"images/{server['image']}")[1:]},
        "flavor": {"id": flavor["id"], "links": links(call, f"flavors/{flavor['id']}")[1:]},
        "created": server["created"],
        "updated": server["updated"],
        "addresses": addresses(call.cloud, server),
        "accessIPv4": "",
        "accessIPv6": "",
        "links": links(call, f"servers/{server['id']}"),
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": call.cloud.zone if server["launched"] else "",
        "config_drive": server["config_drive"],
        "key_name": server["key_name"],
        "OS-SRV-USG:launched_at": server["launched"],
        "OS-SRV-USG:terminated_at": None,
        "OS-EXT-STS:task_state": server["task_state"],
        "OS-EXT-STS:vm_state": server["vm_state"],
        "OS-EXT-STS:power_state": power_state(server),
        "os-extended-volumes:volumes_attached": [
            {"id": item["volume_id"]}
            | ({"delete_on_termination": item.get("delete_on_termination", False)} if recent >= (2, 3) else {})
            for item in call.cloud.attachments.where(instance=server["id"])
        ],
    }
    if server["security_groups"]:
        body["security_groups"] = [{"name": name} for name in server["security_groups"]]
    if state in PROGRESSING:
        body["progress"] = 0
    if server["fault"]:
        body["fault"] = server["fault"]
    if recent >= (2, 47):
        named = {"original_name": flavor["name"], "ephemeral": 0, "swap": 0, "extra_specs": {}}
        body["flavor"] = {**{name: flavor[name] for name in ("vcpus", "ram", "disk")}, **named}
    later = {
        (2, 9): ("locked", server["locked"]),
        (2, 19): ("description", server["description"]),
        (2, 26): ("tags", server["tags"]),
        (2, 63): ("trusted_image_certificates", None),
        (2, 71): ("server_groups", [server["server_group"]] if server["server_group"] else []),
        (2, 73): ("locked_reason", server["locked_reason"]),
        (2, 90): ("OS-EXT-SRV-ATTR:hostname", server["hostname"]),
        (2, 96): ("pinned_availability_zone", None),
    }
    return body | dict(field for version, field in later.items() if recent >= version)


def own_servers(call: Call) -> list[Record]:
    if call.query_params.get("all_tenants", "").lower() in ("1", "true"):
        view = "detail" if call.url.path.endswith("/detail") else "index"
        raise Refusal(403, f"Policy doesn't allow os_compute_api:servers:{view}:get_all_tenants to be performed.")
    servers = call.cloud.servers.where(project_id=call.project)
    for name in ("name", "status", "flavor", "image"):
        if wanted := call.query_params.get(name):
            # Nova reads the name as a pattern.
            match = re.search if name == "name" else re.fullmatch
            fields = ({**server, "status": status(server)} for server in servers)
            servers = [server for server, own in zip(servers, fields, strict=True) if match(wanted, own[name], re.I)]
    return servers


@nova.route("GET", "/v2.1/servers")
async def list_servers(call: Call) -> Record:
    servers = [shown_server(call, server) for server in own_servers(call)]
    return collection(call, "servers", [{key: server[key] for key in ("id", "name", "links")} for server in servers])


@nova.route("GET", "/v2.1/servers/detail")
async def list_servers_in_detail(call: Call) -> Record:
    # Groups are only shown with one server.
    servers = [shown_server(call, server) for server in own_servers(call)]
    for server in servers:
        server.pop("server_groups", None)
    return collection(call, "servers", servers)


@nova.route("GET", "/v2.1/servers/{ident}")
async def show_server(call: Call) -> Record:
    return {"server": shown_server(call, a_server(call))}


@nova.route("DELETE", "/v2.1/servers/{ident}", status=204)
async def remove_server(call: Call) -> None:
    server = a_server(call)
    unlocked(server)
    call.conductor.cancel(server["id"])
    await delete_server(call.cloud, call.ground, server)
    done(call, server, "delete")


@nova.route("GET", "/v2.1/servers/{ident}/ips")
async def list_addresses(call: Call) -> Record:
    found = addresses(call.cloud, a_server(call))
    short = {name: [{key: item[key] for key in ("addr", "version")} for item in items] for name, items in found.items()}
    return {"addresses": short}


@nova.route("GET", "/v2.1/servers/{ident}/os-security-groups")
async def list_security_groups(call: Call) -> Record:
    names = a_server(call)["security_groups"]
    return {"security_groups": [group for group in call.cloud.security_groups.values() if group["name"] in names]}
