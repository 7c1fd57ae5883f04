"""Users' own stacks: create, update, delete, run actions."""

from __future__ import annotations

import re
from functools import partial

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.heat.engine import Engine, pseudo_parameters
from zerojhub.practice.cloud.heat.errors import plain_error, refusal
from zerojhub.practice.cloud.heat.project import ProjectRoutes
from zerojhub.practice.cloud.heat.records import new_stack, set_stack
from zerojhub.practice.cloud.heat.routes.stacks import href, requested_stack
from zerojhub.practice.cloud.heat.routes.templates import body_of, template_of
from zerojhub.practice.cloud.heat.values import flag, whole
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record
from zerojhub.practice.cloud.wire import Call

routes = ProjectRoutes()


ACTIONS = ("suspend", "resume", "check")


def engine_for(call: Call, stack: Record) -> Engine:
    return Engine(call.app, call.origin, call.token.user, stack)


def has_rollback_disabled(call: Call, otherwise: bool) -> bool:
    return flag("disable_rollback", call.data.get("disable_rollback", otherwise))


@routes("POST", "/stacks")
async def create_stack(call: Call) -> JSONResponse:
    data = body_of(call)
    minutes = whole("timeout_mins", data.get("timeout_mins"))
    if "stack_name" not in data:
        raise refusal("HTTPBadRequest", "No stack name specified")
    name, template = data["stack_name"], template_of(call)
    disabled = has_rollback_disabled(call, True)
    if not isinstance(name, str):
        raise refusal("StackValidationFailed", f"Invalid stack name {name}, must be a string")
    if not re.fullmatch("[a-zA-Z][a-zA-Z0-9_.-]{0,254}", name):
        rule = 'must contain only alphanumeric or "_-." characters, must start with alpha and must be 255 characters or'
        raise refusal("StackValidationFailed", f"Invalid stack name {name} {rule} less.")
    if call.store.stacks.where(stack_name=name, project=call.project, parent=None):
        raise refusal("StackExists", f"The Stack ({name}) already exists.", 409)
    template.pseudo |= {"OS::stack_name": name, "OS::project_id": call.project}
    template.check()
    stack = new_stack(call.store, call.project, name, minutes)
    template.pseudo = pseudo_parameters(stack)
    stack |= {"template": template, "description": template.description, "disable_rollback": disabled}
    call.conductor.queue(stack["id"], engine_for(call, stack).create)
    place = href(call, stack)
    body = {"stack": {"id": stack["id"], "links": [{"rel": "self", "href": place}]}}
    return JSONResponse(body, 201, {"Location": place})


def own_stack(call: Call, instead: str) -> Record:
    """The user's own stack in the path. Unlike Heat it refuses (403) Magnum's stacks, to protect their clusters."""
    stack = requested_stack(call)
    if not stack["template"]:
        raise Refusal(403, f"The stack is Magnum's: {instead} its cluster instead.", "Forbidden")
    return stack


@routes("PUT PATCH", "/stacks/{stack}/{ident}")
async def update_stack(call: Call) -> JSONResponse:
    minutes = whole("timeout_mins", body_of(call).get("timeout_mins"))
    # PUT resets what is left out to its default, PATCH keeps it.
    stack = own_stack(call, "update") if call.method == "PATCH" else None
    template = template_of(call, stack["template"] if stack else None)
    stack = stack or own_stack(call, "update")
    disabled = has_rollback_disabled(call, stack["disable_rollback"])
    template.pseudo = pseudo_parameters(stack)
    template.check()
    stack["timeout_mins"] = minutes or stack["timeout_mins"]
    stack |= {"disable_rollback": disabled, "description": template.description}
    # A new update supersedes one in progress.
    set_stack(stack, "UPDATE", "IN_PROGRESS")
    call.conductor.queue(stack["id"], partial(engine_for(call, stack).update, template))
    return plain_error("Accepted", 202, "The request is accepted for processing.<br /><br />\n\n\n")


@routes("POST", "/stacks/{stack}/{ident}/actions")
async def act(call: Call) -> JSONResponse:
    stack, asked = own_stack(call, "look at"), list(body_of(call))
    if len(asked) != 1:
        raise refusal("HTTPBadRequest", "Multiple actions specified" if asked else "No action specified")
    if asked[0] not in ACTIONS:
        raise refusal("HTTPBadRequest", f"Invalid action {asked[0]} specified")
    action = asked[0].upper()
    set_stack(stack, action, "IN_PROGRESS")
    call.conductor.queue(stack["id"], partial(engine_for(call, stack).mark, action))
    return JSONResponse(None)


@routes("DELETE", "/stacks/{stack}/{ident}")
async def delete_stack(call: Call) -> None:
    stack = own_stack(call, "delete")
    call.conductor.cancel(stack["id"])
    set_stack(stack, "DELETE", "IN_PROGRESS")
    call.conductor.queue(stack["id"], engine_for(call, stack).delete)
