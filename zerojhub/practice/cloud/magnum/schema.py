"""The request bodies that Magnum accepts: the type and bounds of each attribute, and the errors for invalid values.

Magnum validates bodies with WSME before its own code sees them, so these checks come first and use WSME's wording.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from zerojhub.practice.cloud.magnum.errors import invalid
from zerojhub.practice.cloud.refusal import Refusal
from zerojhub.practice.cloud.store import Record, words
from zerojhub.practice.cloud.wire import FALSE, TRUE


@dataclass(frozen=True)
class Attribute:
    """An attribute of a body; `low` and `high` are the bounds of a number or of a string's length."""

    name: str
    kind: str = "text"
    low: int | None = None
    high: int | None = None
    pattern: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None
    mandatory: bool = False
    readonly: bool = False

    def read(self, argument: str, value: Any, whole: Any) -> Any:
        """The validated value. Raises Refusal (400); a wrong type is reported with the `whole` argument."""
        if value is not None and self.kind in ("labels", "list"):
            self._container(argument, value, whole)
        if self.readonly:
            raise invalid(self.name, value, "Cannot set read only field.")
        if value is None:
            return None
        if self.kind == "labels":
            return {str(key): str(item) for key, item in value.items()}
        if self.kind == "list":
            for item in value if self.name == "node_taints" else ():
                if not isinstance(item, dict):
                    raise invalid(argument, whole, f"Value not a valid dict: {item}")
            return [str(item) if self.name == "nodes_to_remove" else item for item in value]
        return getattr(self, f"_{self.kind}")(argument, value, whole)

    def _container(self, argument: str, value: Any, whole: Any) -> None:
        wanted, name = (dict, "dict") if self.kind == "labels" else (list, "list")
        if not isinstance(value, wanted):
            raise invalid(argument, whole, f"Value not a valid {name}: {value}")

    def _text(self, _argument: str, value: Any, _whole: Any) -> str:
        if not isinstance(value, str):
            raise invalid(self.name, value, "Value should be string")
        if self.low is not None and len(value) < self.low:
            raise invalid(self.name, value, f"Value should have a minimum character requirement of {self.low}")
        if self.high is not None and len(value) > self.high:
            raise invalid(self.name, value, f"Value should have a maximum character requirement of {self.high}")
        if self.pattern and not re.search(self.pattern, value):
            raise invalid(self.name, value, f"Value should match the pattern {self.pattern}")
        return value

    def _number(self, argument: str, value: Any, whole: Any) -> int:
        try:
            number = int(value)
        except (TypeError, ValueError) as error:
            raise invalid(argument, whole, str(error)) from None
        if self.low is not None and number < self.low:
            raise invalid(self.name, number, f"Value should be greater or equal to {self.low}")
        if self.high is not None and number > self.high:
            raise invalid(self.name, number, f"Value should be lower or equal to {self.high}")
        return number

    def _flag(self, _argument: str, value: Any, _whole: Any) -> bool:
        word = str(value).strip().lower()
        if word not in TRUE | FALSE:
            acceptable = ", ".join(f"'{item}'" for item in sorted(TRUE | FALSE))
            raise Refusal(400, f"Unrecognized value '{value}', acceptable values are: {acceptable}")
        return word in TRUE

    def _choice(self, _argument: str, value: Any, _whole: Any) -> str:
        if value not in self.choices:
            raise invalid(self.name, value, f"Value should be one of: {', '.join(self.choices)}")
        return value

    def _dns(self, _argument: str, value: Any, _whole: Any) -> str:
        try:
            for address in str(value).split(","):
                ipaddress.IPv4Address(address.strip())
        except ValueError:
            message = f"Expected a single dns address or comma separated dns list, but received {value}."
            raise Refusal(400, message) from None
        return value


