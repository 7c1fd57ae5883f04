"""Keystone v3: who may do what. Passwords, application credentials, trusts and tokens, and the catalog of services."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import DOMAIN, Cloud, Record, Token
from zerojhub.practice.apis.wire import UNAUTHENTICATED, Call, Refusal, Service

TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}
MICROSECONDS = "%Y-%m-%dT%H:%M:%S.%fZ"


def say_no(refusal: Refusal) -> JSONResponse:
    title = TITLES.get(refusal.status, "Internal Server Error")
    error = {"code": refusal.status, "message": refusal.message, "title": title}
    return JSONResponse({"error": error}, refusal.status, {"Vary": "X-Auth-Token"})


keystone = Service("identity", "/identity", say_no)


def unauthorized() -> Refusal:
    return Refusal(401, UNAUTHENTICATED["error"]["message"])


def malformed(name: str, target: str) -> Refusal:
    why = "The server could not comply with the request since it is either malformed or otherwise incorrect."
    return Refusal(400, f"Expecting to find {name} in {target}. {why} The client is assumed to be in error.")


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


@keystone.route("GET", "", status=300, public=True)
async def versions(call: Call) -> Record:
    return {"versions": {"values": [version(call)]}}


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


# -- tokens -------------------------------------------------------------------------------------------------------------


def in_domain(record: Record) -> Record:
    return {"id": record["id"], "name": record["name"], "domain": {"id": DOMAIN["id"], "name": DOMAIN["name"]}}


def token_body(call: Call, token: Token, with_catalog: bool = True) -> Record:
    cloud = call.cloud
    body: Record = {
        "methods": token.methods,
        "user": {**in_domain(cloud.users[token.user]), "password_expires_at": None},
        "audit_ids": token.audit_ids,
        "expires_at": token.expires.strftime(MICROSECONDS),
        "issued_at": token.issued.strftime(MICROSECONDS),
    }
    if token.project:
        roles = [{"id": role["id"], "name": role["name"]} for role in cloud.roles.values()]
        body |= {"project": in_domain(cloud.projects[token.project]), "is_domain": False, "roles": roles}
        if with_catalog:
            body["catalog"] = catalog(call, token.project)
    if trust := token.trust:
        body["OS-TRUST:trust"] = {
            "id": trust["id"],
            "impersonation": trust["impersonation"],
            "trustor_user": {"id": trust["trustor_user_id"]},
            "trustee_user": {"id": trust["trustee_user_id"]},
        }
    if credential := token.application_credential:
        body["application_credential"] = {key: credential[key] for key in ("id", "name")}
        body["application_credential"]["restricted"] = not credential["unrestricted"]
    return {"token": body}


def find_user(cloud: Cloud, user: Record) -> Record:
    """The user that a method's `user` names. Raises Refusal (401) as for a wrong password: who exists is a secret."""
    if "id" in user:
        found = [cloud.users[user["id"]]] if user["id"] in cloud.users else []
    else:
        domain = user.get("domain") or {}
        known = domain.get("id") == DOMAIN["id"] or domain.get("name") == DOMAIN["name"]
        found = cloud.users.named(user.get("name", "")) if known else []
    if not found:
        raise unauthorized()
    return found[0]


def by_password(cloud: Cloud, given: Record) -> tuple[str, Record]:
    if not isinstance(given.get("user"), dict):
        raise malformed("user", "password")
    user = find_user(cloud, given["user"])
    if not hmac.compare_digest(cloud.passwords[user["id"]].encode(), str(given["user"].get("password")).encode()):
        raise unauthorized()
    return user["id"], {}


def by_token(cloud: Cloud, given: Record) -> tuple[str, Record]:
    token = cloud.valid_token(given.get("id", ""))
    if not token:
        raise unauthorized()
    kept = ("expires", "project", "trust", "application_credential")
    return token.user, {name: getattr(token, name) for name in kept}


def by_application_credential(cloud: Cloud, given: Record) -> tuple[str, Record]:
    if "id" in given:
        credential = cloud.application_credentials.get(given["id"])
        if not credential:
            raise missing("Application Credential", given["id"])
    else:
        user = find_user(cloud, given.get("user") or {})
        found = cloud.application_credentials.where(name=given.get("name"), user_id=user["id"])
        if not found:
            raise missing("Application Credential", str(given.get("name")))
        credential = found[0]
    if not hmac.compare_digest(credential["secret"].encode(), str(given.get("secret")).encode()):
        raise unauthorized()
    if credential["expires_at"] and moment(credential["expires_at"]) <= datetime.now(UTC):
        raise unauthorized()
    return credential["user_id"], {"project": credential["project_id"], "application_credential": credential}


