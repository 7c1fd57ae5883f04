"""Templates, environments and outputs of stacks, and template validation."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from zerojhub.practice.cloud.heat import engine
from zerojhub.practice.cloud.heat.errors import EXPLANATIONS, refusal
from zerojhub.practice.cloud.heat.project import ProjectRoutes
from zerojhub.practice.cloud.heat.routes.stacks import requested_stack
from zerojhub.practice.cloud.heat.templates import Template
from zerojhub.practice.cloud.store import Record, words
from zerojhub.practice.cloud.wire import Call

if TYPE_CHECKING:
    import yaml

routes = ProjectRoutes()


TYPES = {
    "string": "String",
    "number": "Number",
    "boolean": "Boolean",
    "json": "Json",
    "comma_delimited_list": "CommaDelimitedList",
}


SECTIONS = words(
    "parameters resource_registry parameter_defaults encrypted_param_names event_sinks parameter_merge_strategies"
)
"""Of an environment."""


def parsed(text: Any, what: str) -> Any:
    """A template or an environment; clients send it as text or as JSON. Raises Refusal (400) if it is not a mapping."""
    if not isinstance(text, str):
        return text
    import yaml

    try:
        document = json.loads(text)
    except ValueError:
        try:
            document = yaml.load(text, Loader=reader())
        except yaml.YAMLError as error:
            why = "Error parsing template [root stack] " if what == "Template" else ""
            raise refusal("HTTPBadRequest", f"{what} not in valid format: {why}{error}") from None
    return {} if document is None else document


@cache
def reader() -> type[yaml.SafeLoader]:
    """PyYAML, with dates as text: how Heat reads YAML."""
    import yaml

    class Reader(yaml.SafeLoader):
        def date_as_text(self, node: yaml.ScalarNode) -> str:
            return self.construct_yaml_str(node)

    Reader.add_constructor("tag:yaml.org,2002:timestamp", Reader.date_as_text)
    return Reader


def body_of(call: Call) -> Record:
    """The request's body. Raises Refusal (400) if it is not an object."""
    if not isinstance(call.data, dict):
        raise refusal("HTTPBadRequest", EXPLANATIONS[400])
    return call.data


def template_of(call: Call, before: Template | None = None) -> Template:
    """The template in the request with its parameters; missing parts are taken from `before`."""
    data = body_of(call)
    given = data.get("template")
    body = parsed(given, "Template") or (before and before.body)
    if body is None or body == {}:
        raise refusal("HTTPBadRequest", "No template specified")
    if not isinstance(body, dict):
        why = "The template is not a JSON object or YAML mapping."
        raise refusal("HTTPBadRequest", f"Template not in valid format: {why}")
    environment = environment_in(data)
    parameters = {**(environment.get("parameters") or {}), **(data.get("parameters") or {})}
    if before:
        # Parameters that the template does not define are ignored.
        cleared = data.get("clear_parameters") or ()
        kept = {name: value for name, value in before.given.items() if name not in cleared}
        known = body.get("parameters") or {}
        parameters = {name: value for name, value in (kept | parameters).items() if name in known}
    files = {**(before.files if before else {}), **(data.get("files") or {})}
    defaults = {**(before.defaults if before else {}), **environment.get("parameter_defaults", {})}
    return Template(call.store, body, parameters, defaults, files)


def environment_in(data: Record) -> Record:
    """The environment in a request. Raises Refusal (400)."""
    environment = parsed(data.get("environment"), "Environment") or {}
    if not isinstance(environment, dict):
        why = "The environment is not a valid YAML mapping data type."
        raise refusal("HTTPBadRequest", f"Environment not in valid format: {why}")
    for section, given in environment.items():
        if section not in SECTIONS or given is None:
            why = f'environment has {"wrong" if section not in SECTIONS else "empty"} section "{section}"'
            raise refusal("HTTPBadRequest", f"Environment not in valid format: {why}")
    return environment


@routes("GET", "/stacks/{stack}/{ident}/template")
async def show_template(call: Call) -> JSONResponse:
    stack = requested_stack(call)
    known = stack["template"].body if stack["template"] else {"description": stack["description"], "resources": {}}
    return JSONResponse({**known, "heat_template_version": str(known.get("heat_template_version", "2015-04-30"))})


def environment_of(template: Template | None) -> Record:
    """The template's environment, with the parameters that were given."""
    given = template.given.items() if template else ()
    hidden = {name for name, schema in template.schemas.items() if schema.get("hidden")} if template else set()
    return {
        "parameters": {name: "******" if name in hidden else value for name, value in given},
        "resource_registry": {"resources": {}},
        "parameter_defaults": template.defaults if template else {},
        "event_sinks": [],
    }


@routes("GET", "/stacks/{stack}/{ident}/environment")
async def show_environment(call: Call) -> Record:
    return {**environment_of(requested_stack(call)["template"]), "encrypted_param_names": []}


@routes("GET", "/stacks/{stack}/{ident}/files")
async def list_files(call: Call) -> Record:
    requested_stack(call)
    return {}


@routes("GET", "/stacks/{stack}/{ident}/outputs")
async def list_outputs(call: Call) -> Record:
    outputs = engine.outputs(call.store, requested_stack(call))
    return {"outputs": [{name: each[name] for name in ("output_key", "description")} for each in outputs]}


@routes("GET", "/stacks/{stack}/{ident}/outputs/{key}")
async def show_output(call: Call) -> Record:
    key = call.path_params["key"]
    for output in engine.outputs(call.store, requested_stack(call)):
        if output["output_key"] == key:
            return {"output": output}
    raise refusal("NotFound", f"Specified output key {key} not found.", 404)


# Heat's names for parts of a constraint in the result of a validation.
CONSTRAINTS = {
    "range": {"min": "MinValue", "max": "MaxValue"},
    "length": {"min": "MinLength", "max": "MaxLength"},
}


def render_parameter(name: str, schema: Record, given: Record) -> Record:
    """A parameter as the validation of a template shows it."""
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


@routes("POST", "/validate")
async def validate(call: Call) -> Record:
    template = template_of(call)
    template.check(complete=False)
    parameters = {name: render_parameter(name, schema, template.given) for name, schema in template.schemas.items()}
    return {"Description": template.description, "Parameters": parameters, "Environment": environment_of(template)}
