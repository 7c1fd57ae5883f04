"""What services answer, checked where it arrives, so that nothing behind it meets a missing key or a value of another type.

The types are TypedDicts with the keys that the product reads; a service may have more. typing_extensions' TypedDict, because
pydantic cannot read typing's before Python 3.12.
"""

from __future__ import annotations

import base64
import contextlib
import re
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from annotated_types import Predicate

if TYPE_CHECKING:
    from pydantic import TypeAdapter


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
    from pydantic import ValidationError

    if within is not None:
        if not isinstance(answer, dict) or within not in answer:
            raise Unexpected(f"no {within} in it" if isinstance(answer, dict) else _named(answer))
        answer = answer[within]
    try:
        _adapter(kind).validate_python(answer, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        place = ".".join(str(step) for step in ([within] if within else []) + list(first["loc"]))
        if first["type"] == "missing":
            raise Unexpected(f"no {place} in it") from None
        if first["type"] == "predicate_failed":
            raise Unexpected(f"{place}: {_named(first['input'])} that cannot be read") from None
        message = f"{first['msg'][0].lower()}{first['msg'][1:]}, not {_named(first['input'])}"
        raise Unexpected(f"{place}: {message}" if place else message) from None
    return answer


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


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
