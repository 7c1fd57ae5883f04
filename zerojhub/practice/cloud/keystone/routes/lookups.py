"""Users, projects and regions. A project member sees little of them."""

from __future__ import annotations

from zerojhub.practice.cloud.keystone.errors import forbidden
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


KINDS = ("users", "projects", "domains", "roles", "services", "endpoints", "groups", "role_assignments")


def with_link(call: Call, kind: str, record: Record) -> Record:
    return {**record, "links": {"self": f"{call.origin}/identity/v3/{kind}/{record['id']}"}}


def listing(call: Call, name: str, records: list[Record]) -> Record:
    for key in ("name", "domain_id", "id"):
        if key in call.query_params:
            records = [record for record in records if record.get(key) == call.query_params[key]]
    return {name: records, "links": {"self": str(call.url), "previous": None, "next": None}}


@routes("GET", "/v3/auth/projects")
async def own_projects(call: Call) -> Record:
    mine = call.store.users[call.token.user]["default_project_id"]
    return listing(call, "projects", [with_link(call, "projects", call.store.projects[mine])])


@routes("GET", "/v3/users/{user}/projects")
async def user_projects(call: Call) -> Record:
    if call.path_params["user"] != call.token.user:
        raise forbidden("list_user_projects")
    return await own_projects(call)


@routes("GET", "/v3/regions")
async def regions(call: Call) -> Record:
    region = {"id": call.store.region, "description": "", "parent_region_id": None}
    return listing(call, "regions", [with_link(call, "regions", region)])


@routes("GET", "/v3/{kind}")
async def list_kind(call: Call) -> None:
    """Lists of users, projects, roles and so on are for administrators."""
    if call.path_params["kind"] not in KINDS:
        raise Refusal(404, "The resource could not be found.")
    raise forbidden(f"list_{call.path_params['kind']}")


@routes("GET", "/v3/{kind}/{ident}")
async def show_kind(call: Call) -> Record:
    """Users can see themselves and their token's project."""
    kind, ident = call.path_params["kind"], call.path_params["ident"]
    if kind not in KINDS:
        raise Refusal(404, "The resource could not be found.")
    own = {"users": call.store.users[call.token.user]}
    if call.token.project:
        own["projects"] = call.store.projects[call.token.project]
    if kind not in own or own[kind]["id"] != ident:
        raise forbidden(f"get_{kind.removesuffix('s')}")
    return {kind.removesuffix("s"): with_link(call, kind, own[kind])}


@routes("POST", "/v3/{kind}")
async def create_kind(call: Call) -> None:
    kind = call.path_params["kind"]
    if kind not in (*KINDS, "regions", "registered_limits"):
        raise Refusal(404, "The resource could not be found.")
    raise forbidden(f"create_{kind.removesuffix('s')}")
