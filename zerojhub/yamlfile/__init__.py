"""YAML files as their readers elsewhere understand them, with the line of every key.

What Helm and kubectl read follows the rules of Go's sigs.k8s.io/yaml, what Heat reads those of PyYAML: both are YAML 1.1
with additions of their own (`go`, `pyyaml`). Syntax needs no emulation: PyYAML's parser is libyaml, and Go's is a port of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zerojhub.errors import UserError
from zerojhub.yamlfile import go, pyyaml
from zerojhub.yamlfile.compose import compose
from zerojhub.yamlfile.decode import Decoder, Rules

__all__ = ["GO", "PYYAML", "KeyPath", "Rules", "line_of", "parse", "plain", "read_documents", "read_yaml", "written"]

KeyPath = tuple[str | int, ...]
"""The keys and list indexes that lead to a value in a document."""

GO = Rules(go.scalar, go.key, merges_in_place=True)
"""How Helm and kubectl read values and manifests."""
PYYAML = Rules(pyyaml.scalar, pyyaml.key, merges_in_place=False)
"""How Heat and its client read templates."""


def read_yaml(path: Path, *, missing_hint: str | None = None, rules: Rules = GO) -> Any:
    """The file's only document, with the position of every key; None if it is empty.

    Mappings and lists are dicts and lists; keys are strings; scalars are str, int, float, bool or None, so that all of it is
    JSON. Raises UserError with file:line; `missing_hint` is the hint if the file does not exist.
    """
    return _only(parse(_content(path, missing_hint), str(path), rules), str(path))


def read_documents(path: Path, *, rules: Rules = GO) -> list[Any]:
    """The file's documents, each as `read_yaml` returns it, without empty ones."""
    return [document for _, document in parse(_content(path, None), str(path), rules) if document is not None]


def parse(content: bytes, name: str, rules: Rules = GO) -> list[tuple[int, Any]]:
    """The documents in YAML text, empty ones included, each with the line where it starts.

    `name` is what errors call the text. Raises UserError.
    """
    return [(line, Decoder(name, rules).decode(root)) for line, root in compose(content, name)]


def plain(node: Any) -> Any:
    """The document without positions."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    return node


def line_of(document: Any, place: KeyPath) -> int:
    """The line (from 1) of the key at `place`, or of its nearest ancestor in the document."""
    line, node = 1, document
    for step in place:
        try:
            line, node = node.marks[step].line, node[step]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    return line


def written(document: Any, place: KeyPath) -> str | None:
    """The scalar at `place` as it was written, without quotes: `1.10`, `on`. None if there is none or it was quoted."""
    node, text = document, None
    for step in place:
        try:
            node, text = node[step], node.marks[step].text
        except (AttributeError, KeyError, IndexError, TypeError):
            return None
    return text


def _content(path: Path, missing_hint: str | None) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), hint=missing_hint) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _only(documents: list[tuple[int, Any]], name: str) -> Any:
    """The one document; empty ones after it, as a trailing `---` makes them, do not count."""
    while len(documents) > 1 and documents[-1][1] is None:
        documents.pop()
    if len(documents) > 1:
        count, where = len(documents), f"{name}:{documents[1][0]}"
        hint = "merge the two" if count == 2 else "merge them"
        raise UserError(f"expected a single document, found {count}", where=where, hint=hint)
    return documents[0][1] if documents else None
