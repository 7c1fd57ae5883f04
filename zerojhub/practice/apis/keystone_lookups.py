"""What Keystone tells of users, projects and regions: to a member of a project, little."""

from __future__ import annotations

from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.keystone import forbidden, keystone
from zerojhub.practice.apis.wire import Call, Refusal

KINDS = ("users", "projects", "domains", "roles", "services", "endpoints", "groups", "role_assignments")


def linked(call: Call, kind: str, record: Record) -> Record:
    return {**record, "links": {"self": f"{call.origin}/identity/v3/{kind}/{record['id']}"}}


def listing(call: Call, name: str, records: list[Record]) -> Record:
    for key in ("name", "domain_id", "id"):
        if key in call.query_params:
            records = [record for record in records if record.get(key) == call.query_params[key]]
    return {name: records, "links": {"self": str(call.url), "previous": None, "next": None}}


@keystone.route("GET", "/v3/auth/projects")
async def own_projects(call: Call) -> Record:
    mine = call.cloud.users[call.token.user]["default_project_id"]
    return listing(call, "projects", [linked(call, "projects", call.cloud.projects[mine])])


@keystone.route("GET", "/v3/users/{user}/projects")
async def user_projects(call: Call) -> Record:
    if call.path_params["user"] != call.token.user:
        raise forbidden("list_user_projects")
    return await own_projects(call)


@keystone.route("GET", "/v3/regions")
async def regions(call: Call) -> Record:
    region = {"id": call.cloud.region, "description": "", "parent_region_id": None}
    return listing(call, "regions", [linked(call, "regions", region)])


@keystone.route("GET", "/v3/{kind}")
async def list_kind(call: Call) -> None:
    """What there is of users, projects, roles and the like: for administrators only."""
    if call.path_params["kind"] not in KINDS:
        raise Refusal(404, "The resource could not be found.")
    raise forbidden(f"list_{call.path_params['kind']}")


@keystone.route("GET", "/v3/{kind}/{ident}")
async def show_kind(call: Call) -> Record:
    """Oneself, and the project of the token."""
    kind, ident = call.path_params["kind"], call.path_params["ident"]
    if kind not in KINDS:
        raise Refusal(404, "The resource could not be found.")
    own = {"users": call.cloud.users[call.token.user]}
    if call.token.project:
        own["projects"] = call.cloud.projects[call.token.project]
    if kind not in own or own[kind]["id"] != ident:
        raise forbidden(f"get_{kind.removesuffix('s')}")
    return {kind.removesuffix("s"): linked(call, kind, own[kind])}


@keystone.route("POST", "/v3/{kind}")
async def create_kind(call: Call) -> None:
    kind = call.path_params["kind"]
    if kind not in (*KINDS, "regions", "registered_limits"):
        raise Refusal(404, "The resource could not be found.")
    raise forbidden(f"create_{kind.removesuffix('s')}")
