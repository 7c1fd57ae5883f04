"""Heat v1: people's own stacks come and go, and their templates are checked."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

from starlette.responses import JSONResponse

from zerojhub.practice.apis import heat_stacks, heat_work
from zerojhub.practice.apis.cloud import Record
from zerojhub.practice.apis.heat import EXPLANATIONS, a_stack, href, in_project, said
from zerojhub.practice.apis.heat_templates import Template
from zerojhub.practice.apis.heat_values import flag, refusal, whole
from zerojhub.practice.apis.heat_work import Engine
from zerojhub.practice.apis.wire import Call, Refusal

TYPES = {
    "string": "String",
    "number": "Number",
    "boolean": "Boolean",
    "json": "Json",
    "comma_delimited_list": "CommaDelimitedList",
}


ACTIONS = ("suspend", "resume", "check")


def parsed(text: Any, what: str) -> Any:
    """A template or an environment: clients send the text or what it says."""
    if not isinstance(text, str):
        return text
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        return YAML(typ="safe").load(text)
    except YAMLError as error:
        why = f"Error parsing template [root stack] {re.sub(r' [(]line: [0-9]+[)]', '', str(error))}"
        raise refusal("HTTPBadRequest", f"{what} not in valid format: {why}") from None


def body_of(call: Call) -> Record:
    """What the request says. Raises Refusal (400) for one that says nothing."""
    if not isinstance(call.data, dict):
        raise refusal("HTTPBadRequest", EXPLANATIONS[400])
    return call.data


def template_of(call: Call, before: Template | None = None) -> Template:
    """The template in the request, with its parameters; `before` is the one whose parts count where none are given."""
    data = body_of(call)
    given = data.get("template")
    body = parsed(given, "Template") or (before and before.body)
    if body is None or body == {}:
        raise refusal("HTTPBadRequest", "No template specified")
    if not isinstance(body, dict):
        why = "The template is not a JSON object or YAML mapping."
        raise refusal("HTTPBadRequest", f"Template not in valid format: {why}")
    environment = parsed(data.get("environment"), "Environment") or {}
    parameters = {**(environment.get("parameters") or {}), **(data.get("parameters") or {})}
    if before:
        # Of what stays, and of what is new, only what the template knows counts.
        cleared = data.get("clear_parameters") or ()
        kept = {name: value for name, value in before.given.items() if name not in cleared}
        known = body.get("parameters") or {}
        parameters = {name: value for name, value in (kept | parameters).items() if name in known}
    return Template(call.cloud, body, parameters)


def has_rollback_disabled(call: Call, otherwise: bool) -> bool:
    return flag("disable_rollback", call.data.get("disable_rollback", otherwise))


def engine(call: Call, stack: Record) -> Engine:
    return Engine(call.app, call.origin, call.token.user, stack)


@in_project("POST", "/stacks")
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
    if call.cloud.stacks.where(stack_name=name, project=call.project, parent=None):
        raise refusal("StackExists", f"The Stack ({name}) already exists.", 409)
    template.check()
    stack = heat_stacks.new_stack(call.cloud, call.project, name, minutes)
    stack |= {"template": template, "description": template.description, "disable_rollback": disabled}
    call.conductor.queue(stack["id"], engine(call, stack).create)
    place = href(call, stack)
    body = {"stack": {"id": stack["id"], "links": [{"rel": "self", "href": place}]}}
    return JSONResponse(body, 201, {"Location": place})


def own_stack(call: Call, instead: str) -> Record:
    """The stack, when a person made it. Heat itself would do as well with Magnum's, and leave Magnum's clusters astray."""
    stack = a_stack(call)
    if not stack["template"]:
        raise Refusal(403, f"The stack is Magnum's: {instead} its cluster instead.", "Forbidden")
    return stack


@in_project("PUT PATCH", "/stacks/{stack}/{ident}")
async def update_stack(call: Call) -> JSONResponse:
    minutes = whole("timeout_mins", body_of(call).get("timeout_mins"))
    # What a PUT leaves out has its default, and what a PATCH leaves out stays.
    stack = own_stack(call, "update") if call.method == "PATCH" else None
    template = template_of(call, stack and stack["template"])
    stack = stack or own_stack(call, "update")
    disabled = has_rollback_disabled(call, stack["disable_rollback"])
    template.check()
    stack["timeout_mins"] = minutes or stack["timeout_mins"]
    stack |= {"disable_rollback": disabled, "description": template.description}
    # One that comes while another is going on takes its place.
    heat_stacks.set_stack(stack, "UPDATE", "IN_PROGRESS")
    call.conductor.queue(stack["id"], partial(engine(call, stack).update, template))
    return said("Accepted", 202, "The request is accepted for processing.<br /><br />\n\n\n")


@in_project("POST", "/stacks/{stack}/{ident}/actions")
async def act(call: Call) -> JSONResponse:
    stack, asked = own_stack(call, "look at"), list(body_of(call))
    if len(asked) != 1:
        raise refusal("HTTPBadRequest", "Multiple actions specified" if asked else "No action specified")
    if asked[0] not in ACTIONS:
        raise refusal("HTTPBadRequest", f"Invalid action {asked[0]} specified")
    action = asked[0].upper()
    heat_stacks.set_stack(stack, action, "IN_PROGRESS")
    call.conductor.queue(stack["id"], partial(engine(call, stack).mark, action))
    return JSONResponse(None)


@in_project("DELETE", "/stacks/{stack}/{ident}")
async def delete_stack(call: Call) -> None:
    stack = own_stack(call, "delete")
    call.conductor.cancel(stack["id"])
    heat_stacks.set_stack(stack, "DELETE", "IN_PROGRESS")
    call.conductor.queue(stack["id"], engine(call, stack).delete)


@in_project("GET", "/stacks/{stack}/{ident}/template")
async def show_template(call: Call) -> JSONResponse:
    stack = a_stack(call)
    known = stack["template"].body if stack["template"] else {"description": stack["description"], "resources": {}}
    return JSONResponse({**known, "heat_template_version": str(known.get("heat_template_version", "2015-04-30"))})


def environment_of(template: Template | None) -> Record:
    """What of its parameters was given, as Heat keeps it."""
    given = template.given.items() if template else ()
    hidden = {name for name, schema in template.schemas.items() if schema.get("hidden")} if template else set()
    return {
        "parameters": {name: "******" if name in hidden else value for name, value in given},
        "resource_registry": {"resources": {}},
        "parameter_defaults": {},
        "event_sinks": [],
    }


@in_project("GET", "/stacks/{stack}/{ident}/environment")
async def show_environment(call: Call) -> Record:
    return {**environment_of(a_stack(call)["template"]), "encrypted_param_names": []}


@in_project("GET", "/stacks/{stack}/{ident}/files")
async def list_files(call: Call) -> Record:
    a_stack(call)
    return {}


@in_project("GET", "/stacks/{stack}/{ident}/outputs")
async def list_outputs(call: Call) -> Record:
    outputs = heat_work.outputs(call.cloud, a_stack(call))
    return {"outputs": [{name: each[name] for name in ("output_key", "description")} for each in outputs]}


@in_project("GET", "/stacks/{stack}/{ident}/outputs/{key}")
async def show_output(call: Call) -> Record:
    key = call.path_params["key"]
    for output in heat_work.outputs(call.cloud, a_stack(call)):
        if output["output_key"] == key:
            return {"output": output}
    raise refusal("NotFound", f"Specified output key {key} not found.", 404)


# What Heat calls a constraint's parts where it says what a template takes.
CONSTRAINTS = {
    "range": {"min": "MinValue", "max": "MaxValue"},
    "length": {"min": "MinLength", "max": "MaxLength"},
}


def described(name: str, schema: Record, given: Record) -> Record:
    """A parameter as those see it who check a template."""
    body = {
        "Type": TYPES.get(schema["type"], "String"),
        "NoEcho": "true" if schema.get("hidden") else "false",
        "Description": schema.get("description", ""),
        "Label": schema.get("label", name),
    }
    if "default" in schema:
        body["Default"] = schema["default"]
    if given.get(name):
        body["Value"] = given[name]
    for constraint in schema.get("constraints") or ():
        for kind, parts in CONSTRAINTS.items():
            body |= {word: constraint[kind][part] for part, word in parts.items() if part in constraint.get(kind, ())}
        if "allowed_values" in constraint:
            body["AllowedValues"] = constraint["allowed_values"]
        if "allowed_pattern" in constraint:
            body["AllowedPattern"] = constraint["allowed_pattern"]
        if "custom_constraint" in constraint:
            body["CustomConstraint"] = constraint["custom_constraint"]
        if "description" in constraint:
            body["ConstraintDescription"] = constraint["description"]
    return body


@in_project("POST", "/validate")
async def validate(call: Call) -> Record:
    template = template_of(call)
    template.check(complete=False)
    parameters = {name: described(name, schema, template.given) for name, schema in template.schemas.items()}
    return {"Description": template.description, "Parameters": parameters, "Environment": environment_of(template)}
