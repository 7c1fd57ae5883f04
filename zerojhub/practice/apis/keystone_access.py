"""Access rules: the only requests that an application credential which has some is good for."""

from __future__ import annotations

from zerojhub.practice.apis.access import METHODS
from zerojhub.practice.apis.cloud import Cloud, Record, hex_id
from zerojhub.practice.apis.keystone import forbidden, keystone, missing
from zerojhub.practice.apis.keystone_lookups import listing
from zerojhub.practice.apis.wire import Call, Refusal

RULES = "/v3/users/{user}/access_rules"
FIELDS = ("service", "path", "method")


def wanted_rules(cloud: Cloud, user: str, wanted: list[Record]) -> list[Record]:
    """The rules that a body asks for, made where there are none like them yet. Raises Refusal (400, 404)."""
    rules = []
    for rule in wanted:
        if ident := rule.get("id"):
            rules.append(a_rule(cloud, user, ident))
        else:
            check(rule)
            fields = {name: rule[name] for name in FIELDS}
            found = cloud.access_rules.where(user_id=user, **fields)
            found = found or [cloud.access_rules.add({"id": hex_id(), "user_id": user, **fields})]
            rules.append(found[0])
    return rules


def check(rule: Record) -> None:
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


def shown(rule: Record) -> Record:
    return {name: rule[name] for name in ("id", *FIELDS)}


def a_rule(cloud: Cloud, user: str, ident: str) -> Record:
    """The user's rule of that id. Raises Refusal (404)."""
    found = cloud.access_rules.where(id=ident, user_id=user)
    if not found:
        raise missing("Access Rule", ident)
    return found[0]


def linked(call: Call, rule: Record) -> Record:
    path = f"{call.origin}/identity/v3/users/{rule['user_id']}/access_rules/{rule['id']}"
    return {**shown(rule), "links": {"self": path}}


@keystone.route("GET", RULES)
async def list_rules(call: Call) -> Record:
    if call.path_params["user"] != call.token.user:
        raise forbidden("list_access_rules")
    mine = call.cloud.access_rules.where(user_id=call.token.user)
    return listing(call, "access_rules", [linked(call, rule) for rule in mine])


@keystone.route("GET", RULES + "/{ident}")
async def show_rule(call: Call) -> Record:
    if call.path_params["user"] != call.token.user:
        raise forbidden("get_access_rule")
    return {"access_rule": linked(call, a_rule(call.cloud, call.token.user, call.path_params["ident"]))}


@keystone.route("DELETE", RULES + "/{ident}", status=204)
async def delete_rule(call: Call) -> None:
    if call.path_params["user"] != call.token.user:
        raise forbidden("delete_access_rule")
    rule = a_rule(call.cloud, call.token.user, call.path_params["ident"])
    for credential in call.cloud.application_credentials.values():
        if rule["id"] in [used["id"] for used in credential.get("access_rules", ())]:
            raise Refusal(403, "May not delete access rule in use")
    del call.cloud.access_rules[rule["id"]]
