"""Heat's own template language (HOT): what a template says, what Heat says is wrong with it, and what its functions give."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from zerojhub.practice.apis.cloud import Cloud, Record, words
from zerojhub.practice.apis.heat_values import bad_value, checked, converted, refusal

VERSIONS = words(
    "2013-05-23 2014-10-16 2015-04-30 2015-10-15 2016-04-08 2016-10-14 2017-02-24 2017-09-01 2018-03-02 2018-08-31 "
    "2021-04-16 newton ocata pike queens rocky wallaby"
)
SECTIONS = words("heat_template_version description parameter_groups parameters resources outputs conditions")
FUNCTIONS = words("get_param get_resource get_attr str_replace str_replace_strict list_join")


@dataclass(frozen=True)
class Property:
    """A property of a resource; `constraints` are as in a template.

    When a stack is updated, one that is `mutable` changes in place, and any other has the resource replaced.
    """

    kind: str = "string"
    required: bool = False
    default: Any = None
    mutable: bool = False
    constraints: tuple[Record, ...] = ()


def prop(
    kind: str = "string",
    custom: str = "",
    *,
    required: bool = False,
    default: Any = None,
    mutable: bool = False,
    **constraint: Any,
) -> Property:
    constraints = [{name: value} for name, value in constraint.items()]
    constraints += [{"custom_constraint": custom}] if custom else []
    return Property(kind, required, default, mutable, tuple(constraints))


CLUSTER_TEMPLATE = {
    **dict.fromkeys(words("name network_driver http_proxy https_proxy no_proxy"), prop()),
    **dict.fromkeys(words("tls_disabled registry_enabled"), prop("boolean")),
    "public": prop("boolean", mutable=True),
    # Heat's own defaults, unlike Magnum's.
    **dict.fromkeys(words("master_lb_enabled floating_ip_enabled"), prop("boolean", default=True)),
    "image": prop(custom="glance.image", required=True),
    "flavor": prop(custom="nova.flavor"),
    "master_flavor": prop(custom="nova.flavor"),
    "keypair": prop(custom="nova.keypair"),
    "external_network": prop(custom="neutron.network", required=True),
    "fixed_network": prop(custom="neutron.network"),
    "fixed_subnet": prop(custom="neutron.subnet"),
    "dns_nameserver": prop(custom="ip_addr"),
    "docker_volume_size": prop("number", range={"min": 1}),
    "docker_storage_driver": prop(default="devicemapper", allowed_values=["devicemapper", "overlay", "overlay2"]),
    "coe": prop(required=True, allowed_values=["kubernetes", "swarm", "mesos"]),
    "volume_driver": prop(allowed_values=["cinder", "rexray"]),
    "labels": prop("json"),
    "server_type": prop(allowed_values=["vm", "bm"]),
}
CLUSTER = {
    "name": prop(),
    "cluster_template": prop(custom="magnum.cluster_template", required=True),
    "keypair": prop(custom="nova.keypair"),
    **dict.fromkeys(words("node_count master_count"), prop("number", mutable=True, default=1, range={"min": 1})),
    "discovery_url": prop(mutable=True),
    "create_timeout": prop("number", mutable=True, default=60, range={"min": 0}),
}
TYPES: dict[str, dict[str, Property]] = {
    "OS::Magnum::ClusterTemplate": CLUSTER_TEMPLATE,
    "OS::Magnum::Cluster": CLUSTER,
}
ATTRIBUTES = {
    "OS::Magnum::ClusterTemplate": words("show"),
    "OS::Magnum::Cluster": words(
        "api_address stack_id coe_version master_addresses status master_count node_addresses status_reason node_count "
        "name container_version discovery_url cluster_template_id keypair create_timeout show"
    ),
}

Look = Callable[[str, Any], Any]
"""What a function that names a resource gives: (name of the resource, attribute or None for its id) -> value."""


class Template:
    """A template with the parameters that a stack of it has. Raises Refusal (400, 404) in Heat's words."""

    def __init__(self, cloud: Cloud, body: Any, given: Record):
        self.cloud, self.body = cloud, body
        self._check_sections()
        self.schemas: Record = body.get("parameters") or {}
        self.resources: Record = body.get("resources") or {}
        self.outputs: Record = body.get("outputs") or {}
        for name in given:
            if name not in self.schemas:
                raise refusal("UnknownUserParameter", f"The Parameter ({name}) was not defined in template.")
        self.given = given

    def _check_sections(self) -> None:
        if not isinstance(self.body, dict):
            raise refusal("HTTPBadRequest", "The template is not a JSON object or YAML mapping.")
        version = str(self.body.get("heat_template_version", ""))
        if not version:
            raise refusal("HTTPBadRequest", "Template format version not found.")
        if version not in VERSIONS:
            known = ", ".join(VERSIONS)
            said = f'"heat_template_version: {version}". "heat_template_version" should be one of: {known}'
            raise refusal("InvalidTemplateVersion", f"The template version is invalid: {said}")
        for section in self.body:
            if section not in SECTIONS:
                raise refusal("InvalidTemplateSection", f"The template section is invalid: {section}")
        for section in ("parameters", "resources", "outputs"):
            if not isinstance(self.body.get(section) or {}, dict):
                raise refusal("StackValidationFailed", f'"{section}" is not a map')

    def check(self, *, complete: bool = True) -> None:
        """What Heat checks before it takes a stack; parameters may be missing when it is not `complete`."""
        self.parameters = {name: self._parameter(name, complete) for name in self.schemas}
        for name, resource in self.resources.items():
            self._check_resource(name, resource)
        self.order = self._ordered()
        for name, output in self.outputs.items():
            if not isinstance(output, dict) or "value" not in output:
                raise refusal("StackValidationFailed", f"outputs.{name}: Each output must contain a value key.")
            self._check_references(name, output["value"])

    def _parameter(self, name: str, complete: bool) -> Any:
        schema = self.schemas[name]
        if complete and name not in self.given and "default" not in schema:
            raise refusal("UserParameterMissing", f"The Parameter ({name}) was not provided.")
        try:
            value = converted(schema.get("type", "string"), self.given.get(name, schema.get("default")))
            if name in self.given or value is not None:
                checked(self.cloud, value, schema.get("constraints") or ())
        except ValueError as error:
            raise refusal("StackValidationFailed", f"Parameter '{name}' is invalid: {error}") from None
        return value

    def _check_resource(self, name: str, resource: Any) -> None:
        kind = resource.get("type") if isinstance(resource, dict) else None
        if not kind:
            raise refusal("StackValidationFailed", f"Each Resource must contain a type key. (in {name})")
        if kind not in TYPES:
            raise refusal("EntityNotFound", f"The Resource Type ({kind}) could not be found.", 404)
        where = f"resources.{name}.properties"
        given = resource.get("properties") or {}
        self._check_references(name, given)
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
            checked(self.cloud, result, schema.constraints if not list(self._references(value)) else ())
        except ValueError as error:
            raise bad_value(f"{where}.{key}", str(error)) from None
        return result

    def properties(self, name: str, look: Look) -> Record:
        """A resource's properties, with every function called."""
        resource = self.resources[name]
        schemas, where = TYPES[resource["type"]], f"resources.{name}.properties"
        given = resource.get("properties") or {}
        values = {key: self._property(where, key, schemas[key], value, look) for key, value in given.items()}
        values |= {key: schema.default for key, schema in schemas.items() if values.get(key) is None}
        return {key: value for key, value in values.items() if value is not None}

    # -- references ---------------------------------------------------------------------------------------------------

    def _references(self, value: Any) -> Iterator[tuple[str, str | None]]:
        """(resource, attribute) of each function in the value that names a resource."""
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
        for name, attribute in self._references(value):
            if name not in self.resources:
                said = f'The specified reference "{name}" (in {where}) is incorrect.'
                raise refusal("InvalidTemplateReference", said)
            kind = self.resources[name].get("type")
            if attribute is not None and attribute not in ATTRIBUTES.get(kind, (attribute,)):
                said = f"The Referenced Attribute ({name} {attribute}) is incorrect."
                raise refusal("InvalidTemplateAttribute", said)

    @staticmethod
    def _awaited(resource: Record) -> list[str]:
        named = resource.get("depends_on") or []
        return [named] if isinstance(named, str) else list(named)

    def _ordered(self) -> list[str]:
        """The resources, each after those that it needs."""
        needs = {
            name: [other for other, _ in self._references(resource.get("properties") or {})] + self._awaited(resource)
            for name, resource in self.resources.items()
        }
        try:
            return list(TopologicalSorter(needs).static_order())
        except CycleError as error:
            circle = ", ".join(dict.fromkeys(error.args[1]))
            raise refusal("CircularDependencyException", f"Circular Dependency Found: {circle}") from None

    def resolve(self, value: Any, look: Look | None = None) -> Any:
        """The value with its functions called; those that name resources stay as they are without `look`."""
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
            if function == "get_resource":
                return look(argument, None)
            return _into(look(argument[0], argument[1] if len(argument) > 1 else "show"), argument[2:])
        argument = self.resolve(argument, look)
        try:
            if function == "list_join":
                joiner, *lists = argument
                return str(joiner).join(str(item) for items in lists for item in items or ())
            text = str(argument["template"])
            for key, replacement in argument["params"].items():
                text = text.replace(str(key), "" if replacement is None else str(replacement))
            return text
        except (KeyError, TypeError, ValueError, AttributeError):
            raise refusal("StackValidationFailed", f'Incorrect arguments to "{function}"') from None


def _into(value: Any, path: list) -> Any:
    """What is at the path inside a value; nothing where it leads nowhere, as with Heat."""
    for key in path:
        try:
            value = value[int(key) if isinstance(value, list) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return value
