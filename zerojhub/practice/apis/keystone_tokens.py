"""Keystone's tokens: who gets one for a password, another token or an application credential, and what it is good for."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.apis.cloud import DOMAIN, Cloud, Record, Token
from zerojhub.practice.apis.keystone import (
    MICROSECONDS,
    catalog,
    forbidden,
    keystone,
    malformed,
    missing,
    moment,
    unauthorized,
)
from zerojhub.practice.apis.keystone_access import shown
from zerojhub.practice.apis.wire import Call, Refusal


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
        if rules := credential.get("access_rules"):
            body["application_credential"]["access_rules"] = [shown(rule) for rule in rules]
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
