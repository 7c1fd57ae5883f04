"""Nova's records: flavors, servers and server groups. Each server is a machine on the ground."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from zerojhub.practice.cloud.neutron.floatingips import delete_port
from zerojhub.practice.cloud.nova.events import begin, finish
from zerojhub.practice.cloud.nova.states import MICROSECONDS, set_state
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, Table, new_id, now
from zerojhub.practice.cloud.wire import Call
from zerojhub.practice.ground import Ground


def new_flavor(store: Store, ident: str, name: str, *, vcpus: int, ram: int, disk: int) -> Record:
    """A new flavor; `ram` is in MB, `disk` in GB."""
    return store.flavors.add({"id": ident, "name": name, "vcpus": vcpus, "ram": ram, "disk": disk})


def get(table: Table, ident: str, words: str) -> Record:
    if ident not in table:
        raise Refusal(404, words.format(ident))
    return table[ident]


def host_id(project: str) -> str:
    """The hostId of a project's servers."""
    return hashlib.sha224(f"{project}practice".encode()).hexdigest()


def links(call: Call, path: str) -> list[Record]:
    base = f"{call.origin}/compute"
    return [{"rel": "self", "href": f"{base}/v2.1/{path}"}, {"rel": "bookmark", "href": f"{base}/{path}"}]


def check_quota(store: Store, project: str, wanted: dict[str, int]) -> None:
    """Raises Refusal (403) if the quota does not allow that many more of each resource."""
    for resource in store.over_quota("compute", project, wanted):
        used, limit = store.usage("compute", project)[resource], store.quotas["compute"][resource]
        asked = f"Requested {wanted[resource]}, but already used {used} of {limit} {resource}"
        raise Refusal(403, f"Quota exceeded for {resource}: {asked}")


def host_name(name: str) -> str:
    """The host name for a server's name, as Nova sanitizes it. It does not change when the server is renamed."""
    return re.sub(r"[^a-z0-9.-]", "", re.sub(r"[ _]", "-", name.lower())).strip(".-")[:63]


def new_server(
    store: Store, project: str, user: str, name: str, *, request: str | None = None, **fields: Any
) -> Record:
    """A new server in status BUILD; `flavor` and `image` are IDs. Raises Refusal (403) if the quota is exceeded.

    `request` is the request ID for the server's history. `own_ports` are the ports that Nova created for the server.
    """
    flavor = store.flavors[str(fields["flavor"])]
    check_quota(store, project, {"instances": 1, "cores": flavor["vcpus"], "ram": flavor["ram"]})
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
    server["creation"] = begin(store, server, "create", user, request)
    return store.servers.add(server)


def mark_started(server: Record) -> None:
    set_state(server, "active")
    server["launched"] = now(MICROSECONDS)
    finish(server["creation"])


def mark_failed(server: Record, message: str) -> None:
    set_state(server, "error")
    server["fault"] = {"code": 500, "created": now(), "message": message}
    if not server["launched"]:
        finish(server["creation"], "Error")


async def delete_server(store: Store, ground: Ground, server: Record) -> None:
    """Delete the machine and release its ports; floating IPs of deleted ports are disassociated."""
    await ground.halt(server["id"])
    await forget_server(store, ground, server)


async def forget_server(store: Store, ground: Ground, server: Record) -> None:
    for item in store.attachments.where(instance=server["id"]):
        # Attachments that Nova created have a device; others are deleted by whoever created them.
        if item.get("device"):
            del store.attachments[item["id"]]
            store.volumes[item["volume_id"]]["status"] = "available"
            if item["delete_on_termination"]:
                await ground.remove_volume(item["volume_id"])
                del store.volumes[item["volume_id"]]
    for port in store.ports.where(device_id=server["id"]):
        await release_port(store, ground, server, port)
    for group in store.server_groups.values():
        if server["id"] in group["members"]:
            group["members"].remove(server["id"])
    store.servers.pop(server["id"], None)
    store.consoles.pop(server["id"], None)


async def release_port(store: Store, ground: Ground, server: Record, port: Record) -> None:
    """Delete a port that Nova created; one that existed before the server is only released."""
    if port["id"] in server["own_ports"]:
        server["own_ports"].remove(port["id"])
        await delete_port(store, ground, port)
    else:
        port |= {"device_id": "", "device_owner": ""}


def addresses(store: Store, server: Record) -> Record:
    """A server's addresses by network, each fixed address followed by its floating IPs."""
    result: Record = {}
    for port in store.ports.where(device_id=server["id"]):
        network = result.setdefault(store.networks[port["network_id"]]["name"], [])
        common = {"version": 4, "OS-EXT-IPS-MAC:mac_addr": port["mac_address"]}
        for fixed in port["fixed_ips"]:
            network.append({"addr": fixed["ip_address"], "OS-EXT-IPS:type": "fixed", **common})
        for floating in store.floatingips.where(port_id=port["id"]):
            network.append({"addr": floating["floating_ip_address"], "OS-EXT-IPS:type": "floating", **common})
    return result


def fixed_address(store: Store, server: Record) -> str:
    return store.ports.where(device_id=server["id"])[0]["fixed_ips"][0]["ip_address"]


def new_server_group(store: Store, project: str, user: str, name: str, policy: str) -> Record:
    group = {"id": new_id(), "name": name, "policy": policy, "rules": {}, "members": [], "project_id": project}
    return store.server_groups.add({**group, "user_id": user})
