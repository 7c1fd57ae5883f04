"""What services answer, checked where it arrives, so that nothing behind it meets a missing key or a value of another type.

The types are TypedDicts with the keys that the product reads; a service may have more. Inside there are JSON's own types, lists,
mappings by text, unions, literals, and types with a Predicate or MinLen. This is not left to pydantic, because every command
that asks a cloud needs it, and pydantic takes as long to load as the rest of such a command.
"""

from __future__ import annotations

import base64
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NotRequired, Required, TypeAlias, Union, get_args, get_origin

from typing_extensions import ReadOnly, get_type_hints, is_typeddict


@dataclass(frozen=True)
class Predicate:
    """Part of an annotation: what has to be true of the value."""

    func: Callable[[Any], bool]


@dataclass(frozen=True)
class MinLen:
    """Part of an annotation: how many items there have to be."""

    min_length: int


def _is_time(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(datetime.fromisoformat(text))
    return False


def _is_timestamp(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text).tzinfo is not None
    return False


def _is_base64(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return base64.b64decode(text, validate=True) is not None
    return False


def _is_number(value: int | str) -> bool:
    return isinstance(value, int) or re.fullmatch(r"-?\d{1,18}", value, re.ASCII) is not None


Number: TypeAlias = Annotated[int | str, Predicate(_is_number)]
"""A whole number that some services write as text."""
Time: TypeAlias = Annotated[str, Predicate(_is_time)]
"""A time in ISO 8601, which `datetime.fromisoformat` reads."""
Timestamp: TypeAlias = Annotated[str, Predicate(_is_timestamp)]
"""A time with its zone, as in RFC 3339."""
Base64: TypeAlias = Annotated[str, Predicate(_is_base64)]


class Unexpected(ValueError):
    """An answer that is not of the type that the service's reference says; the text says where and what."""


def checked(answer: Any, kind: Any, *, within: str | None = None) -> Any:
    """The answer, or what is at its key `within`, as it is. Raises Unexpected unless it is of that type."""
    if within is not None:
        if not isinstance(answer, dict) or within not in answer:
            raise Unexpected(f"no {within} in it" if isinstance(answer, dict) else _named(answer))
        answer = answer[within]
    try:
        _check_of(kind)(answer)
    except _Wrong as wrong:
        place = ".".join(str(step) for step in ([within] if within else []) + wrong.steps[::-1])
        if wrong.text is None:
            raise Unexpected(f"no {place} in it") from None
        raise Unexpected(f"{place}: {wrong.text}" if place else wrong.text) from None
    return answer


Check: TypeAlias = Callable[[Any], None]
"""Raises _Wrong for a value that is not of its type."""


class _Wrong(Exception):
    """What is wrong with a value (None: it is missing), and the way to it, the last step first."""

    def __init__(self, text: str | None):
        super().__init__(text)
        self.text, self.steps = text, list[str | int]()


KINDS = {str: "string", int: "integer", float: "number", bool: "boolean", list: "list", dict: "dictionary"}
WRAPPERS = (Required, NotRequired, ReadOnly)
"""What says of a key, not of its value, that it need not be there or does not change."""


@cache
def _check_of(kind: Any) -> Check:
    """What checks values of that type."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind in (Any, object):
        return lambda value: None
    if origin is Annotated:
        return _check_annotated(_check_of(inner[0]), inner[1:])
    if origin in WRAPPERS:
        return _check_of(inner[0])
    if origin in (Union, UnionType):
        return _check_union([_check_of(each) for each in inner if each is not NoneType], NoneType in inner)
    if origin is Literal:
        return _check_literal(inner)
    if origin is list:
        return _check_list(_check_of(inner[0]))
    if origin is dict:
        return _check_mapping(_check_of(inner[0]), _check_of(inner[1]))
    if is_typeddict(kind):
        return _check_fields(kind)
    if kind in KINDS:
        return _check_plain(kind)
    raise TypeError(f"answers cannot be checked to be of type {kind}")


def _wrong(value: object, wanted: str) -> _Wrong:
    return _Wrong(f"input should be {wanted}, not {_named(value)}")


def _require(value: object, kind: type) -> None:
    fitting = (int, float) if kind is float else kind
    if not isinstance(value, fitting) or (kind in (int, float) and isinstance(value, bool)):
        raise _wrong(value, f"a valid {KINDS[kind]}")


def _check_plain(kind: type) -> Check:
    return lambda value: _require(value, kind)


def _check_literal(allowed: tuple[object, ...]) -> Check:
    words = [repr(each) for each in allowed]
    wanted = " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

    def check(value: Any) -> None:
        if value not in allowed or isinstance(value, bool):
            raise _wrong(value, wanted)

    return check


def _check_union(checks: list[Check], nullable: bool) -> Check:
    """The value fits one of them; if it fits none, the first one says why."""

    def check(value: Any) -> None:
        if value is None and nullable:
            return
        first: _Wrong | None = None
        for each in checks:
            try:
                return each(value)
            except _Wrong as wrong:
                first = first or wrong
        assert first is not None
        raise first

    return check


def _check_annotated(inner: Check, marks: tuple[object, ...]) -> Check:
    def check(value: Any) -> None:
        inner(value)
        for mark in marks:
            if isinstance(mark, Predicate) and not mark.func(value):
                raise _Wrong(f"{_named(value)} that cannot be read")
            if isinstance(mark, MinLen) and len(value) < mark.min_length:
                raise _Wrong(f"has {len(value)} items, and should have {mark.min_length} or more")

    return check


def _check_at(step: str | int, check: Check, value: Any) -> None:
    try:
        check(value)
    except _Wrong as wrong:
        wrong.steps.append(step)
        raise


def _check_list(item: Check) -> Check:
    def check(value: Any) -> None:
        _require(value, list)
        for index, each in enumerate(value):
            _check_at(index, item, each)

    return check


def _check_mapping(key: Check, item: Check) -> Check:
    def check(value: Any) -> None:
        _require(value, dict)
        for name, each in value.items():
            key(name)
            _check_at(name, item, each)

    return check


def _check_fields(kind: Any) -> Check:
    """For a TypedDict: the keys that it requires are there, and all that it has are of their types."""
    hints = get_type_hints(kind, include_extras=True)
    checks = {name: _check_of(hint) for name, hint in hints.items()}
    required = {name for name, hint in hints.items() if _is_required(kind, name, hint)}

    def check(value: Any) -> None:
        _require(value, dict)
        for name, each in checks.items():
            if name in value:
                _check_at(name, each, value[name])
            elif name in required:
                missing = _Wrong(None)
                missing.steps.append(name)
                raise missing

    return check


def _is_required(kind: Any, name: str, hint: Any) -> bool:
    """By what the key's own annotation says, or else by its class: Python 3.11 does not read annotations that are text."""
    while (origin := get_origin(hint)) in (*WRAPPERS, Annotated):
        if origin is not ReadOnly and origin is not Annotated:
            return origin is Required
        hint = get_args(hint)[0]
    return name in kind.__required_keys__


def _named(value: object) -> str:
    """The type of a JSON value. Its content may be secret."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
    return "an object"
