"""Heat v1: people's own stacks come and go, and their templates are checked."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.apis import heat_stacks, heat_work
from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.heat import a_stack, heat, href
from zerojhub.practice.apis.heat_templates import Template
from zerojhub.practice.apis.heat_values import refusal
from zerojhub.practice.apis.heat_work import Engine
from zerojhub.practice.apis.wire import Call, Refusal

TYPES = {
    "string": "String",
    "number": "Number",
    "boolean": "Boolean",
    "json": "Json",
    "comma_delimited_list": "CommaDelimitedList",
}


def parsed(text: Any) -> Any:
    """A template or an environment: clients send the text or what it says."""
    if not isinstance(text, str):
        return text
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(text)
    except YAMLError as error:
        where = " ".join(str(error).split())
        raise refusal("HTTPBadRequest", f"Error parsing template: {where}") from None


def template_of(call: Call, before: Template | None = None) -> Template:
    """The template in the request, with its parameters; `before` is the one whose parts count where none are given."""
    data = call.data if isinstance(call.data, dict) else {}
    body = parsed(data.get("template")) or (before and before.body)
    if not body:
        raise refusal("HTTPBadRequest", "No template specified")
    environment = parsed(data.get("environment")) or {}
    given = {**(environment.get("parameters") or {}), **(data.get("parameters") or {})}
    if before:
        cleared = data.get("clear_parameters") or ()
        known = (body.get("parameters") or {}).keys() - set(cleared)
        given = {name: value for name, value in before.given.items() if name in known} | given
    return Template(call.cloud, body, given)


def minutes_of(call: Call) -> int | None:
    minutes = call.data.get("timeout_mins")
    if minutes is not None and not re.fullmatch("[1-9][0-9]*", str(minutes)):
        raise refusal("HTTPBadRequest", f"Invalid timeout value {minutes}")
    return int(minutes) if minutes else None


def engine(call: Call, stack: Record) -> Engine:
    return Engine(call.app, call.origin, call.token.user, stack)


@heat.route("POST", "/v1/{project}/stacks", status=201)
async def create_stack(call: Call) -> Record:
    template = template_of(call)
    name, minutes = call.data.get("stack_name") or "", minutes_of(call)
    if not re.fullmatch("[a-zA-Z][a-zA-Z0-9_.-]{0,254}", name):
        rule = 'must contain only alphanumeric or "_-." characters, must start with alpha and must be 255 characters or'
        raise refusal("StackValidationFailed", f"Invalid stack name {name} {rule} less.")
    if call.cloud.stacks.where(stack_name=name, project=call.project, parent=None):
        raise refusal("StackExists", f"The Stack ({name}) already exists.", 409)
    template.check()
    stack = heat_stacks.new_stack(call.cloud, call.project, name, minutes or 60)
    stack |= {
        "template": template,
        "description": template.body.get("description") or "No description",
        "disable_rollback": call.data.get("disable_rollback", True),
    }
    call.conductor.queue(stack["id"], engine(call, stack).create)
    return {"stack": {"id": stack["id"], "links": [{"rel": "self", "href": href(call, stack)}]}}


def own_stack(call: Call, instead: str) -> Record:
    """The stack, when a person made it. Heat itself would do as well with Magnum's, and leave Magnum's clusters astray."""
    stack = a_stack(call)
    if not stack["template"]:
        raise Refusal(403, f"The stack is Magnum's: {instead} its cluster instead.", "Forbidden")
    return stack


@heat.route("PUT PATCH", "/v1/{project}/stacks/{stack}/{ident}", status=202)
async def update_stack(call: Call) -> None:
    stack = own_stack(call, "update")
    if stack["status"] == "IN_PROGRESS":
        said = f"Stack {stack['stack_name']} already has an action ({stack['action']}) in progress."
        raise refusal("ActionInProgress", said, 409)
    # What a PUT leaves out has its default, and what a PATCH leaves out stays.
    template = template_of(call, stack["template"] if call.method == "PATCH" else None)
    minutes = minutes_of(call)
    template.check()
    stack["timeout_mins"] = minutes or stack["timeout_mins"]
    stack["disable_rollback"] = call.data.get("disable_rollback", stack["disable_rollback"])
    stack["description"] = template.body.get("description") or "No description"
    heat_stacks.set_stack(stack, "UPDATE", "IN_PROGRESS")
    call.conductor.queue(stack["id"], partial(engine(call, stack).update, template))


@heat.route("DELETE", "/v1/{project}/stacks/{stack}/{ident}")
async def delete_stack(call: Call) -> None:
    stack = own_stack(call, "delete")
    call.conductor.cancel(stack["id"])
    heat_stacks.set_stack(stack, "DELETE", "IN_PROGRESS")
    call.conductor.queue(stack["id"], engine(call, stack).delete)


@heat.route("GET", "/v1/{project}/stacks/{stack}/{ident}/template")
async def show_template(call: Call) -> JSONResponse:
    stack = a_stack(call)
    known = stack["template"].body if stack["template"] else {"description": stack["description"], "resources": {}}
    return JSONResponse({**known, "heat_template_version": str(known.get("heat_template_version", "2015-04-30"))})


@heat.route("GET", "/v1/{project}/stacks/{stack}/{ident}/environment")
async def show_environment(call: Call) -> Record:
    template = a_stack(call)["template"]
    given = template.given.items() if template else ()
    hidden = {name for name, schema in template.schemas.items() if schema.get("hidden")} if template else set()
    return {
        "parameters": {name: "******" if name in hidden else value for name, value in given},
        "resource_registry": {"resources": {}},
        "parameter_defaults": {},
        "encrypted_param_names": [],
        "event_sinks": [],
    }


@heat.route("GET", "/v1/{project}/stacks/{stack}/{ident}/files")
async def list_files(call: Call) -> Record:
    a_stack(call)
    return {}


@heat.route("GET", "/v1/{project}/stacks/{stack}/{ident}/outputs")
async def list_outputs(call: Call) -> Record:
    outputs = heat_work.outputs(call.cloud, a_stack(call))
    return {"outputs": [{name: each[name] for name in ("output_key", "description")} for each in outputs]}


@heat.route("GET", "/v1/{project}/stacks/{stack}/{ident}/outputs/{key}")
async def show_output(call: Call) -> Record:
    key = call.path_params["key"]
    for output in heat_work.outputs(call.cloud, a_stack(call)):
        if output["output_key"] == key:
            return {"output": output}
    raise refusal("NotFound", f"Specified output key {key} not found.", 404)


@heat.route("POST", "/v1/{project}/validate")
async def validate(call: Call) -> Record:
    template = template_of(call)
    template.check(complete=False)
    described = {}
    for name, schema in template.schemas.items():
        described[name] = {
            "Type": TYPES.get(schema.get("type", "string"), "String"),
            "NoEcho": "true" if schema.get("hidden") else "false",
            "Description": schema.get("description", ""),
            "Label": schema.get("label", name),
        }
        if "default" in schema:
            described[name]["Default"] = schema["default"]
    description = template.body.get("description") or "No description"
    return {"Description": description, "Parameters": described, "ParameterGroups": [], "Environment": {}}
