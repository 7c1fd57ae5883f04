"""What the API server rejects in a manifest, as errors with its line in the file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zerojhub.errors import Problems, UserError, ZeroJHubError
from zerojhub.kube.manifests import COMMANDS
from zerojhub.kube.quantity import QUANTITY
from zerojhub.yamlfile import KeyPath, items

if TYPE_CHECKING:
    from zerojhub.kube.client import KubeError
    from zerojhub.kube.manifests import Source

MISTYPED = re.compile(r"cannot unmarshal (\w+)(?: \S+)? into Go struct field \w+\.(\S+) of type (\S+)")
TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "bool": bool,
    "object": dict,
    "array": list,
    "number": (int, float),
}
"""JSON types as Go calls them."""
SIZES = ("limits", "requests")


def explained(error: KubeError, source: Source) -> ZeroJHubError:
    """The error, or the mistakes in the manifest that it is about."""
    kind = source.manifest["kind"]
    if error.status == 404:
        return UserError(error.message, hint="create it with kubectl create namespace")
    if error.status == 409 and kind in COMMANDS:
        command = " ".join([*COMMANDS[kind].split()[:2], "delete"])
        return UserError(error.message, hint=f"delete it with {command}, or use another name")
    if error.status == 409:
        where, hint = (
            source.where("metadata", "name"),
            "leave it out of the file to use it as it is, or use another name",
        )
        return UserError(error.message, where=where, hint=hint)
    if error.status not in (400, 422):
        return error
    mistakes = [_mistake(cause.get("field") or "", cause.get("message") or "", source) for cause in error.causes]
    # An unknown field, or a value of the wrong type, is only in the message.
    for field in re.findall(r'unknown field "([^"]+)"', error.message):
        mistakes.append(_mistake(field, f"unknown field {field!r}", source))
    for given, field, wanted in re.findall(MISTYPED, error.message):
        mistakes.append(_mistyped(given, field, wanted, source))
    if "quantities must match" in error.message:
        mistakes += [
            UserError(
                f"{_dotted(place)}: {value!r} is not a quantity", where=source.where(*place), hint="such as 500m or 1Gi"
            )
            for place, value in _sizes(source.manifest)
            if not QUANTITY.fullmatch(str(value))
        ]
    return Problems(list(mistakes)) if mistakes else UserError(error.message, where=source.where())


def _mistake(field: str, message: str, source: Source) -> UserError:
    """`field` is as the API writes it: `spec.template.spec.containers[0].image`."""
    place = [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", field)]
    return UserError(message if field in message else f"{field}: {message}", where=source.where(*place))


def _mistyped(given: str, field: str, wanted: str, source: Source) -> UserError:
    """`field` is without the positions in lists: the first value of the type is meant."""
    steps = field.split(".")
    places = [place for place, value in _values(source.manifest, steps) if _is_of(given, value)]
    place = places[0] if places else tuple(steps)
    hint = "put it in quotes" if wanted == "string" and given in ("number", "bool") else None
    return UserError(f"{_dotted(place)} must be of type {wanted}, not {given}", where=source.where(*place), hint=hint)


def _is_of(given: str, value: object) -> bool:
    return given in TYPES and isinstance(value, TYPES[given]) and (given == "bool" or not isinstance(value, bool))


def _values(node: object, steps: list[str], place: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """What is at a path, in any item of the lists on the way and at its end."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from _values(item, steps, (*place, index))
    elif steps and isinstance(node, dict) and steps[0] in node:
        yield from _values(node[steps[0]], steps[1:], (*place, steps[0]))
    if not steps:
        yield place, node


def _sizes(node: object, place: KeyPath = ()) -> Iterator[tuple[KeyPath, object]]:
    """What is requested of a resource anywhere in the object, and its limits."""
    for key, value in items(node):
        here = (*place, key)
        if key in SIZES and isinstance(value, dict):
            yield from (((*here, resource), size) for resource, size in value.items())
        else:
            yield from _sizes(value, here)


def _dotted(place: KeyPath) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
