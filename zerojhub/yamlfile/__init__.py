"""YAML files as their readers elsewhere understand them, with the line of every key.

What Helm and kubectl read follows the rules of Go's sigs.k8s.io/yaml, what Heat reads those of PyYAML: both are YAML 1.1
with additions of their own (`go`, `pyyaml`). Syntax needs no emulation: PyYAML's parser is libyaml, and Go's is a port of it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from zerojhub import files
from zerojhub.errors import UserError
from zerojhub.yamlfile import go, pyyaml
from zerojhub.yamlfile.compose import compose
from zerojhub.yamlfile.decode import Decoder, Mark, Rules

__all__ = [
    "GO",
    "PYYAML",
    "KeyPath",
    "Rules",
    "dump",
    "items",
    "line_of",
    "load",
    "load_all",
    "plain",
    "read_documents",
    "read_yaml",
    "written",
]

KeyPath = tuple[str | int, ...]
"""The keys and list indexes that lead to a value in a document."""

SURROGATES = re.compile(rb"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
"""A character beyond U+FFFF as JSON may escape it, and YAML may not."""
GO = Rules(go.scalar, go.key, merges_in_place=True)
"""How Helm and kubectl read values and manifests."""
PYYAML = Rules(pyyaml.scalar, pyyaml.key, merges_in_place=False)
"""How Heat and its client read templates."""


def read_yaml(path: Path, *, missing_hint: str | None = None, rules: Rules = GO) -> Any:
    """The file's only document, with the position of every key; None if it is empty.

    Mappings and lists are dicts and lists; keys are strings; scalars are str, int, float, bool or None, so that all of it is
    JSON. Raises UserError with file:line; `missing_hint` is the hint if the file does not exist.
    """
    return load(_content(path, missing_hint), str(path), rules)


def read_documents(path: Path) -> list[tuple[int, Any]]:
    """The documents in the file that are not empty, as `read_yaml` returns them, each with the line where it starts.

    `-` is standard input. Raises UserError with file:line.
    """
    content = _content(path)
    if content.lstrip().startswith(b"{"):  # JSON, which kubectl reads as such
        content = SURROGATES.sub(_character, content)
    return load_all(content, "stdin" if str(path) == "-" else str(path))


def _character(pair: re.Match[bytes]) -> bytes:
    return pair[1] + bytes.fromhex((pair[2] + pair[3]).decode()).decode("utf-16-be").encode()


def load(content: bytes, name: str, rules: Rules = GO) -> Any:
    """The only document of a file's content, as `read_yaml` returns it. `name` is what errors call the file."""
    documents = _documents(content, name, rules)
    while len(documents) > 1 and documents[-1][1] is None:  # as a trailing `---` makes them
        documents.pop()
    if (count := len(documents)) > 1:
        hint = "merge the two" if count == 2 else "merge them"
        raise UserError(f"expected a single document, found {count}", where=f"{name}:{documents[1][0]}", hint=hint)
    return documents[0][1] if documents else None


def load_all(content: bytes, name: str) -> list[tuple[int, Any]]:
    """The documents of a file's content, as `read_documents` returns them."""
    return [(line, document) for line, document in _documents(content, name, GO) if document is not None]


def plain(node: Any) -> Any:
    """The document without positions."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    return node


def items(node: Any) -> Iterable[tuple[str | int, Any]]:
    """What is in a mapping or a list, each with its key or index; nothing for a scalar."""
    if isinstance(node, dict):
        return node.items()
    return enumerate(node) if isinstance(node, list) else ()


def line_of(document: Any, place: KeyPath) -> int:
    """The line (from 1) of the key at `place`, or of its nearest ancestor in the document."""
    marks = _marks(document, place)
    return marks[-1].line if marks else 1


def written(document: Any, place: KeyPath) -> str | None:
    """The scalar at `place` as it was written, without quotes: `1.10`, `on`. None if there is none or it was quoted."""
    marks = _marks(document, place)
    return marks[-1].text if marks and len(marks) == len(place) else None


def _marks(document: Any, place: KeyPath) -> list[Mark]:
    """The marks on the way to `place`, as far as the document has it."""
    node, marks = document, list[Mark]()
    for step in place:
        try:
            mark, node = node.marks[step], node[step]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
        marks.append(mark)
    return marks


def dump(document: Any) -> str:
    """YAML text that Helm, kubectl and Heat all read as this document, with the keys in their order."""
    from zerojhub.yamlfile.write import write

    return write(document)


def _content(path: Path, missing_hint: str | None = None) -> bytes:
    try:
        return files.read_all(sys.stdin.buffer) if str(path) == "-" else files.read(path)
    except FileNotFoundError:
        raise UserError("no such file", where=str(path), hint=missing_hint) from None
    except OSError as error:
        raise UserError(f"cannot be read: {error.strerror}", where=str(path)) from None


def _documents(content: bytes, name: str, rules: Rules) -> list[tuple[int, Any]]:
    """Each document, empty ones included, with the line where it starts."""
    return [(line, Decoder(name, rules).decode(root)) for line, root in compose(content, name, as_go=rules is GO)]
