"""A server's console log, and its security groups."""

from __future__ import annotations

from functools import partial

from starlette.responses import Response

from zerojhub.practice.cloud.nova.actions import ACCEPTED, Actions
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call
from zerojhub.practice.ground import GroundError

actions = Actions()


@actions("os-getConsoleOutput")
def console(call: Call, server: Record, wanted: Record) -> Record:
    try:
        log = call.store.consoles.get(server["id"]) or call.ground.console(server["id"])
    except GroundError:
        raise Refusal(409, f"Instance {server['id']} is not ready") from None
    lines, length = log.splitlines(keepends=True), wanted.get("length")
    return {"output": "".join(lines[-int(length) :] if length else lines)}


def change_groups(add: bool, call: Call, server: Record, wanted: Record) -> Response:
    """Add a security group to the server's ports, or remove it."""
    store, name = call.store, wanted.get("name") or ""
    group = next((item for item in store.security_groups.find(name) if item["project_id"] == call.project), None)
    if not group or (not add and group["name"] not in server["security_groups"]):
        raise Refusal(404, f"Security group {name} not found.")
    for port in store.ports.where(device_id=server["id"]):
        others = [ident for ident in port["security_groups"] if ident != group["id"]]
        port["security_groups"] = [*others, group["id"]] if add else others
    others = [other for other in server["security_groups"] if other != group["name"]]
    server["security_groups"] = [*others, group["name"]] if add else others
    return Response(status_code=ACCEPTED)


actions |= {"addSecurityGroup": partial(change_groups, True), "removeSecurityGroup": partial(change_groups, False)}
