"""Values in Heat templates and requests: conversion, constraints, and Heat's errors for invalid ones."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from zerojhub.practice.cloud.heat.errors import refusal
from zerojhub.practice.cloud.store import Record, Store
from zerojhub.practice.cloud.wire import FALSE, TRUE


def whole(name: str, value: Any) -> int | None:
    """Parse an integer in a request. Raises Refusal (400)."""
    if value is None:
        return None
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise refusal("HTTPBadRequest", f"Only integer is acceptable by '{name}'.") from None
    if number < 0:
        said = f"Value '{value}' is invalid for '{name}' which only accepts non-negative integer."
        raise refusal("HTTPBadRequest", said)
    return number


def flag(name: str, value: Any) -> bool:
    """Parse a boolean in a request. Raises Refusal (400)."""
    word = str(value).lower()
    if word not in ("true", "false"):
        said = f'Unrecognized value "{value}" for "{name}", acceptable values are: true, false.'
        raise refusal("HTTPBadRequest", said)
    return word == "true"


def converted(kind: str, value: Any) -> Any:
    """The value converted to the type. Raises ValueError."""
    if value is None:
        return None
    match kind:
        case "number":
            return _number(value)
        case "boolean":
            word = str(value).strip().lower()
            if word not in TRUE | FALSE:
                known = ", ".join(f"'{known}'" for known in sorted(TRUE | FALSE))
                raise ValueError(f"Unrecognized value '{value}', acceptable values are: {known}")
            return word in TRUE
        case "comma_delimited_list":
            return [item.strip() for item in value.split(",")] if isinstance(value, str) else list(map(str, value))
        case "json":
            return _map(value)
        case "string":
            if isinstance(value, dict | list):
                raise ValueError("Value must be a string")
            return str(value)
    raise ValueError(f"Invalid type ({kind})")


def _number(value: Any) -> int | float:
    text = str(value)
    return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)


def _map(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(f"Value must be valid JSON: {error}") from None


def checked(store: Store, value: Any, constraints: Iterable[Record]) -> None:
    """Raises ValueError if the value violates a constraint, with the constraint's description if it has one."""
    if value is None:
        return
    for constraint in constraints:
        for name, wanted in constraint.items():
            if (check := CHECKS.get(name)) and (why := check(store, value, wanted)):
                raise ValueError(constraint.get("description") or why)


def _bounds(wanted: Record) -> str:
    return f"(min: {wanted.get('min')}, max: {wanted.get('max')})"


def _outside(number: float, wanted: Record) -> bool:
    least, most = wanted.get("min"), wanted.get("max")
    return (least is not None and number < least) or (most is not None and number > most)


def _range(_store: Store, value: Any, wanted: Record) -> str | None:
    return f"{value} is out of range {_bounds(wanted)}" if _outside(value, wanted) else None


def _length(_store: Store, value: Any, wanted: Record) -> str | None:
    return f"length ({len(value)}) is out of range {_bounds(wanted)}" if _outside(len(value), wanted) else None


def _allowed(_store: Store, value: Any, wanted: list) -> str | None:
    rest = [item for item in (value if isinstance(value, list) else [value]) if item not in wanted]
    return f'"{rest[0]}" is not an allowed value {json.dumps(wanted)}' if rest else None


def _pattern(_store: Store, value: Any, wanted: str) -> str | None:
    return None if re.fullmatch(wanted, str(value)) else f'"{value}" does not match pattern "{wanted}"'


def _custom(store: Store, value: Any, wanted: str) -> str | None:
    lost = {
        "nova.keypair": (store.keypairs, f"The Key ({value}) could not be found."),
        "nova.flavor": (store.flavors, f"No Flavor matching {{'name': '{value}'}}. (HTTP 404)"),
        "glance.image": (store.images, f"No images matching {{'name': '{value}'}}."),
        "neutron.network": (store.networks, f"Unable to find network with name or id '{value}'"),
        "neutron.subnet": (store.subnets, f"Unable to find subnet with name or id '{value}'"),
        "magnum.cluster_template": (store.templates, f"The ClusterTemplate ({value}) could not be found."),
    }
    if wanted == "ip_addr":
        return None if _is_address(value) else f"Error validating value '{value}': Invalid IP address"
    if wanted not in lost or not value:
        return None
    table, why = lost[wanted]
    return None if value in table or table.named(str(value)) else f"Error validating value '{value}': {why}"


def _is_address(value: Any) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


CHECKS: dict[str, Callable[[Store, Any, Any], str | None]] = {
    "range": _range,
    "length": _length,
    "allowed_values": _allowed,
    "allowed_pattern": _pattern,
    "custom_constraint": _custom,
}
