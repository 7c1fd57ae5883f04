"""Servers: create and update."""

from __future__ import annotations

import secrets
from functools import partial

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.nova.boot import boot, plug, possible_networks, wanted_groups
from zerojhub.practice.cloud.nova.errors import require
from zerojhub.practice.cloud.nova.records import forget_server, links, new_server
from zerojhub.practice.cloud.nova.rendering import render_server
from zerojhub.practice.cloud.nova.routes.servers import requested_server
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def checked(call: Call, wanted: Record) -> Record:
    """The fields of a server's record from a request. Raises Refusal (400)."""
    require("server", wanted, "name", "flavorRef", *(["networks"] if call.state.version >= (2, 37) else []))
    store, name, image = call.store, wanted["name"], wanted.get("imageRef") or ""
    if not isinstance(name, str) or not 0 < len(name) <= 255:
        raise Refusal(400, f"Invalid input for field/attribute name. Value: {name}. {name!r} is too short or too long")
    if image not in store.images:
        raise Refusal(400, "Can not find requested image" if image else "Missing imageRef attribute")
    flavor = str(wanted.get("flavorRef")).rpartition("/")[2]
    if flavor not in store.flavors:
        raise Refusal(400, f"Flavor {flavor} could not be found.")
    key = wanted.get("key_name")
    if key and key not in store.keypairs:
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


@routes("POST", "/v2.1/servers")
async def create_server(call: Call) -> JSONResponse:
    wanted, store = call.inner("server"), call.store
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
            server = new_server(store, call.project, call.token.user, name, request=call.state.request_id, **fields)
            made.append(server)
            for net in nets:
                plug(call, server, net, groups)
            # An existing port keeps its groups.
            idents = [ident for port in store.ports.where(device_id=server["id"]) for ident in port["security_groups"]]
            server["security_groups"] = [store.security_groups[ident]["name"] for ident in dict.fromkeys(idents)]
    except Refusal:
        for server in made:
            await forget_server(store, call.ground, server)
        raise
    for server in made:
        if group := store.server_groups.get(server["server_group"] or ""):
            group["members"].append(server["id"])
        call.conductor.queue(server["id"], partial(boot, store, call.ground, server))
    first = made[0]
    body = {
        "id": first["id"],
        "links": links(call, f"servers/{first['id']}"),
        "OS-DCF:diskConfig": "MANUAL",
        "security_groups": [{"name": group["name"]} for group in groups],
        "adminPass": wanted.get("adminPass") or secrets.token_urlsafe(9),
    }
    return JSONResponse({"server": body}, 202, {"Location": body["links"][0]["href"]})


@routes("PUT", "/v2.1/servers/{ident}")
async def update_server(call: Call) -> Record:
    server, wanted = requested_server(call), call.inner("server")
    server |= {name: wanted[name] for name in ("name", "description") if name in wanted}
    return {"server": render_server(call, server)}
