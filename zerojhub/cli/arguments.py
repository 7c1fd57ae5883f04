"""Arguments that need more than a type to be read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zerojhub.errors import UserError

if TYPE_CHECKING:
    from zerojhub.openstack.magnum import Taint


def parse_labels(given: list[str]) -> dict[str, str]:
    """Labels for Magnum from `KEY=VALUE` arguments, each with one label or several separated by commas or semicolons.

    Values may be lists: as with Magnum's own client, a word without `=` belongs to the label before it in the argument, and a
    label that is repeated has all of its values.
    """
    pairs: dict[str, str] = {}
    for text in given:
        last = ""
        for word in _words([text]):
            if "=" in word or not last or not word:
                [(last, value)] = parse_pairs([word], "--labels").items()
            else:
                value = word
            pairs[last] = f"{pairs[last]},{value}" if last in pairs else value
    return pairs


def parse_node_labels(given: list[str]) -> dict[str, str]:
    """Labels of nodes from `KEY=VALUE` arguments, each with one label or several separated by commas or semicolons."""
    return parse_pairs(_words(given), "--node-labels")


def parse_taints(given: list[str]) -> list[Taint]:
    """Taints from `KEY[=VALUE]:EFFECT` arguments, each with one taint or several separated by commas or semicolons."""
    from zerojhub.openstack.node_marks import read_taint

    return [read_taint(word) for word in _words(given)]


def _words(given: list[str]) -> list[str]:
    """Words that are given one by one or separated; an empty argument has none."""
    return [word.strip() for text in given if text for word in re.split(r"[,;]", text)]


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
