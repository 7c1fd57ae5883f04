"""YAML files, with the line of every key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zerojhub.errors import UserError
from zerojhub.text import one_line

KeyPath = tuple[str | int, ...]
"""The keys and list indexes that lead to a value in a document."""


def read_yaml(path: Path, *, missing_hint: str | None = None) -> Any:
    """The file's document, with the position of every key (ruamel's round-trip types).

    Raises UserError with file:line; `missing_hint` is the hint if the file does not exist.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        with path.open(encoding="utf-8") as file:
            return YAML(typ="rt").load(file)
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), hint=missing_hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot be read: {error}", where=str(path)) from None
    except MarkedYAMLError as error:
        line = (error.problem_mark or error.context_mark).line + 1
        problem = one_line(f"{error.context or ''} {error.problem or ''}")
        raise UserError(f"not valid YAML: {problem}", where=f"{path}:{line}") from None


def plain(node: Any) -> Any:
    """Round-trip nodes as plain dicts, lists and scalars."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    for kind in (bool, int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return node


def line_of(document: Any, place: KeyPath) -> int:
    """The line (from 1) of the key at `place`, or of its nearest ancestor in the document."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    line, node = 1, document
    for step in place:
        try:
            if isinstance(node, CommentedMap):
                line = node.lc.key(step)[0] + 1
            elif isinstance(node, CommentedSeq):
                line = node.lc.item(step)[0] + 1
            node = node[step]
        except (KeyError, IndexError, TypeError):
            break
    return line
