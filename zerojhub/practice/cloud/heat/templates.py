"""Heat's template language (HOT): parse and validate a template, evaluate its conditions and functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from zerojhub.practice.cloud.heat.errors import bad_value, refusal
from zerojhub.practice.cloud.heat.functions import CONDITION_HISTORY, HISTORY, NOTHING, REMOVED, Call, Function, since
from zerojhub.practice.cloud.heat.resource_types import ATTRIBUTES, TYPES, VOLUME_DRIVERS, Property
from zerojhub.practice.cloud.heat.values import checked, converted
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, Store, words

RELEASES = {
    "newton": "2016-10-14",
    "ocata": "2017-02-24",
    "pike": "2017-09-01",
    "queens": "2018-03-02",
    "rocky": "2018-08-31",
    "wallaby": "2021-04-16",
}
"""Another name of a template version -> its date."""
VERSIONS = (
    *words("2013-05-23 2014-10-16 2015-04-30 2015-10-15 2016-04-08 2016-10-14 2017-02-24 2017-09-01 2018-03-02"),
    *("2018-08-31", "2021-04-16", *RELEASES),
)
CONDITIONS_SINCE = "2016-10-14"
NULLABLE_IF_SINCE = "2021-04-16"
SECTIONS = words("heat_template_version description parameter_groups parameters resources outputs conditions")
SCHEMA_KEYS = words("type description default schema constraints hidden label immutable tags")
"""Of a parameter."""
TAGS_SINCE = "2018-03-02"
KINDS = words("string number boolean json comma_delimited_list")
RESOURCE_KEYS = words("type properties metadata depends_on deletion_policy update_policy description")
CONDITIONAL_KEYS = ("external_id", "condition")


Look = Callable[[str, Any], Any]
"""The value of a function that refers to a resource: (resource name, attribute or None for the ID) -> value."""


class Template:
    """A template with a stack's parameters. Raises Refusal (400, 404) with Heat's wording."""

    def __init__(self, store: Store, body: Any, given: Record, defaults: Record, files: Record):
        """`defaults`: of parameters, in place of the template's; `files`: what `get_file` returns."""
        self.store, self.body, self.defaults, self.files = store, body, defaults, files
        self.pseudo: Record = dict.fromkeys(("OS::stack_name", "OS::stack_id", "OS::project_id"))
        """The parameters that describe the stack."""
        self._check_sections()
        self.schemas: Record = body.get("parameters") or {}
        for name in given:
            if name not in self.schemas:
                raise refusal("UnknownUserParameter", f"The Parameter ({name}) was not defined in template.")
        for name, schema in self.schemas.items():
            self._check_schema(name, schema)
        self.given = given

    def _check_schema(self, name: str, schema: Any) -> None:
        if not isinstance(schema, dict):
            raise refusal("InvalidSchemaError", f"Invalid parameter ({name}), expected a mapping")
        for key in schema:
            if key not in SCHEMA_KEYS or (key == "tags" and self.version < TAGS_SINCE):
                raise refusal("InvalidSchemaError", f"Invalid key '{key}' for parameter ({name})")
        if "type" not in schema:
            raise refusal("InvalidSchemaError", f"Missing parameter type for parameter: {name}")
        if not isinstance(schema.get("constraints") or [], list):
            said = f"Invalid parameter constraints for parameter {name}, expected a list"
            raise refusal("InvalidSchemaError", said)
        if schema["type"] not in KINDS:
            raise refusal("InvalidSchemaError", f"Invalid type ({schema['type']})")

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
        self.version = RELEASES.get(version, version)
        self.functions = since(HISTORY, self.version)
        invalid = Function(check=_check_invalid)
        self.condition_functions = {
            **{name: each if each is REMOVED else invalid for name, each in self.functions.items()},
            **since(CONDITION_HISTORY, self.version),
        }
        for section in self.body:
            if section not in SECTIONS or (section == "conditions" and self.version < CONDITIONS_SINCE):
                raise refusal("StackValidationFailed", f"The template section is invalid: {section}")
        for section in ("parameters", "resources", "outputs"):
            if not isinstance(self.body.get(section) or {}, dict):
                raise refusal("StackValidationFailed", f'"{section}" is not a map')

    def check(self, *, complete: bool = True) -> None:
        """Validate the template. Unless `complete`, parameters may be missing or invalid.

        It makes `resources` and `outputs`: those in the template, parsed, without the resources whose condition is false.
        """
        self.parameters = {name: self._parameter(name, complete) for name in self.schemas}
        self._check_conditions()
        given = self.body.get("resources") or {}
        parsed = {name: self._resource(name, resource) for name, resource in given.items()}
        self.resources = {name: resource for name, resource in parsed.items() if resource is not None}
        for name, resource in self.resources.items():
            self._check_resource(name, resource, "StackValidationFailed" if complete else "HTTPBadRequest")
        self.order = self._ordered()
        self.outputs = {name: self._output(name, output) for name, output in (self.body.get("outputs") or {}).items()}
        for name, output in self.outputs.items():
            self._check_attributes(f"outputs.{name}.value", output["value"])

    def _parameter(self, name: str, complete: bool) -> Any:
        schema = self.schemas[name]
        if name in self.defaults:
            schema = {**schema, "default": self.defaults[name]}
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

    def _resource(self, name: str, resource: Any) -> Record | None:
        """A resource with its functions parsed; None if its condition is false."""
        if not isinstance(resource, dict) or not resource.get("type"):
            raise refusal("StackValidationFailed", "Each resource must contain a type key.")
        if not isinstance(resource["type"], str):
            raise refusal("StackValidationFailed", f"Resource {name} type type must be string")
        conditional = self.version >= CONDITIONS_SINCE
        for key in resource:
            if key not in (*RESOURCE_KEYS, *CONDITIONAL_KEYS):
                said = f'"{key}" is not a valid keyword inside a resource definition'
                raise refusal("StackValidationFailed", said)
            if key in CONDITIONAL_KEYS and not conditional:
                raise refusal("StackValidationFailed", f"Invalid keyword(s) inside a resource definition: {key}")
        where = f"resources.{name}"
        properties = self.parse(resource.get("properties") or {}, f"{where}.properties")
        if not isinstance(properties, dict):
            raise refusal("StackValidationFailed", f"Resource {name} properties type must be object")
        if "condition" in resource:
            condition = self._parse_condition(resource["condition"], f"{where}.condition")
            if not isinstance(condition, str | bool | Call):
                raise refusal("StackValidationFailed", f"Resource {name} condition type must be string_or_boolean")
            if not self._is_on(condition, f"{where}.condition"):
                return None
        return {**resource, "properties": properties}

    def _output(self, name: str, output: Any) -> Record:
        """An output with its functions parsed; its value is None if its condition is false."""
        where = f"outputs.{name}"
        if not isinstance(output, dict):
            said = f"Output definitions must be a map. Found a {type(output).__name__} instead"
            raise refusal("StackValidationFailed", f"Output validation error: : {where}: : {said}")
        if "value" not in output:
            said = "Each output definition must contain a value key."
            raise refusal("StackValidationFailed", f"Output validation error: : {where}: : {said}")
        if self.version >= CONDITIONS_SINCE:
            condition = self._parse_condition(output.get("condition"), f"{where}.condition")
            if not self._is_on(condition, f"{where}.condition"):
                return {**output, "value": None}
        return {**output, "value": self.parse(output["value"], f"{where}.value")}

    def _check_resource(self, name: str, resource: Record, unknown_type: str) -> None:
        kind = resource["type"]
        if kind not in TYPES:
            raise refusal(unknown_type, f"The Resource Type ({kind}) could not be found.")
        where = f"resources.{name}.properties"
        given = _without_nothing(resource["properties"])
        for key, value in given.items():
            self._check_references(f"{name}.Properties.{key}", value)
            self._check_attributes(f"{where}.{key}", value)
        for other in self._awaited(resource):
            if other not in self.body["resources"]:
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
        if kind == "OS::Magnum::ClusterTemplate":
            self._check_volume_driver(given)

    def _check_volume_driver(self, given: Record) -> None:
        engine, driver = (self.resolve(given.get(key)) for key in ("coe", "volume_driver"))
        if driver and driver != (fitting := VOLUME_DRIVERS[engine]):
            said = (
                f"Volume driver type {driver} is not supported by COE:{engine}, expecting a {[fitting]} volume driver."
            )
            raise refusal("StackValidationFailed", said)

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
        given = _without_nothing(resource["properties"])
        values = {key: self._property(where, key, schemas[key], value, look) for key, value in given.items()}
        values |= {key: schema.default for key, schema in schemas.items() if values.get(key) is None}
        return {key: value for key, value in values.items() if value is not None}

    # -- conditions ---------------------------------------------------------------------------------------------------

    def _check_conditions(self) -> None:
        given = self.body.get("conditions") or {}
        if not isinstance(given, dict):
            said = f"Condition definitions must be a map. Found a {type(given).__name__} instead"
            raise refusal("StackValidationFailed", f"Conditions validation error: : {said}")
        self.conditions = {name: self._parse_condition(each, f"conditions.{name}") for name, each in given.items()}
        self._known: dict[str, bool | None] = {}
        for name, each in self.conditions.items():
            if not isinstance(each, bool | Call):
                raise self._bad_condition(name, each)

    def _parse_condition(self, value: Any, where: str) -> Any:
        return self._parse(value, where, self.condition_functions)

    def _is_on(self, condition: Any, where: str) -> bool:
        try:
            return self._is_enabled(self.resolve(condition))
        except ValueError as error:
            raise refusal("StackValidationFailed", f"{where}: : {error}") from None

    def _is_enabled(self, condition: Any) -> bool:
        """Whether a condition is true: a name, a boolean, or None if there is no condition."""
        if condition is None or isinstance(condition, bool):
            return condition is not False
        if not isinstance(condition, str) or condition not in self.conditions:
            raise ValueError(f'Invalid condition "{condition}"')
        if condition not in self._known:
            self._known[condition] = None
            value = self.resolve(self.conditions[condition])
            if not isinstance(value, bool):
                raise self._bad_condition(condition, value)
            self._known[condition] = value
        if (known := self._known[condition]) is None:
            said = f'Circular definition for condition "{condition}"'
            raise refusal("StackValidationFailed", f"Condition validation error: : {said}")
        return known

    @staticmethod
    def _bad_condition(name: str, value: Any) -> Refusal:
        said = f'The definition of condition "{name}" is invalid: {value}'
        return refusal("StackValidationFailed", f"Condition validation error: : {said}")

    # -- functions ----------------------------------------------------------------------------------------------------

    def parse(self, value: Any, where: str) -> Any:
        """The value with its functions as `Call`s, and each `if` replaced by the branch that its condition selects."""
        return self._parse(value, where, self.functions)

    def _parse(self, value: Any, where: str, functions: Mapping[str, Function]) -> Any:
        if isinstance(value, list):
            return [self._parse(item, f"{where}[{index}]", functions) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if len(value) != 1 or (name := next(iter(value))) not in functions:
            return {key: self._parse(item, f"{where}.{key}", functions) for key, item in value.items()}
        here, function, argument = f"{where}.{name}", functions[name], value[name]
        try:
            if name == "if" and function is self.functions.get("if"):
                return self._branch(argument, here)
            if function.check is _check_invalid:
                _check_invalid(name, argument)
            argument = self._parse(argument, here, functions)
            if function.check:
                function.check(name, argument)
        except (ValueError, TypeError) as error:
            raise refusal("StackValidationFailed", f"{here}: : {error}") from None
        return Call(name, function, argument)

    def _branch(self, given: Any, where: str) -> Any:
        counts = (2, 3) if self.version >= NULLABLE_IF_SINCE else (3,)
        if not isinstance(given, list) or len(given) not in counts:
            form = "[condition_name, value_if_true, value_if_false]"
            raise ValueError(f'Arguments to "if" must be of the form: {form}')
        condition, *branches = given
        enabled = self._is_enabled(self.resolve(self._parse_condition(condition, "if")))
        return self.parse([*branches, NOTHING][0 if enabled else 1], where)

    def resolve(self, value: Any, look: Look | None = None) -> Any:
        """The value with its functions evaluated. Raises ValueError; `look` is required for references to resources."""
        if value is NOTHING:
            return None
        if isinstance(value, list):
            return [self.resolve(item, look) for item in value if item is not NOTHING]
        if isinstance(value, dict):
            return {key: self.resolve(item, look) for key, item in value.items() if item is not NOTHING}
        if not isinstance(value, Call):
            return value
        argument = self.resolve(value.argument, look)
        try:
            if value.function.call:
                return value.function.call(value.name, argument)
            return self._call(value.name, argument, look)
        except (TypeError, KeyError, AttributeError, ArithmeticError) as error:
            raise ValueError(str(error)) from None

    def _call(self, name: str, argument: Any, look: Look | None) -> Any:
        match name:
            case "get_param":
                return self._get_param(argument)
            case "get_file":
                if not isinstance(argument, str):
                    raise ValueError(f'Argument to "{name}" must be a string')
                if argument not in self.files:
                    raise ValueError(f'No content found in the "files" section for {name} path: {argument}')
                return self.files[argument]
            case "not":
                return not self._is_enabled(argument)
            case "and":
                return all(self._is_enabled(each) for each in argument)
            case "or":
                return any(self._is_enabled(each) for each in argument)
        named = argument if name == "get_resource" else argument[0]
        if look is None or named not in self.resources:
            # Outputs may refer to unknown resources.
            raise ValueError(f'The specified reference "{named}" (in unknown) is incorrect.')
        if name == "get_resource":
            return look(named, None)
        return _into(look(named, argument[1] if len(argument) > 1 else "show"), argument[2:])

    def _get_param(self, argument: Any) -> Any:
        if not argument:
            raise ValueError('Function "get_param" must have arguments')
        if not isinstance(argument, str | list):
            raise ValueError('Argument to "get_param" must be string or list')
        name, *path = argument if isinstance(argument, list) else [argument]
        if not isinstance(name, str):
            raise ValueError('Parameter name in "get_param" must be string')
        known = self.parameters | self.pseudo
        if name not in known:
            raise refusal("UserParameterMissing", f"The Parameter ({name}) was not provided.")
        found = _into(known[name], path)
        return "" if path and found is None else found

    # -- references ---------------------------------------------------------------------------------------------------

    def _references(self, value: Any) -> Iterator[tuple[str, str | None]]:
        """(resource, attribute) for each function in the value that refers to a resource."""
        if isinstance(value, Call):
            if value.name == "get_resource":
                yield value.argument, None
            if value.name == "get_attr":
                yield value.argument[0], value.argument[1] if len(value.argument) > 1 else "show"
            yield from self._references(value.argument)
        elif isinstance(value, dict):
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
            if attribute is None:
                continue
            if name not in self.resources:
                said = f'The specified reference "{name}" (in unknown) is incorrect.'
                raise refusal("StackValidationFailed", f"{where}.get_attr: : {said}")
            if attribute not in ATTRIBUTES[self.resources[name]["type"]]:
                said = f"The Referenced Attribute ({name} {attribute}) is incorrect."
                raise refusal("StackValidationFailed", f"{where}.get_attr: : {said}")

    def needed_by(self, name: str) -> list[str]:
        """The resources that depend on this one."""
        return [other for other, resource in self.resources.items() if name in self._needs(resource)]

    def _needs(self, resource: Record) -> list[str]:
        known = [other for other in self._awaited(resource) if other in self.resources]
        return [other for other, _ in self._references(resource["properties"])] + known

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


def _check_invalid(name: str, _given: Any) -> None:
    raise ValueError(f'The function "{name}" is invalid in this context')


def _without_nothing(given: Record) -> Record:
    return {key: value for key, value in given.items() if value is not NOTHING}


def _into(value: Any, path: list) -> Any:
    """The item at a path inside a value; None if there is none, as in Heat."""
    for key in path:
        try:
            value = value[int(key) if isinstance(value, list) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value
