"""Server groups."""

from __future__ import annotations

from zerojhub.practice.cloud.nova.records import get, new_server_group
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def render_group(call: Call, group: Record) -> Record:
    if call.state.version >= (2, 64):
        return group
    later = ("policy", "rules") if call.state.version >= (2, 13) else ("policy", "rules", "project_id", "user_id")
    old = {key: value for key, value in group.items() if key not in later}
    return {**old, "policies": [group["policy"]], "metadata": {}}


def requested_group(call: Call) -> Record:
    return get(call.store.server_groups, call.path_params["ident"], "Instance group {} could not be found.")


@routes("GET", "/v2.1/os-server-groups")
async def list_groups(call: Call) -> Record:
    groups = call.store.server_groups.where(project_id=call.project)
    return {"server_groups": [render_group(call, group) for group in groups]}


@routes("GET", "/v2.1/os-server-groups/{ident}")
async def show_group(call: Call) -> Record:
    return {"server_group": render_group(call, requested_group(call))}


@routes("POST", "/v2.1/os-server-groups")
async def create_group(call: Call) -> Record:
    wanted = call.inner("server_group")
    policy = wanted.get("policy") or next(iter(wanted.get("policies") or []), "anti-affinity")
    group = new_server_group(call.store, call.project, call.token.user, wanted.get("name", ""), policy)
    return {"server_group": render_group(call, group)}


@routes("DELETE", "/v2.1/os-server-groups/{ident}", status=204)
async def delete_group(call: Call) -> None:
    del call.store.server_groups[requested_group(call)["id"]]
