"""A chart's `kubeVersion`: which Kubernetes versions the chart supports, in the syntax that Helm reads."""

from __future__ import annotations

import re
from collections.abc import Iterator

from zerojhub.kube import number

Number = tuple[int, int, int]
Range = tuple[Number, Number]
"""From the first up to, but not including, the second."""

PARTIAL = r"v?(\d+|[xX*])(?:\.(\d+|[xX*]))?(?:\.(\d+|[xX*]))?(?:[-+][0-9A-Za-z.+-]*)?"
TERM = re.compile(rf"(!=|=?>|=?<|>=|<=|~>?|\^|=)?\s*{PARTIAL}")
RANGE = re.compile(rf"({PARTIAL})\s+-\s+({PARTIAL})")
FIRST, LAST = (0, 0, 0), (10**9, 0, 0)
"""Before and after every version."""


def allows(constraint: str | None, kubernetes: str) -> bool:
    """Does the constraint, such as `>=1.28.0-0 <1.36`, include that version (such as `v1.30.5-rancher1`)?

    A suffix of the version is a vendor's, not a pre-release, and is ignored. No constraint includes every version, an
    invalid one none. UserError if the version is not one of Kubernetes.
    """
    if not constraint or not constraint.strip():
        return True
    version = number(kubernetes)
    try:
        return any(
            all(any(low <= version < high for low, high in term) for term in _terms(part))
            for part in constraint.split("||")
        )
    except ValueError:
        return False


def in_words(constraint: str) -> str:
    """The constraint for a message: `1.28 or later` for `>=1.28.0-0`, others as they are."""
    least = re.fullmatch(r"\s*>=\s*v?(\d+\.\d+)(\.0)?(-0)?\s*", constraint)
    return f"{least[1]} or later" if least else constraint


def _terms(text: str) -> Iterator[list[Range]]:
    """What a version must match, each as the ranges of which it must be in one. ValueError if it is not a constraint."""
    text = RANGE.sub(lambda match: f">={match[1]} <={match[5]}", text).strip(" ,")
    if not text:
        raise ValueError("empty")
    while text:
        if not (term := TERM.match(text)):
            raise ValueError(text)
        text = text[term.end() :].lstrip(" ,\t")
        yield _ranges(term[1] or "=", [int(part) for part in term.groups()[1:] if part and part.isdigit()])


def _ranges(operator: str, given: list[int]) -> list[Range]:
    low, end = _padded(given), _after(given)
    match operator:
        case ">=" | "=>":
            return [(low, LAST)]
        case ">":
            return [(end, LAST)]
        case "<":
            return [(FIRST, low)]
        case "<=" | "=<":
            return [(FIRST, end)]
        case "!=":
            return [(FIRST, low), (end, LAST)]
        case "~" | "~>":
            return [(low, _after(given[:2]))]
        case "^":
            return [(low, _after(given[:1]))]
    return [(low, end)]


def _padded(given: list[int]) -> Number:
    major, minor, patch = (*given, 0, 0, 0)[:3]
    return major, minor, patch


def _after(given: list[int]) -> Number:
    """The first version above all that start with these numbers."""
    return _padded([*given[:-1], given[-1] + 1]) if given else LAST
