"""Keystone v3: the catalog of services, and who there is. Who gets a token is in keystone_tokens."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.wire import UNAUTHENTICATED, Call, Refusal, Service

TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
KINDS = ("users", "projects", "domains", "roles", "services", "endpoints", "groups")
MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%fZ"


def say_no(refusal: Refusal) -> JSONResponse:
    title = TITLES.get(refusal.status, "Internal Server Error")
    error = {"code": refusal.status, "message": refusal.message, "title": title}
    return JSONResponse({"error": error}, refusal.status)


keystone = Service("identity", "/identity", say_no, headers={"Vary": "X-Auth-Token"})


def unauthorized(why: str = UNAUTHENTICATED["error"]["message"]) -> Refusal:
    return Refusal(401, why)


def forbidden(action: str) -> Refusal:
    return Refusal(403, f"You are not authorized to perform the requested action: identity:{action}.")


def incorrect(what: str) -> Refusal:
    why = "The server could not comply with the request since it is either malformed or otherwise incorrect."
    return Refusal(400, f"{what}. {why} The client is assumed to be in error.")


def malformed(name: str, target: str) -> Refusal:
    return incorrect(f"Expecting to find {name} in {target}")


def missing(what: str, ident: str) -> Refusal:
    return Refusal(404, f"Could not find {what}: {ident}.")


# -- versions and catalog -----------------------------------------------------------------------------------------------


def version(call: Call) -> Record:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{call.origin}/identity/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


@keystone.route("GET", "", public=True)
async def versions(call: Call) -> JSONResponse:
    body = {"versions": {"values": [version(call)]}}
    return JSONResponse(body, 300, {"Location": f"{call.origin}/identity/v3/"})


@keystone.route("GET", "/v3", public=True)
async def version_3(call: Call) -> Record:
    return {"version": version(call)}


def catalog(call: Call, project: str | None) -> list[Record]:
    """The services, at the address that the client reached Keystone on."""
    services = [
        ("identity", "keystone", "/identity/v3"),
        ("container-infra", "magnum", "/container-infra/v1"),
        ("compute", "nova", "/compute/v2.1"),
        ("network", "neutron", "/network"),
        ("image", "glance", "/image"),
        ("volumev3", "cinderv3", f"/volume/v3/{project}"),
        ("load-balancer", "octavia", "/load-balancer"),
        ("orchestration", "heat", f"/orchestration/v1/{project}"),
    ]
    region = call.cloud.region
    return [
        {
            "id": f"{index:032x}",
            "type": kind,
            "name": name,
            "endpoints": [
                {
                    "id": f"{index:016x}{number:016x}",
                    "interface": interface,
                    "region": region,
                    "region_id": region,
                    "url": call.origin + path,
                }
                for number, interface in enumerate(("public", "internal", "admin"))
            ],
        }
        for index, (kind, name, path) in enumerate(services, 1)
    ]


@keystone.route("GET", "/v3/auth/catalog")
async def show_catalog(call: Call) -> Record:
    return {"catalog": catalog(call, call.project), "links": {"self": f"{call.origin}/identity/v3/auth/catalog"}}


def moment(text: str) -> datetime:
    """A time as clients write it, with or without a zone (then it is UTC)."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise incorrect("Timestamp not in expected format") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


# -- look-ups -----------------------------------------------------------------------------------------------------------


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
