"""Arguments that need more than a type to be read."""

from __future__ import annotations

import re

from zerojhub.errors import UserError


def parse_labels(given: list[str]) -> dict[str, str]:
    """Labels from `KEY=VALUE` arguments, each with one label or several separated by commas or semicolons."""
    return parse_pairs([word.strip() for text in given for word in re.split(r"[,;]", text)], "--labels")


def parse_pairs(given: list[str], option: str) -> dict[str, str]:
    """`KEY=VALUE` arguments; values are used unchanged. UserError for anything else."""
    pairs = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(f"{word!r} is not KEY=VALUE", where=option)
        pairs[name.strip()] = value
    return pairs


def parse_parameters(given: list[str]) -> dict[str, str | list[str]]:
    """Parameters of a Heat template, as Heat's own client reads them.

    A single argument may have several, separated by semicolons; a parameter that is repeated is a list.
    """
    words = [word for word in given[0].split(";") if word] if len(given) == 1 else given
    found: dict[str, list[str]] = {}
    for word in words:
        for key, value in parse_pairs([word], "--parameter").items():
            found.setdefault(key, []).append(value)
    return {key: values if len(values) > 1 else values[0] for key, values in found.items()}
