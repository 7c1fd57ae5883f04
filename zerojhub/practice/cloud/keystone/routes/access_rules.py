"""Access rules: the only requests that an application credential with rules may be used for."""

from __future__ import annotations

from zerojhub.practice.cloud.access_rules import METHODS
from zerojhub.practice.cloud.keystone.errors import forbidden, missing
from zerojhub.practice.cloud.keystone.routes.lookups import listing
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, hex_id
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()


RULES = "/v3/users/{user}/access_rules"
FIELDS = ("service", "path", "method")


def wanted_rules(store: Store, user: str, wanted: list[Record]) -> list[Record]:
    """The requested rules; identical existing rules are reused. Raises Refusal (400, 404)."""
    rules = []
    for rule in wanted:
        if ident := rule.get("id"):
            rules.append(find_rule(store, user, ident))
        else:
            check_rule(rule)
            fields = {name: rule[name] for name in FIELDS}
            found = store.access_rules.where(user_id=user, **fields)
            found = found or [store.access_rules.add({"id": hex_id(), "user_id": user, **fields})]
            rules.append(found[0])
    return rules


def check_rule(rule: Record) -> None:
    for name in FIELDS:
        if not isinstance(rule.get(name), str):
            value = f"Invalid input for field/attribute access_rules. Value: {rule}."
            raise Refusal(400, f"{value} {name!r} is a required property")
    if not rule["path"].startswith("/"):
        value = f"Invalid input for field/attribute path. Value: {rule['path']}."
        raise Refusal(400, rf"{value} {rule['path']!r} does not match '^/\\.*'")
    if rule["method"] not in METHODS:
        value = f"Invalid input for field/attribute method. Value: {rule['method']}."
        raise Refusal(400, f"{value} {rule['method']!r} is not one of {list(METHODS)}")


def render_rule(rule: Record) -> Record:
    return {name: rule[name] for name in ("id", *FIELDS)}


def find_rule(store: Store, user: str, ident: str) -> Record:
    """The user's rule with this ID. Raises Refusal (404)."""
    found = store.access_rules.where(id=ident, user_id=user)
    if not found:
        raise missing("Access Rule", ident)
    return found[0]


def render_rule_with_link(call: Call, rule: Record) -> Record:
    path = f"{call.origin}/identity/v3/users/{rule['user_id']}/access_rules/{rule['id']}"
    return {**render_rule(rule), "links": {"self": path}}


@routes("GET", RULES)
async def list_rules(call: Call) -> Record:
    if call.path_params["user"] != call.token.user:
        raise forbidden("list_access_rules")
    mine = call.store.access_rules.where(user_id=call.token.user)
    return listing(call, "access_rules", [render_rule_with_link(call, rule) for rule in mine])


@routes("GET", RULES + "/{ident}")
async def show_rule(call: Call) -> Record:
    if call.path_params["user"] != call.token.user:
        raise forbidden("get_access_rule")
    return {
        "access_rule": render_rule_with_link(call, find_rule(call.store, call.token.user, call.path_params["ident"]))
    }


@routes("DELETE", RULES + "/{ident}", status=204)
async def delete_rule(call: Call) -> None:
    if call.path_params["user"] != call.token.user:
        raise forbidden("delete_access_rule")
    rule = find_rule(call.store, call.token.user, call.path_params["ident"])
    for credential in call.store.application_credentials.values():
        if rule["id"] in [used["id"] for used in credential.get("access_rules", ())]:
            raise Refusal(403, "May not delete access rule in use")
    del call.store.access_rules[rule["id"]]