def parse_body(argument: str, attributes: tuple[Attribute, ...], data: Any, lacks: Collection[str] = ()) -> Record:
    """The validated body, with defaults for missing attributes. Raises Refusal (400).

    `lacks` are attributes that this Magnum does not support.
    """
    if data is None:
        raise Refusal(400, f'Missing argument: "{argument}"')
    if not isinstance(data, dict):
        raise invalid(argument, data, "Value not a valid dict")
    unknown = [name for name in data if name not in {attribute.name for attribute in attributes} or name in lacks]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise Refusal(400, f"Unknown attribute{plural} for argument {argument}: {', '.join(unknown)}")
    record: Record = {}
    for attribute in attributes:
        if attribute.name in data:
            record[attribute.name] = attribute.read(argument, data[attribute.name], data)
        elif attribute.mandatory:
            raise invalid(attribute.name, None, "Mandatory field missing.")
        if not attribute.readonly and record.get(attribute.name) is None:
            record[attribute.name] = attribute.default
    return record


def text(name: str, **more: Any) -> Attribute:
    return Attribute(name, "text", **{"low": 1, "high": 255, **more})


def readonly(*names: str) -> tuple[Attribute, ...]:
    return tuple(Attribute(name, readonly=True) for name in names)


DOCKER_VOLUME = Attribute("docker_volume_size", "number", low=1)
LABELS = Attribute("labels", "labels")

TEMPLATE = (
    text("name"),
    Attribute("coe", "choice", choices=("kubernetes",)),
    text("image_id", mandatory=True),
    text("flavor_id"),
    text("master_flavor_id"),
    Attribute("dns_nameserver", "dns"),
    text("keypair_id"),
    text("external_network_id"),
    text("fixed_network"),
    text("fixed_subnet"),
    text("network_driver"),
    Attribute("apiserver_port", "number", low=1024, high=65535),
    DOCKER_VOLUME,
    text("cluster_distro"),
    text("http_proxy"),
    text("https_proxy"),
    text("no_proxy"),
    text("volume_driver"),
    Attribute("registry_enabled", "flag", default=False),
    LABELS,
    Attribute("tls_disabled", "flag", default=False),
    Attribute("public", "flag", default=False),
    Attribute("server_type", "choice", choices=("vm", "bm"), default="vm"),
    text("insecure_registry"),
    text("docker_storage_driver"),
    Attribute("master_lb_enabled", "flag", default=False),
    Attribute("floating_ip_enabled", "flag", default=True),
    Attribute("hidden", "flag", default=False),
    text("tags", low=0),
    text("driver"),
    *readonly("uuid", "links", "project_id", "user_id", "created_at", "updated_at"),
)

CLUSTER = (
    text("name", high=242, pattern="^[a-zA-Z][a-zA-Z0-9_.-]*$"),
    Attribute("cluster_template_id", mandatory=True),
    text("keypair"),
    Attribute("node_count", "number", low=0, default=1),
    Attribute("master_count", "number", low=1, default=1),
    DOCKER_VOLUME,
    LABELS,
    text("master_flavor_id"),
    text("flavor_id"),
    Attribute("create_timeout", "number", low=0, default=60),
    Attribute("discovery_url"),
    text("fixed_network"),
    text("fixed_subnet"),
    Attribute("floating_ip_enabled", "flag"),
    Attribute("merge_labels", "flag", default=False),
    Attribute("master_lb_enabled", "flag"),
    *readonly("uuid", "links", "stack_id", "cluster_id", "api_address", "coe_version", "container_version"),
    *readonly("project_id", "user_id", "node_addresses", "master_addresses", "faults", "created_at", "updated_at"),
)

# What Magnum's tables have as columns, by which lists are sorted.
TEMPLATE_COLUMNS = (*(each.name for each in TEMPLATE if not each.readonly), "uuid", "project_id", "user_id")
CLUSTER_COLUMNS = words(
    "project_id user_id uuid name cluster_template_id keypair docker_volume_size labels master_flavor_id flavor_id stack_id "
    "api_address status status_reason health_status health_status_reason create_timeout discovery_url coe_version "
    "container_version fixed_network fixed_subnet floating_ip_enabled master_lb_enabled"
)

