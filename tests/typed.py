"""Whether a JSON answer is what its TypedDict says."""

from __future__ import annotations

import types
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints, is_typeddict


def mismatches(value: Any, annotation: Any, where: str = "answer") -> list[str]:
    """Each place where the value is not of the type; more keys than a TypedDict has are fine."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is Any or annotation is object:
        return []
    if is_typeddict(annotation):
        return _keys(value, annotation, where)
    if origin in (NotRequired, Required):
        return mismatches(value, arguments[0], where)
    if origin in (Union, types.UnionType):
        found = [mismatches(value, each, where) for each in arguments]
        return [] if not all(found) else min(found, key=len)
    if origin is Literal:
        return [] if value in arguments else [f"{where}: {value!r}"]
    if origin is list and isinstance(value, list):
        return [
            text for place, each in enumerate(value) for text in mismatches(each, arguments[0], f"{where}[{place}]")
        ]
    if origin is dict and isinstance(value, dict):
        return [text for key, each in value.items() for text in mismatches(each, arguments[1], f"{where}.{key}")]
    plain = origin or annotation
    fits = type(value) is plain if plain in (bool, int) else isinstance(value, plain)
    return [] if fits else [f"{where}: {value!r} is not {annotation}"]


def _keys(value: Any, annotation: Any, where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: {value!r} is not an object"]
    hints = get_type_hints(annotation, include_extras=True)
    # Python 3.11 does not see a NotRequired in an annotation that is text.
    optional = annotation.__optional_keys__ | {key for key, hint in hints.items() if get_origin(hint) is NotRequired}
    missing = [f"{where} has no {key}" for key in hints if key not in value and key not in optional]
    wrong = [text for key in hints if key in value for text in mismatches(value[key], hints[key], f"{where}.{key}")]
    return missing + wrong
