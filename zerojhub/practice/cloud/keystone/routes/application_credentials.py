"""Application credentials: secrets that act in a project on a user's behalf."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from zerojhub.practice.cloud.keystone.errors import forbidden, incorrect, missing
from zerojhub.practice.cloud.keystone.records import MICROSECONDS, end_credential, new_credential, parse_time
from zerojhub.practice.cloud.keystone.routes.access_rules import render_rule, wanted_rules
from zerojhub.practice.cloud.keystone.routes.lookups import listing
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


def own_credential(call: Call) -> Record:
    ident = call.path_params["ident"]
    credential = call.store.application_credentials.get(ident)
    if not credential or credential["user_id"] != call.path_params["user"]:
        raise missing("Application Credential", ident)
    return credential


def render_credential(call: Call, credential: Record, secret: bool = False) -> Record:
    body = {key: value for key, value in credential.items() if secret or key != "secret"}
    if "access_rules" in body:
        body["access_rules"] = [render_rule(rule) for rule in body["access_rules"]]
    # Keystone writes this link although nothing is served there.
    return {**body, "links": {"self": f"{call.origin}/identity/v3/application_credentials/{credential['id']}"}}


def check_allowed(call: Call, what: str) -> None:
    credential = call.token.application_credential
    if call.path_params["user"] != call.token.user or (credential and not credential["unrestricted"]):
        raise forbidden(f"{what}_application_credential")


def wanted_roles(store: Store, wanted: list[Record] | None) -> list[Record]:
    """The requested roles, or all. Raises Refusal (404)."""
    roles = []
    for role in wanted or store.roles.values():
        name = role.get("id") or role.get("name") or ""
        found = store.roles.find(name)
        if not found:
            raise Refusal(404, f"Role {name} is not defined")
        roles += found
    return roles


@routes("POST", "/v3/users/{user}/application_credentials", status=201)
async def create_credential(call: Call) -> Record:
    check_allowed(call, "create")
    if not isinstance(call.data, dict) or "application_credential" not in call.data:
        raise Refusal(400, "'application_credential' is a required property")
    wanted = call.inner("application_credential")
    name = wanted.get("name")
    if not name:
        why = "'name' is a required property"
        raise Refusal(400, f"Invalid input for field/attribute application_credential. Value: {wanted}. {why}")
    expires = parse_time(wanted["expires_at"]) if wanted.get("expires_at") else None
    if expires and expires <= datetime.now(UTC):
        raise incorrect("The 'expires_at' must not be before now")
    if call.store.application_credentials.where(name=name, user_id=call.token.user):
        message = (
            f"Conflict occurred attempting to store application_credential - Duplicate entry found with name {name}."
        )
        raise Refusal(409, message)
    more = {
        "description": wanted.get("description"),
        "roles": wanted_roles(call.store, wanted.get("roles")),
        "expires_at": expires.strftime(MICROSECONDS) if expires else None,
        "unrestricted": wanted.get("unrestricted"),
        "secret": wanted.get("secret") or secrets.token_urlsafe(64),
    }
    if wanted.get("access_rules"):
        more["access_rules"] = wanted_rules(call.store, call.token.user, wanted["access_rules"])
    credential = new_credential(call.store, call.token.user, call.project, name, **more)
    return {"application_credential": render_credential(call, credential, secret=True)}


@routes("GET", "/v3/users/{user}/application_credentials")
async def list_credentials(call: Call) -> Record:
    mine = call.store.application_credentials.where(user_id=call.path_params["user"])
    return listing(call, "application_credentials", [render_credential(call, credential) for credential in mine])


@routes("GET", "/v3/users/{user}/application_credentials/{ident}")
async def show_credential(call: Call) -> Record:
    return {"application_credential": render_credential(call, own_credential(call))}


@routes("DELETE", "/v3/users/{user}/application_credentials/{ident}", status=204)
async def delete_credential(call: Call) -> None:
    check_allowed(call, "delete")
    end_credential(call.store, own_credential(call)["id"])
