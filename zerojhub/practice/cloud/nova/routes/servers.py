"""Servers: list, show, delete."""

from __future__ import annotations

import re

from zerojhub.practice.cloud.nova.events import done
from zerojhub.practice.cloud.nova.records import addresses, delete_server, get
from zerojhub.practice.cloud.nova.rendering import render_server
from zerojhub.practice.cloud.nova.states import check_unlocked, status
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes, collection

routes = Routes()


def requested_server(call: Call) -> Record:
    """The server in the path. Raises Refusal (404)."""
    return get(call.store.servers, call.path_params["ident"], "Instance {} could not be found.")


def own_servers(call: Call) -> list[Record]:
    if call.query_params.get("all_tenants", "").lower() in ("1", "true"):
        view = "detail" if call.url.path.endswith("/detail") else "index"
        raise Refusal(403, f"Policy doesn't allow os_compute_api:servers:{view}:get_all_tenants to be performed.")
    servers = call.store.servers.where(project_id=call.project)
    for name in ("name", "status", "flavor", "image"):
        if wanted := call.query_params.get(name):
            # Nova treats the name as a regular expression.
            match = re.search if name == "name" else re.fullmatch
            fields = ({**server, "status": status(server)} for server in servers)
            servers = [server for server, own in zip(servers, fields, strict=True) if match(wanted, own[name], re.I)]
    return servers


@routes("GET", "/v2.1/servers")
async def list_servers(call: Call) -> Record:
    servers = [render_server(call, server) for server in own_servers(call)]
    return collection(call, "servers", [{key: server[key] for key in ("id", "name", "links")} for server in servers])


@routes("GET", "/v2.1/servers/detail")
async def list_servers_in_detail(call: Call) -> Record:
    # Server groups are not shown in lists.
    servers = [render_server(call, server) for server in own_servers(call)]
    for server in servers:
        server.pop("server_groups", None)
    return collection(call, "servers", servers)


@routes("GET", "/v2.1/servers/{ident}")
async def show_server(call: Call) -> Record:
    return {"server": render_server(call, requested_server(call))}


@routes("DELETE", "/v2.1/servers/{ident}", status=204)
async def remove_server(call: Call) -> None:
    server = requested_server(call)
    check_unlocked(server)
    call.conductor.cancel(server["id"])
    await delete_server(call.store, call.ground, server)
    done(call, server, "delete")


@routes("GET", "/v2.1/servers/{ident}/ips")
async def list_addresses(call: Call) -> Record:
    found = addresses(call.store, requested_server(call))
    short = {name: [{key: item[key] for key in ("addr", "version")} for item in items] for name, items in found.items()}
    return {"addresses": short}


@routes("GET", "/v2.1/servers/{ident}/os-security-groups")
async def list_security_groups(call: Call) -> Record:
    names = requested_server(call)["security_groups"]
    return {"security_groups": [group for group in call.store.security_groups.values() if group["name"] in names]}
