"""The parts of a request: the kind of resource, its body, and its security groups."""

from __future__ import annotations

from typing import Any

from zerojhub.practice.cloud.neutron.errors import MISSING
from zerojhub.practice.cloud.neutron.records import get, tables
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Table
from zerojhub.practice.cloud.wire import Call


def body_of(body: Any, name: str) -> Record:
    """The resource in a request's body. Raises Refusal (400) if there is none."""
    if not isinstance(body, dict) or not isinstance(body.get(name), dict):
        raise Refusal(400, f"Unable to find '{name}' in request body")
    named = body[name].get("name", "")
    if not isinstance(named, str):
        raise Refusal(400, f"Invalid input for name. Reason: '{named}' is not a valid string.")
    return body[name]


def table_of(call: Call, kind: str) -> Table:
    """The table of the kind. Raises Refusal (404) for an unknown kind."""
    if kind not in MISSING:
        raise Refusal(404, "The resource could not be found.")
    return tables(call.store)[kind]


def port_groups(call: Call, wanted: Record) -> Record:
    """The security groups of a new port: the given ones, or the project's default group."""
    if wanted.get("port_security_enabled") is False:
        return {"security_groups": []}
    if (named := wanted.get("security_groups")) is not None:
        return {"security_groups": [get(call.store, "security-groups", ident)["id"] for ident in named]}
    default = call.store.security_groups.where(project_id=call.project, name="default")
    return {"security_groups": [group["id"] for group in default]}
