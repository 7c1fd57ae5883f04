"""Tokens: issued for a password, another token or an application credential."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.keystone.errors import forbidden, malformed, missing, unauthorized
from zerojhub.practice.cloud.keystone.records import MICROSECONDS, parse_time
from zerojhub.practice.cloud.keystone.routes.access_rules import render_rule
from zerojhub.practice.cloud.keystone.routes.catalog import catalog
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import DOMAIN, Record, Store, Token
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def in_domain(record: Record) -> Record:
    return {"id": record["id"], "name": record["name"], "domain": {"id": DOMAIN["id"], "name": DOMAIN["name"]}}


def token_body(call: Call, token: Token, with_catalog: bool = True) -> Record:
    store = call.store
    body: Record = {
        "methods": token.methods,
        "user": {**in_domain(store.users[token.user]), "password_expires_at": None},
        "audit_ids": token.audit_ids,
        "expires_at": token.expires.strftime(MICROSECONDS),
        "issued_at": token.issued.strftime(MICROSECONDS),
    }
    if token.project:
        credential = token.application_credential
        given = credential["roles"] if credential else store.roles.values()
        more = [store.admin_role] if token.user in store.administrators else []
        roles = [{"id": role["id"], "name": role["name"]} for role in (*given, *more)]
        body |= {"project": in_domain(store.projects[token.project]), "is_domain": False, "roles": roles}
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
        if rules := credential.get("access_rules"):
            body["application_credential"]["access_rules"] = [render_rule(rule) for rule in rules]
    return {"token": body}


def find_user(store: Store, user: Record) -> Record:
    """The user named in a login. Raises the same Refusal (401) as a wrong password, to reveal no user names."""
    if "id" in user:
        found = [store.users[user["id"]]] if user["id"] in store.users else []
    else:
        if "name" not in user or "domain" not in user:
            raise malformed("name" if "name" not in user else "domain", "user")
        domain = user["domain"]
        known = domain.get("id") == DOMAIN["id"] or domain.get("name") == DOMAIN["name"]
        found = store.users.named(user.get("name", "")) if known else []
    if not found:
        raise unauthorized()
    return found[0]


def by_password(store: Store, given: Record) -> tuple[str, Record]:
    if not isinstance(given.get("user"), dict):
        # Keystone's own message says None here.
        raise malformed("user", "None")
    user = find_user(store, given["user"])
    if not hmac.compare_digest(store.passwords[user["id"]].encode(), str(given["user"].get("password")).encode()):
        raise unauthorized()
    return user["id"], {}


def by_token(store: Store, given: Record) -> tuple[str, Record]:
    token = found_token(store, given.get("id", ""))
    kept = ("expires", "project", "trust", "application_credential")
    return token.user, {name: getattr(token, name) for name in kept}


def found_token(store: Store, ident: str) -> Token:
    """The valid token with this ID. Raises Refusal (404)."""
    token = store.valid_token(ident)
    if not token:
        raise Refusal(
            404, "Failed to validate token" if ident.startswith("gAAAA") else "Could not recognize Fernet token"
        )
    return token


def by_application_credential(store: Store, given: Record) -> tuple[str, Record]:
    if "id" in given:
        credential = store.application_credentials.get(given["id"])
        if not credential:
            raise missing("Application Credential", given["id"])
    else:
        user = find_user(store, given.get("user") or {})
        found = store.application_credentials.where(name=given.get("name"), user_id=user["id"])
        if not found:
            raise missing("Application Credential", str(given.get("name")))
        credential = found[0]
    if not hmac.compare_digest(credential["secret"].encode(), str(given.get("secret")).encode()):
        raise unauthorized()
    if credential["expires_at"] and parse_time(credential["expires_at"]) <= datetime.now(UTC):
        raise unauthorized()
    return credential["user_id"], {"project": credential["project_id"], "application_credential": credential}


METHODS = {"password": by_password, "token": by_token, "application_credential": by_application_credential}


def scoped(store: Store, user: str, scope: Any) -> dict[str, Any]:
    """The project and trust of a requested scope."""
    if not scope or scope == "unscoped":
        return {"project": store.users[user]["default_project_id"] if not scope else None, "trust": None}
    if "OS-TRUST:trust" in scope:
        trust = store.trusts.get(scope["OS-TRUST:trust"].get("id"))
        if not trust:
            raise missing("trust", scope["OS-TRUST:trust"].get("id"))
        if trust["trustee_user_id"] != user:
            raise Refusal(403, "User is not a trustee.")
        return {"project": trust["project_id"], "trust": trust, "user": trust["trustor_user_id"]}
    wanted = scope.get("project") or {}
    if "id" not in wanted and "domain" not in wanted:
        raise malformed("domain", "project")
    found = store.projects.find(wanted.get("id") or wanted.get("name") or "")
    # A trustee has no role in a project, only its trust.
    if not found or store.users[user]["default_project_id"] != found[0]["id"]:
        raise unauthorized()
    return {"project": found[0]["id"], "trust": None}


@routes("POST", "/v3/auth/tokens", public=True)
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
    user = ""
    more: dict[str, Any] = {}
    for method in methods:
        if not isinstance(identity.get(method), dict):
            raise malformed(method, "identity")
        user, proved = METHODS[method](call.store, identity[method])
        more |= proved
    if more.get("application_credential") and auth.get("scope"):
        why = "Application credentials cannot request a scope."
        raise unauthorized(f"Error authenticating with application credential: {why}")
    if not more.get("application_credential") and (auth.get("scope") or "project" not in more):
        more |= scoped(call.store, user, auth.get("scope"))
    token = call.store.issue(**{"user": user, "methods": methods, **more})
    call.scope["state"]["user"] = call.store.users[token.holder]["name"]
    body = token_body(call, token, "nocatalog" not in call.query_params)
    return JSONResponse(body, 201, {"X-Subject-Token": token.id})


def subject(call: Call) -> Token:
    ident = call.headers.get("x-subject-token")
    if not ident:
        raise forbidden("validate_token")
    return found_token(call.store, ident)


@routes("GET HEAD", "/v3/auth/tokens")
async def validate(call: Call) -> JSONResponse:
    token = subject(call)
    body = token_body(call, token, "nocatalog" not in call.query_params)
    return JSONResponse(body, 200, {"X-Subject-Token": token.id})


@routes("DELETE", "/v3/auth/tokens", status=204)
async def revoke(call: Call) -> None:
    del call.store.tokens[subject(call).id]
