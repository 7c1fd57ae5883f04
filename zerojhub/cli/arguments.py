"""Arguments that take more than a type to read."""

from __future__ import annotations

import re

from zerojhub.errors import UserError


def parse_labels(given: list[str]) -> dict[str, str]:
    """`KEY=VALUE` words, each alone or several with commas or semicolons between. UserError for anything else."""
    labels = {}
    for word in (word for text in given for word in re.split(r"[,;]", text)):
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise UserError(f"label {word!r} is not KEY=VALUE", where="--labels")
        labels[key.strip()] = value.strip()
    return labels


def parse_env(given: list[str]) -> dict[str, str]:
    """`NAME=VALUE` words, whose values are taken as they are. UserError for anything else."""
    pairs = {}
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise UserError(f"{word!r} is not NAME=VALUE", where="--env")
        pairs[name] = value
    return pairs
