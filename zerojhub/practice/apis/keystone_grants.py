"""Keystone's ways to let something else act: application credentials and trusts."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from zerojhub.practice.apis import keystone_access
from zerojhub.practice.apis.cloud import Cloud, Record, hex_id
from zerojhub.practice.apis.keystone import MICROSECONDS, forbidden, incorrect, keystone, missing, moment
from zerojhub.practice.apis.keystone_lookups import listing
from zerojhub.practice.apis.wire import Call, Refusal

# -- application credentials --------------------------------------------------------------------------------------------


def new_credential(cloud: Cloud, user: str, project: str, name: str, **more: object) -> Record:
    """Let whoever has its secret act in the project as the user."""
    credential = {
        "id": hex_id(),
        "name": name,
        "description": None,
        "user_id": user,
        "project_id": project,
        "roles": list(cloud.roles.values()),
        "expires_at": None,
        "unrestricted": False,
        "system": None,
        "secret": secrets.token_urlsafe(64),
        **more,
    }
    return cloud.application_credentials.add(credential)


def end_credential(cloud: Cloud, ident: str) -> None:
    """The application credential goes, and with it the tokens that it was good for. Quiet when there is none."""
    gone = cloud.application_credentials.pop(ident, None)
    cloud.tokens = {
        key: token for key, token in cloud.tokens.items() if not gone or token.application_credential != gone
    }


def own_credential(call: Call) -> Record:
    ident = call.path_params["ident"]
    credential = call.cloud.application_credentials.get(ident)
    if not credential or credential["user_id"] != call.path_params["user"]:
        raise missing("Application Credential", ident)
    return credential


def shown(call: Call, credential: Record, secret: bool = False) -> Record:
    body = {key: value for key, value in credential.items() if secret or key != "secret"}
    if "access_rules" in body:
        body["access_rules"] = [keystone_access.shown(rule) for rule in body["access_rules"]]
    # So Keystone writes it, although it serves nothing there.
    return {**body, "links": {"self": f"{call.origin}/identity/v3/application_credentials/{credential['id']}"}}


def may(call: Call, what: str) -> None:
    credential = call.token.application_credential
    if call.path_params["user"] != call.token.user or (credential and not credential["unrestricted"]):
        raise forbidden(f"{what}_application_credential")


def wanted_roles(cloud: Cloud, wanted: list[Record] | None) -> list[Record]:
    """All roles, or those that are named. Raises Refusal (404)."""
    roles = []
    for role in wanted or cloud.roles.values():
        name = role.get("id") or role.get("name") or ""
        found = cloud.roles.find(name)
        if not found:
            raise Refusal(404, f"Role {name} is not defined")
        roles += found
    return roles


@keystone.route("POST", "/v3/users/{user}/application_credentials", status=201)
async def create_credential(call: Call) -> Record:
    may(call, "create")
    if not isinstance(call.data, dict) or "application_credential" not in call.data:
        raise Refusal(400, "'application_credential' is a required property")
    wanted = call.inner("application_credential")
    name = wanted.get("name")
    if not name:
        why = "'name' is a required property"
        raise Refusal(400, f"Invalid input for field/attribute application_credential. Value: {wanted}. {why}")
    expires = moment(wanted["expires_at"]) if wanted.get("expires_at") else None
    if expires and expires <= datetime.now(UTC):
        raise incorrect("The 'expires_at' must not be before now")
    if call.cloud.application_credentials.where(name=name, user_id=call.token.user):
        message = (
            f"Conflict occurred attempting to store application_credential - Duplicate entry found with name {name}."
        )
        raise Refusal(409, message)
    more = {
        "description": wanted.get("description"),
        "roles": wanted_roles(call.cloud, wanted.get("roles")),
        "expires_at": expires.strftime(MICROSECONDS) if expires else None,
        "unrestricted": wanted.get("unrestricted"),
        "secret": wanted.get("secret") or secrets.token_urlsafe(64),
    }
    if wanted.get("access_rules"):
        more["access_rules"] = keystone_access.wanted_rules(call.cloud, call.token.user, wanted["access_rules"])
    credential = new_credential(call.cloud, call.token.user, call.project, name, **more)
    return {"application_credential": shown(call, credential, secret=True)}


@keystone.route("GET", "/v3/users/{user}/application_credentials")
async def list_credentials(call: Call) -> Record:
    mine = call.cloud.application_credentials.where(user_id=call.path_params["user"])
    return listing(call, "application_credentials", [shown(call, credential) for credential in mine])


@keystone.route("GET", "/v3/users/{user}/application_credentials/{ident}")
async def show_credential(call: Call) -> Record:
    return {"application_credential": shown(call, own_credential(call))}


@keystone.route("DELETE", "/v3/users/{user}/application_credentials/{ident}", status=204)
async def delete_credential(call: Call) -> None:
    may(call, "delete")
    end_credential(call.cloud, own_credential(call)["id"])


# -- trusts -------------------------------------------------------------------------------------------------------------


def new_trust(cloud: Cloud, trustor: str, trustee: str, project: str) -> Record:
    """Let the trustee act in the project as the trustor, until the trust is deleted."""
    trust = {
        "id": hex_id(),
        "trustor_user_id": trustor,
        "trustee_user_id": trustee,
        "project_id": project,
        "impersonation": True,
        "roles": list(cloud.roles.values()),
        "expires_at": None,
        "deleted_at": None,
        "remaining_uses": None,
        "redelegation_count": 0,
    }
    return cloud.trusts.add(trust)


@keystone.route("POST", "/v3/OS-TRUST/trusts", status=201)
async def create_trust(call: Call) -> Record:
    wanted = call.inner("trust")
    if wanted.get("trustor_user_id") != call.token.user:
        raise forbidden("create_trust")
    if wanted.get("trustee_user_id") not in call.cloud.users:
        raise missing("user", str(wanted.get("trustee_user_id")))
    return {"trust": new_trust(call.cloud, call.token.user, wanted["trustee_user_id"], call.project)}


@keystone.route("GET", "/v3/OS-TRUST/trusts")
async def list_trusts(call: Call) -> Record:
    return listing(call, "trusts", list(call.cloud.trusts.values()))


def own_trust(call: Call) -> Record:
    trust = call.cloud.trusts.get(call.path_params["ident"])
    if not trust:
        raise missing("trust", call.path_params["ident"])
    return trust


@keystone.route("GET", "/v3/OS-TRUST/trusts/{ident}")
async def show_trust(call: Call) -> Record:
    return {"trust": own_trust(call)}


@keystone.route("DELETE", "/v3/OS-TRUST/trusts/{ident}", status=204)
async def delete_trust(call: Call) -> None:
    del call.cloud.trusts[own_trust(call)["id"]]
