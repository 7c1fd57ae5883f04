"""Servers that people ask Nova for themselves: each is answered for at once, and boots a machine afterwards."""

from __future__ import annotations

import secrets
from functools import partial

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import Cloud, Record
from zerojhub.practice.apis.neutron_records import new_port
from zerojhub.practice.apis.nova import links, nova, require
from zerojhub.practice.apis.nova_servers import failed, fixed_address, forget_server, new_server, shown_server, started
from zerojhub.practice.apis.nova_states import a_server
from zerojhub.practice.apis.wire import Call, Refusal
from zerojhub.practice.ground import Ground, GroundError, MachineSpec


def machine_of(cloud: Cloud, server: Record) -> MachineSpec:
    keypair = cloud.keypairs.get(server["key_name"] or "")
    return MachineSpec(
        id=server["id"],
        name=server["hostname"],
        address=fixed_address(cloud, server),
        login=cloud.images[server["image"]].get("os_admin_user", "root"),
        public_keys=(keypair["public_key"],) if keypair else (),
        machine_id=server["id"].replace("-", ""),
    )


async def boot(cloud: Cloud, ground: Ground, server: Record) -> None:
    """Start the server's machine. One on no network has none, as nobody could tell."""
    first, *others = cloud.ports.where(device_id=server["id"]) or [None]
    try:
        if first:
            await ground.boot(machine_of(cloud, server))
        for port in others:
            await ground.plug(server["id"], port["fixed_ips"][0]["ip_address"])
    except GroundError as error:
        failed(server, str(error))
    else:
        started(server)


def possible_networks(call: Call) -> list[Record]:
    """The network for a server that names none: the only one of the project, if it has any."""
    own = [item for item in call.cloud.networks.where(project_id=call.project) if not item["router:external"]]
    if len(own) > 1:
        message = "More than one possible network found. Specify network ID(s) to select which one(s) to connect to."
        raise Refusal(409, message)
    return own


def plug(call: Call, server: Record, wanted: Record, groups: list[Record]) -> Record:
    """Give the server the port that `wanted` names, or a new one on its network. Raises Refusal (400, 403, 409)."""
    cloud, owner = call.cloud, {"device_id": server["id"], "device_owner": "compute:nova"}
    if ident := wanted.get("port"):
        port = cloud.ports.get(ident)
        if not port:
            raise Refusal(400, f"Port id {ident} could not be found.")
        if port["device_id"]:
            raise Refusal(409, f"Port {ident} is still in use.")
        port |= owner
        return port
    network = cloud.networks.get(wanted.get("uuid") or "")
    if not network:
        raise Refusal(400, f"Network {wanted.get('uuid')} could not be found.")
    if network["router:external"]:
        raise Refusal(403, f"It is not allowed to create an interface on external network {network['id']}")
    if not network["subnets"]:
        raise Refusal(400, f"Network {network['id']} requires a subnet in order to boot instances on.")
    named = {"security_groups": [group["id"] for group in groups]}
    port = new_port(cloud, call.project, network, address=wanted.get("fixed_ip") or "", **owner, **named)
    server["own_ports"].append(port["id"])
    return port


def wanted_groups(call: Call, wanted: Record) -> list[Record]:
    own = call.cloud.security_groups.where(project_id=call.project)
    groups = []
    for name in [group.get("name") for group in wanted.get("security_groups") or [{"name": "default"}]]:
        found = [group for group in own if name in (group["id"], group["name"])]
        if not found:
            raise Refusal(400, f"Security group {name} not found.")
        groups += found[:1]
    return groups


def checked(call: Call, wanted: Record) -> Record:
    """The fields of a server's record that a body asks for. Raises Refusal (400)."""
    require("server", wanted, "name", "flavorRef", *(["networks"] if call.state.version >= (2, 37) else []))
    cloud, name, image = call.cloud, wanted["name"], wanted.get("imageRef") or ""
    if not isinstance(name, str) or not 0 < len(name) <= 255:
        raise Refusal(400, f"Invalid input for field/attribute name. Value: {name}. {name!r} is too short or too long")
    if image not in cloud.images:
        raise Refusal(400, "Can not find requested image" if image else "Missing imageRef attribute")
    flavor = str(wanted.get("flavorRef")).rpartition("/")[2]
    if flavor not in cloud.flavors:
        raise Refusal(400, f"Flavor {flavor} could not be found.")
    key = wanted.get("key_name")
    if key and key not in cloud.keypairs:
        raise Refusal(400, "Invalid key_name provided.")
    return {
        "flavor": flavor,
        "image": image,
        "key_name": key,
        "metadata": {name: str(value) for name, value in (wanted.get("metadata") or {}).items()},
        "description": wanted.get("description"),
        "tags": list(wanted.get("tags") or []),
        "config_drive": "True" if wanted.get("config_drive") in (True, "True", "true") else "",
        "server_group": ((call.data or {}).get("os:scheduler_hints") or {}).get("group"),
    }


@nova.route("POST", "/v2.1/servers")
async def create_server(call: Call) -> JSONResponse:
    wanted, cloud = call.inner("server"), call.cloud
    fields, groups = checked(call, wanted), wanted_groups(call, wanted)
    networks = wanted.get("networks", "auto")
    nets = [] if networks == "none" else networks
    if nets == "auto":
        nets = [{"uuid": network["id"]} for network in possible_networks(call)]
    count = max(int(wanted.get("min_count") or 1), int(wanted.get("max_count") or 1))
    made: list[Record] = []
    try:
        for number in range(1, count + 1):
            name = wanted["name"] if count == 1 else f"{wanted['name']}-{number}"
            server = new_server(cloud, call.project, call.token.user, name, request=call.state.request_id, **fields)
            made.append(server)
            for net in nets:
                plug(call, server, net, groups)
            # A port that was there brings its own groups.
            idents = [ident for port in cloud.ports.where(device_id=server["id"]) for ident in port["security_groups"]]
            server["security_groups"] = [cloud.security_groups[ident]["name"] for ident in dict.fromkeys(idents)]
    except Refusal:
        for server in made:
            await forget_server(cloud, call.ground, server)
        raise
    for server in made:
        if group := cloud.server_groups.get(server["server_group"] or ""):
            group["members"].append(server["id"])
        call.conductor.queue(server["id"], partial(boot, cloud, call.ground, server))
    first = made[0]
    body = {
        "id": first["id"],
        "links": links(call, f"servers/{first['id']}"),
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": [{"name": group["name"]} for group in groups],
        "adminPass": wanted.get("adminPass") or secrets.token_urlsafe(9),
    }
    return JSONResponse({"server": body}, 202, {"Location": body["links"][0]["href"]})


@nova.route("PUT", "/v2.1/servers/{ident}")
async def update_server(call: Call) -> Record:
    server, wanted = a_server(call), call.inner("server")
    server |= {name: wanted[name] for name in ("name", "description") if name in wanted}
    return {"server": shown_server(call, server)}