def moment(text: str) -> datetime:
    """A time as clients write it, with or without a zone (then it is UTC)."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise Refusal(400, f"Invalid input for field 'expires_at': '{text}' is not a 'date-time'.") from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


METHODS = {"password": by_password, "token": by_token, "application_credential": by_application_credential}


def scoped(cloud: Cloud, user: str, scope: Any) -> dict[str, Any]:
    """The project (and trust) that a `scope` asks for."""
    if not scope or scope == "unscoped":
        return {"project": cloud.users[user]["default_project_id"] if not scope else None, "trust": None}
    if "OS-TRUST:trust" in scope:
        trust = cloud.trusts.get(scope["OS-TRUST:trust"].get("id"))
        if not trust:
            raise missing("trust", scope["OS-TRUST:trust"].get("id"))
        if trust["trustee_user_id"] != user:
            raise Refusal(403, "User is not a trustee.")
        return {"project": trust["project_id"], "trust": trust, "user": trust["trustor_user_id"]}
    wanted = scope.get("project") or {}
    found = cloud.projects.find(wanted.get("id") or wanted.get("name") or "")
    # A trustee has no role of its own: it gets in through its trust only.
    if not found or cloud.users[user]["default_project_id"] != found[0]["id"]:
        raise unauthorized()
    return {"project": found[0]["id"], "trust": None}


@keystone.route("POST", "/v3/auth/tokens", public=True)
async def authenticate(call: Call) -> JSONResponse:
    auth = call.inner("auth")
    identity = auth.get("identity") or {}
    methods = identity.get("methods") or []
    if not methods or any(method not in METHODS for method in methods):
        raise unauthorized()
    user, more = "", {}
    for method in methods:
        if not isinstance(identity.get(method), dict):
            raise malformed(method, "identity")
        user, proved = METHODS[method](call.cloud, identity[method])
        more |= proved
    if not more.get("application_credential") and (auth.get("scope") or "project" not in more):
        more |= scoped(call.cloud, user, auth.get("scope"))
    token = call.cloud.issue(**{"user": user, "methods": methods, **more})
    call.scope["state"]["user"] = call.cloud.users[token.holder]["name"]
    headers = {"X-Subject-Token": token.id, "Vary": "X-Auth-Token"}
    return JSONResponse(token_body(call, token, "nocatalog" not in call.query_params), 201, headers)


def subject(call: Call) -> Token:
    ident = call.headers.get("x-subject-token", "")
    token = call.cloud.valid_token(ident)
    if not token:
        raise missing("token", ident)
    return token


@keystone.route("GET HEAD", "/v3/auth/tokens")
async def validate(call: Call) -> JSONResponse:
    token = subject(call)
    body = token_body(call, token, "nocatalog" not in call.query_params)
    return JSONResponse(body, 200, {"X-Subject-Token": token.id})


@keystone.route("DELETE", "/v3/auth/tokens", status=204)
async def revoke(call: Call) -> None:
    del call.cloud.tokens[subject(call).id]


@keystone.route("GET", "/v3/auth/catalog")
async def show_catalog(call: Call) -> Record:
    return {"catalog": catalog(call, call.project), "links": {"self": f"{call.origin}/identity/v3/auth/catalog"}}


# -- look-ups -----------------------------------------------------------------------------------------------------------


def listing(call: Call, name: str, records: list[Record]) -> Record:
    for key in ("name", "domain_id", "id"):
        if key in call.query_params:
            records = [record for record in records if record.get(key) == call.query_params[key]]
    return {name: records, "links": {"self": str(call.url), "previous": None, "next": None}}


@keystone.route("GET", "/v3/auth/projects")
async def own_projects(call: Call) -> Record:
    mine = call.cloud.users[call.token.user]["default_project_id"]
    return listing(call, "projects", call.cloud.projects.where(id=mine))


@keystone.route("GET", "/v3/users/{user}/projects")
async def user_projects(call: Call) -> Record:
    return await own_projects(call)


@keystone.route("GET", "/v3/{kind}")
async def list_kind(call: Call) -> Record:
    kind = call.path_params["kind"]
    return listing(call, kind, list(table(call, kind).values()))


@keystone.route("GET", "/v3/{kind}/{ident}")
async def show_kind(call: Call) -> Record:
    kind, ident = call.path_params["kind"], call.path_params["ident"]
    record = table(call, kind).get(ident)
    if not record:
        raise missing(kind.removesuffix("s"), ident)
    return {kind.removesuffix("s"): record}


def table(call: Call, kind: str) -> dict[str, Record]:
    cloud = call.cloud
    region = {"id": cloud.region, "description": "", "parent_region_id": None}
    services = catalog(call, cloud.users[call.token.user]["default_project_id"])
    tables: dict[str, dict[str, Record]] = {
        "projects": cloud.projects,
        "users": cloud.users,
        "roles": cloud.roles,
        "domains": {DOMAIN["id"]: DOMAIN},
        "regions": {cloud.region: region},
        "services": {service["id"]: {**service, "enabled": True} for service in services},
    }
    if kind not in tables:
        raise Refusal(404, "The resource could not be found.")
    return tables[kind]