# The fields of a cluster in lists and in detail, in Magnum's order.
BRIEF = words(
    "uuid name cluster_template_id keypair node_count master_count docker_volume_size labels master_flavor_id flavor_id "
    "create_timeout links cluster_id status health_status merge_labels"
)
FULL = words(
    "uuid name cluster_template_id keypair node_count master_count docker_volume_size labels master_flavor_id flavor_id "
    "create_timeout links cluster_id status status_reason health_status health_status_reason discovery_url api_address "
    "coe_version container_version project_id user_id node_addresses master_addresses fixed_network fixed_subnet "
    "floating_ip_enabled merge_labels labels_overridden labels_added labels_skipped master_lb_enabled created_at "
    "updated_at"
)

NODEGROUP = (
    text("name"),
    DOCKER_VOLUME,
    LABELS,
    text("flavor_id"),
    text("image_id"),
    Attribute("node_count", "number", low=0, default=1),
    text("role", default="worker"),
    Attribute("min_node_count", "number", low=0, default=0),
    Attribute("max_node_count", "number", low=0),
    Attribute("merge_labels", "flag", default=False),
    Attribute("node_labels", "labels"),
    Attribute("node_taints", "list"),
    *readonly("id", "uuid", "cluster_id", "project_id", "links", "node_addresses", "is_default", "stack_id"),
    *readonly("status", "status_reason", "version", "created_at", "updated_at"),
)

NODEGROUP_COLUMNS = words(
    "uuid name cluster_id project_id docker_volume_size labels flavor_id image_id node_addresses node_count role "
    "max_node_count min_node_count is_default stack_id status status_reason version node_labels node_taints"
)

RESIZE = (
    Attribute("node_count", "number", low=0, mandatory=True),
    Attribute("nodes_to_remove", "list", default=()),
    text("nodegroup"),
)

UPGRADE = (Attribute("max_batch_size", "number", low=1), text("nodegroup"), text("cluster_template"))

CERTIFICATE = (Attribute("cluster_uuid"), Attribute("csr"), Attribute("pem"), Attribute("ca_cert_type"))

QUOTA = (
    Attribute("id", "number", low=1),
    Attribute("hard_limit", "number", low=0, default=1),
    text("project_id"),
    Attribute("resource", "choice", choices=("Cluster",), default="Cluster"),
    *readonly("created_at", "updated_at"),
)

INTERNAL = ("created_at", "id", "links", "updated_at", "uuid", "project_id", "user_id")


def parse_patch(data: Any, internal: tuple[str, ...] = (), fixed: tuple[str, ...] = ()) -> list[Record]:
    """A JSON patch as [{"op", "name", "value"}]. Raises Refusal (400).

    `internal` attributes cannot be changed, and `fixed` ones not removed.
    """
    if not isinstance(data, list):
        raise invalid("patch", data, f"Value not a valid list: {data}")
    patch = []
    for item in data:
        path, op, value = item.get("path", ""), item.get("op"), item.get("value")
        if op not in ("add", "replace", "remove"):
            raise invalid("op", op, "Value should be one of: add, replace, remove")
        if not re.search(r"^(/[\w-]+)+$", path):
            raise invalid("path", path, r"Value should match the pattern ^(/[\w-]+)+$")
        if not isinstance(value, str | int | None):
            expected = f"Wrong type. Expected '{(str, int)}', got '{type(value)}'"
            raise invalid("value", value, expected)
        name = path[1:]
        if name in INTERNAL + internal:
            raise Refusal(400, f"'{path}' is an internal attribute and can not be updated")
        if op == "remove" and name in fixed:
            raise Refusal(400, f"'{path}' is a mandatory attribute and can not be removed")
        if op != "remove" and value is None:
            raise Refusal(400, "'add' and 'replace' operations needs value")
        patch.append({"op": op, "name": name} | ({"value": value} if "value" in item else {}))
    return patch
