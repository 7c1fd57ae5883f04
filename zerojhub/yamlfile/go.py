"""Scalars as sigs.k8s.io/yaml has them (go.yaml.in/yaml/v2, resolve.go): Helm, kubectl and the Kubernetes API."""

from __future__ import annotations

import base64
import binascii
import contextlib
import math
import re
import struct
from collections.abc import Callable
from typing import Any

CORE = "tag:yaml.org,2002:"
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], None),
}
INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
"""Go's ParseInt with base 0; the groups are the sign and the digits in base 16, 2, 8 and 10."""
BINARY = re.compile(r"0b([-+][01]+)")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
POINT_FIRST = re.compile(r"\.[0-9]+(_[0-9]+)*([eE][-+]?[0-9]+(_[0-9]+)*)?")
INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def scalar(text: str, tag: str | None, plain: bool) -> Any:
    """The value of a scalar. ValueError if JSON has no such value, or the text does not fit the tag."""
    if tag is None:
        return _resolved(text) if plain else text
    if tag == CORE + "binary":
        with contextlib.suppress(binascii.Error):
            return base64.b64decode(text, validate=True).decode(errors="replace")
        raise ValueError("!!binary must be followed by base64")
    kinds: dict[str, Callable[[Any], bool]] = {
        "bool": lambda value: isinstance(value, bool),
        "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
        "float": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        "null": lambda value: value is None,
    }
    kind = tag.removeprefix(CORE)
    if tag == kind or kind not in kinds:
        return text
    value = _resolved(text)
    if not kinds[kind](value):
        raise ValueError(f"{text!r} is not of type {kind}")
    return float(value) if kind == "float" else value


def key(value: Any) -> str:
    """The key as a JSON object has it. ValueError if Go refuses it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        raise ValueError("a key is empty or null: put it in quotes")
    if isinstance(value, float):
        return _shortest(value)
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"the key {value} is too large a number: put it in quotes")
    return str(value)


def _resolved(text: str) -> Any:
    """The value of a plain scalar."""
    if text in WORDS:
        return WORDS[text]
    if INFINITE.fullmatch(text):
        raise ValueError(f"JSON has no number {text}: put it in quotes")
    if text[0] not in "+-.0123456789":
        return text
    digits = text.replace("_", "")
    if POINT_FIRST.fullmatch(text) if text[0] == "." else FLOAT.fullmatch(digits):
        value = _integer(digits)
        # Beyond the range of a double, Go takes it for text.
        return value if value is not None else text if math.isinf(float(digits)) else float(digits)
    value = _integer(digits)
    return text if value is None else value


def _integer(digits: str) -> int | None:
    """None for what is no integer, or one of more than 64 bits."""
    if found := INTEGER.fullmatch(digits):
        sign, *groups = found.groups()
        base, number = next((base, each) for base, each in zip((16, 2, 8, 10), groups, strict=True) if each)
        value, unsigned = int(sign + number, base), not sign
    elif found := BINARY.fullmatch(digits):
        value, unsigned = int(found[1], 2), False
    else:
        return None
    return value if -(2**63) <= value < (2**64 if unsigned else 2**63) else None


def _shortest(value: float) -> str:
    """The number with as many digits as a float32 needs: Go's FormatFloat(value, 'g', -1, 32)."""
    try:
        packed = struct.pack("<f", value)
    except OverflowError:
        return ".inf" if value > 0 else "-.inf"
    (single,) = struct.unpack("<f", packed)
    points = next(n for n in range(9) if struct.pack("<f", float(f"{single:.{n}e}")) == packed)
    digits = f"{single:.{points}e}"
    exponent = int(digits.partition("e")[2])
    return f"{float(digits):.{max(points - exponent, 0)}f}" if -4 <= exponent < 6 else digits
