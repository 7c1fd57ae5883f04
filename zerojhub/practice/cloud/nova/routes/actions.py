"""Server actions: `POST /servers/{id}/action` names one."""

from __future__ import annotations

from typing import Any

from zerojhub.practice.cloud.nova.actions import Action, consoles, images, power, refused, resize
from zerojhub.practice.cloud.nova.routes.servers import requested_server
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.wire import Call, Routes

routes = Routes()
ACTIONS: dict[str, Action] = {
    name: handler for module in (consoles, images, power, refused, resize) for name, handler in module.actions.items()
}


@routes("POST", "/v2.1/servers/{ident}/action")
async def act(call: Call) -> Any:
    server = requested_server(call)
    name = next(iter(call.data or {}), "")
    if not name:
        raise Refusal(400, "Malformed request body")
    if name not in ACTIONS:
        raise Refusal(400, f"There is no such action: {name}")
    return ACTIONS[name](call, server, (call.data or {})[name] or {})


@routes("POST", "/v2.1/servers/{ident}/remote-consoles")
async def remote_console(call: Call) -> None:
    requested_server(call)
    raise Refusal(400, f"Unavailable console type {call.inner('remote_console').get('type')}.")
