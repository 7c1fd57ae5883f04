"""Heat's template language (HOT): parse and validate a template, call its functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any

from zerojhub.practice.cloud.heat.errors import bad_value, refusal
from zerojhub.practice.cloud.heat.resource_types import ATTRIBUTES, TYPES, Property
from zerojhub.practice.cloud.heat.values import checked, converted
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, words

VERSIONS = words(
    "2013-05-23 2014-10-16 2015-04-30 2015-10-15 2016-04-08 2016-10-14 2017-02-24 2017-09-01 2018-03-02 2018-08-31 "
    "2021-04-16 newton ocata pike queens rocky wallaby"
)
SECTIONS = words("heat_template_version description parameter_groups parameters resources outputs conditions")
KINDS = words("string number boolean json comma_delimited_list")
FUNCTIONS = words("get_param get_resource get_attr str_replace str_replace_strict list_join")


Look = Callable[[str, Any], Any]
"""The value of a function that refers to a resource: (resource name, attribute or None for the ID) -> value."""


class Template:
    """A template with a stack's parameters. Raises Refusal (400, 404) with Heat's wording."""

    def __init__(self, store: Store, body: Any, given: Record):
        self.store, self.body = store, body
        self._check_sections()
        self.schemas: Record = body.get("parameters") or {}
        self.resources: Record = body.get("resources") or {}
        self.outputs: Record = body.get("outputs") or {}
        for name in given:
            if name not in self.schemas:
                raise refusal("UnknownUserParameter", f"The Parameter ({name}) was not defined in template.")
        for name, schema in self.schemas.items():
            if "type" not in schema:
                raise refusal("InvalidSchemaError", f"Missing parameter type for parameter: {name}")
            if schema["type"] not in KINDS:
                raise refusal("InvalidSchemaError", f"Invalid type ({schema['type']})")
        self.given = given

    @property
    def description(self) -> str:
        return self.body.get("description") or "No description"

    def _check_sections(self) -> None:
        version = str(self.body.get("heat_template_version", ""))
        if not version:
            raise refusal(
                "InvalidTemplateVersion", "The template version is invalid: Template version was not provided"
            )
        if version not in VERSIONS:
            known = ", ".join(VERSIONS)
            said = f'"heat_template_version: {version}". "heat_template_version" should be one of: {known}'
            raise refusal("InvalidTemplateVersion", f"The template version is invalid: {said}")
        for section in self.body:
            if section not in SECTIONS:
                raise refusal("StackValidationFailed", f"The template section is invalid: {section}")
        for section in ("parameters", "resources", "outputs"):
            if not isinstance(self.body.get(section) or {}, dict):
                raise refusal("StackValidationFailed", f'"{section}" is not a map')

    def check(self, *, complete: bool = True) -> None:
        """Validate the template. Unless `complete`, parameters may be missing or invalid."""
        self.parameters = {name: self._parameter(name, complete) for name in self.schemas}
        for name, resource in self.resources.items():
            self._check_resource(name, resource, "StackValidationFailed" if complete else "HTTPBadRequest")
        self.order = self._ordered()
        for name, output in self.outputs.items():
            if not isinstance(output, dict) or "value" not in output:
                said = f"Output validation error: : outputs.{name}: : Each output definition must contain a value key."
                raise refusal("StackValidationFailed", said)
            self._check_attributes(f"outputs.{name}.value", output["value"])

    def _parameter(self, name: str, complete: bool) -> Any:
        schema = self.schemas[name]
        if complete and name not in self.given and "default" not in schema:
            raise refusal("UserParameterMissing", f"The Parameter ({name}) was not provided.")
        try:
            value = converted(schema["type"], self.given.get(name, schema.get("default")))
            if complete and (name in self.given or value is not None):
                checked(self.store, value, schema.get("constraints") or ())
        except ValueError as error:
            if complete:
                raise refusal("StackValidationFailed", f"Parameter '{name}' is invalid: {error}") from None
            value = self.given[name]
        return value

    def _check_resource(self, name: str, resource: Any, unknown_type: str) -> None:
        kind = resource.get("type") if isinstance(resource, dict) else None
        if not kind:
            raise refusal("StackValidationFailed", "Each resource must contain a type key.")
        if kind not in TYPES:
            raise refusal(unknown_type, f"The Resource Type ({kind}) could not be found.")
        where = f"resources.{name}.properties"
        given = resource.get("properties") or {}
        for key, value in given.items():
            self._check_references(f"{name}.Properties.{key}", value)
            self._check_attributes(f"{where}.{key}", value)
        for other in self._awaited(resource):
            if other not in self.resources:
                raise refusal(
                    "InvalidTemplateReference", f'The specified reference "{other}" (in {name}) is incorrect.'
                )
        for key in given:
            if key not in TYPES[kind]:
                raise bad_value(where, f"Unknown Property {key}")
        for key, schema in TYPES[kind].items():
            if schema.required and key not in given:
                raise bad_value(where, f"Property {key} not assigned")
            if key in given and not list(self._references(given[key])):
                self._property(where, key, schema, given[key])

    def _property(self, where: str, key: str, schema: Property, value: Any, look: Look | None = None) -> Any:
        try:
            result = converted(schema.kind, self.resolve(value, look))
            checked(self.store, result, schema.constraints if not list(self._references(value)) else ())
        except (ValueError, Refusal) as error:
            raise bad_value(f"{where}.{key}", str(error)) from None
        return result

    def properties(self, name: str, look: Look) -> Record:
        """A resource's properties with all functions evaluated."""
        resource = self.resources[name]
        schemas, where = TYPES[resource["type"]], f"resources.{name}.properties"
        given = resource.get("properties") or {}
        values = {key: self._property(where, key, schemas[key], value, look) for key, value in given.items()}
        values |= {key: schema.default for key, schema in schemas.items() if values.get(key) is None}
        return {key: value for key, value in values.items() if value is not None}

    # -- references ---------------------------------------------------------------------------------------------------

    def _references(self, value: Any) -> Iterator[tuple[str, str | None]]:
        """(resource, attribute) for each function in the value that refers to a resource."""
        if isinstance(value, dict):
            if len(value) == 1:
                if "get_resource" in value:
                    yield value["get_resource"], None
                if "get_attr" in value:
                    path = value["get_attr"]
                    yield path[0], path[1] if len(path) > 1 else "show"
            for item in value.values():
                yield from self._references(item)
        elif isinstance(value, list):
            for item in value:
                yield from self._references(item)

    def _check_references(self, where: str, value: Any) -> None:
        for name, _ in self._references(value):
            if name not in self.resources:
                said = f'The specified reference "{name}" (in {where}) is incorrect.'
                raise refusal("InvalidTemplateReference", said)

    def _check_attributes(self, where: str, value: Any) -> None:
        for name, attribute in self._references(value):
            kind = self.resources.get(name, {}).get("type")
            if attribute is not None and attribute not in ATTRIBUTES.get(kind, (attribute,)):
                said = f"{where}.get_attr: : The Referenced Attribute ({name} {attribute}) is incorrect."
                raise refusal("StackValidationFailed", said)

    def needed_by(self, name: str) -> list[str]:
        """The resources that depend on this one."""
        return [other for other, resource in self.resources.items() if name in self._needs(resource)]

    def _needs(self, resource: Record) -> list[str]:
        return [other for other, _ in self._references(resource.get("properties") or {})] + self._awaited(resource)

    @staticmethod
    def _awaited(resource: Record) -> list[str]:
        named = resource.get("depends_on") or []
        return [named] if isinstance(named, str) else list(named)

    def _ordered(self) -> list[str]:
        """The resources, each after its dependencies."""
        needs = {name: self._needs(resource) for name, resource in self.resources.items()}
        try:
            return list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            circle = [name for name in self.resources if name in error.args[1]]
            titles = {name: f'{self.resources[name]["type"].rpartition("::")[2]} "{name}"' for name in circle}
            edges = [
                f"{titles[name]}: {{{', '.join(titles[other] for other in circle if other in needs[name])}}}"
                for name in circle
            ]
            said = f"Circular Dependency Found: {{{', '.join(edges)}}}"
            raise refusal("CircularDependencyException", said) from None

    def resolve(self, value: Any, look: Look | None = None) -> Any:
        """The value with its functions evaluated; without `look`, references to resources are left as they are."""
        if isinstance(value, list):
            return [self.resolve(item, look) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1 and (function := next(iter(value))) in FUNCTIONS:
            return self._call(function, value[function], look)
        return {key: self.resolve(item, look) for key, item in value.items()}

    def _call(self, function: str, argument: Any, look: Look | None) -> Any:
        if function == "get_param":
            name, *path = argument if isinstance(argument, list) else [argument]
            if name not in self.parameters:
                raise refusal("UserParameterMissing", f"The Parameter ({name}) was not provided.")
            return _into(self.parameters[name], path)
        if function in ("get_resource", "get_attr"):
            if look is None:
                return {function: argument}
            named = argument if function == "get_resource" else argument[0]
            if named not in self.resources:
                # Outputs may refer to unknown resources.
                raise ValueError(f'The specified reference "{named}" (in unknown) is incorrect.')
            if function == "get_resource":
                return look(argument, None)
            return _into(look(argument[0], argument[1] if len(argument) > 1 else "show"), argument[2:])
        argument = self.resolve(argument, look)
        try:
            if function == "list_join":
                joiner, *lists = argument
                return str(joiner).join(_joined(item) for items in lists for item in items or ())
            text = str(argument["template"])
            for key, replacement in argument["params"].items():
                text = text.replace(str(key), "" if replacement is None else str(replacement))
            return text
        except (KeyError, TypeError, AttributeError):
            raise refusal("StackValidationFailed", f'Incorrect arguments to "{function}"') from None


def _joined(item: Any) -> str:
    if isinstance(item, dict | list):
        return json.dumps(item)
    if not isinstance(item, str):
        raise ValueError(f"Items to join must be string, map or list not {item!r}")
    return item


def _into(value: Any, path: list) -> Any:
    """The item at a path inside a value; None if there is none, as in Heat."""
    for key in path:
        try:
            value = value[int(key) if isinstance(value, list) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value
