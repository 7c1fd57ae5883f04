"""Keystone v3: who may do what. Passwords, application credentials, trusts and tokens, and the catalog of services."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import DOMAIN, Cloud, Record, Token
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
        credential = token.application_credential
        given = credential["roles"] if credential else cloud.roles.values()
        roles = [{"id": role["id"], "name": role["name"]} for role in given]
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
        if "name" not in user or "domain" not in user:
            raise malformed("name" if "name" not in user else "domain", "user")
        domain = user["domain"]
        known = domain.get("id") == DOMAIN["id"] or domain.get("name") == DOMAIN["name"]
        found = cloud.users.named(user.get("name", "")) if known else []
    if not found:
        raise unauthorized()
    return found[0]


def by_password(cloud: Cloud, given: Record) -> tuple[str, Record]:
    if not isinstance(given.get("user"), dict):
        # So says Keystone itself, which has lost the word here.
        raise malformed("user", "None")
    user = find_user(cloud, given["user"])
    if not hmac.compare_digest(cloud.passwords[user["id"]].encode(), str(given["user"].get("password")).encode()):
        raise unauthorized()
    return user["id"], {}


def by_token(cloud: Cloud, given: Record) -> tuple[str, Record]:
    token = found_token(cloud, given.get("id", ""))
    kept = ("expires", "project", "trust", "application_credential")
    return token.user, {name: getattr(token, name) for name in kept}


def found_token(cloud: Cloud, ident: str) -> Token:
    """The token, or a Refusal (404) for one that was never, or is no longer, one."""
    token = cloud.valid_token(ident)
    if not token:
        raise Refusal(
            404, "Failed to validate token" if ident.startswith("gAAAA") else "Could not recognize Fernet token"
        )
    return token


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
        raise incorrect("Timestamp not in expected format") from None
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
    if "id" not in wanted and "domain" not in wanted:
        raise malformed("domain", "project")
    found = cloud.projects.find(wanted.get("id") or wanted.get("name") or "")
    # A trustee has no role of its own: it gets in through its trust only.
    if not found or cloud.users[user]["default_project_id"] != found[0]["id"]:
        raise unauthorized()
    return {"project": found[0]["id"], "trust": None}


@keystone.route("POST", "/v3/auth/tokens", public=True)
async def authenticate(call: Call) -> JSONResponse:
    if not isinstance(call.data, dict) or "auth" not in call.data:
        raise malformed("auth", "request body")
    auth = call.inner("auth")
    if "identity" not in auth:
        raise Refusal(400, "'identity' is a required property")
    identity = auth["identity"]
    if "methods" not in identity:
        raise Refusal(400, "Invalid input for field 'identity': 'methods' is a required property")
    methods = identity["methods"]
    if not methods:
        raise unauthorized()
    if any(method not in METHODS for method in methods):
        raise unauthorized("Attempted to authenticate with an unsupported method.")
    user, more = "", {}
    for method in methods:
        if not isinstance(identity.get(method), dict):
            raise malformed(method, "identity")
        user, proved = METHODS[method](call.cloud, identity[method])
        more |= proved
    if more.get("application_credential") and auth.get("scope"):
        why = "Application credentials cannot request a scope."
        raise unauthorized(f"Error authenticating with application credential: {why}")
    if not more.get("application_credential") and (auth.get("scope") or "project" not in more):
        more |= scoped(call.cloud, user, auth.get("scope"))
    token = call.cloud.issue(**{"user": user, "methods": methods, **more})
    call.scope["state"]["user"] = call.cloud.users[token.holder]["name"]
    body = token_body(call, token, "nocatalog" not in call.query_params)
    return JSONResponse(body, 201, {"X-Subject-Token": token.id})


def subject(call: Call) -> Token:
    ident = call.headers.get("x-subject-token")
    if not ident:
        raise forbidden("validate_token")
    return found_token(call.cloud, ident)


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
