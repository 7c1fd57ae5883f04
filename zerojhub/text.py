"""Words and lines for people: plurals, durations, the nearest known word."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

Say = Callable[[str], None]
"""Reports in one line what is being done right now."""

_COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


def plural(number: int, noun: str) -> str:
    """1 node, 2 nodes."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def elapsed(seconds: float) -> str:
    """0.4 s, 12 s, 3 min 05 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"


def one_line(text: str) -> str:
    """The text with every run of white space, line breaks included, as one space, and nothing that moves a cursor."""
    return printable(" ".join(text.split()))


def printable(text: str, *, lines: bool = False, colours: bool = False) -> str:
    """The text with a replacement character for each that a terminal would obey: escapes, marks of another direction.

    `lines` keeps line breaks and tabs, `colours` also the sequences that set a colour.
    """
    if text.isprintable():
        return text
    kept = _COLOUR.split(text) if colours else [text]
    for index in range(0, len(kept), 2):  # the others are the colours
        kept[index] = "".join(
            each if each.isprintable() or (lines and each in "\n\t") else "\N{REPLACEMENT CHARACTER}"
            for each in kept[index]
        )
    return "".join(kept)


def nearest(word: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """The known word that was probably meant; None when nothing is close. `likeness`: from 0 to 1, which is the same word."""
    close = difflib.get_close_matches(str(word), list(known), n=1, cutoff=likeness)
    return close[0] if close else None


_REQUIREMENTS = {
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "float_parsing": "a number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller number",
    "int_type": "a whole number",
    "less_than_equal": "{le} or less",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "a mapping",
    "path_type": "a path",
    "string_too_long": "at most {max_length} characters long",
    "string_too_short": "at least {min_length} characters long",
    "string_type": "a string",
}


def requirement(kind: str, context: Mapping[str, object], message: str) -> str:
    """What a value in a file must be, for an error of pydantic of that kind; its own words for the kinds that are rare."""
    if wanted := _REQUIREMENTS.get(kind):
        return f"must be {wanted.format(**context)}"
    return message[:1].lower() + message[1:]


def shown(value: object) -> str:
    """A value of a file for a message, shortened."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping"
        case list():
            return "a list"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def instant(time: str) -> datetime:
    """A time in ISO 8601, which is in UTC unless it names a zone."""
    read = datetime.fromisoformat(time)
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def seconds_between(time: str, now: datetime) -> float:
    """The seconds from a time in ISO 8601 (see `instant`) until now."""
    return (now - instant(time)).total_seconds()


def minute(time: str) -> str:
    """2026-11-28 03:00, of a time in ISO 8601."""
    return time[:16].replace("T", " ")


def named(kind: str, names: Sequence[str]) -> str:
    """cluster a; 2 clusters a, b."""
    return f"{kind if len(names) == 1 else plural(len(names), kind)} {', '.join(names)}"
