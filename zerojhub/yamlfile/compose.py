"""YAML text as a tree of nodes, whose scalars are not interpreted yet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from zerojhub.errors import UserError
from zerojhub.text import one_line

if TYPE_CHECKING:
    import yaml

DEEPEST = 100
"""Levels of nesting in a document. Many more would exceed Python's recursion limit somewhere behind the reader."""

MOST = 400_000
"""Nodes in a text, which take seconds to read. Kubernetes takes no object that has as many."""

PLACEHOLDER = re.compile(r"(?<![\"'\w])(?:\{\{.*?\}\}|\{%.*?%\}|<%.*?%>|([@%])\w+\1(?!\w))")
"""What a template engine replaces, and YAML cannot contain without quotes."""

NO_SPACE = "a space is missing between a tag and a comma"

NO_END = ("found unexpected end of stream", "could not find expected ':'")
"""libyaml's words for quotes that are not closed, and for a line without a colon."""


@dataclass(slots=True, eq=False)
class Node:
    """A part of a document, starting at `line` (from 1)."""

    line: int


@dataclass(slots=True, eq=False)
class Scalar(Node):
    text: str
    tag: str | None
    plain: bool
    """Without quotes or a tag, so that the text decides what it is."""


@dataclass(slots=True, eq=False)
class Sequence(Node):
    children: list[Node] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Mapping(Node):
    children: list[Node] = field(default_factory=list)
    """Keys and values in turn."""


@dataclass(slots=True, eq=False)
class Alias(Node):
    name: str
    target: Node


def compose(content: bytes, name: str, *, as_go: bool = False) -> Iterator[tuple[int, Node]]:
    """The documents: the line where each starts, and its root. Raises UserError for text that is not YAML.

    `name` is what errors call the text. `as_go`: refuse what Go's parser reads otherwise than libyaml in brackets and braces.
    """
    import yaml

    try:
        yield from _documents(content, name, as_go=as_go)
    except yaml.reader.ReaderError as error:
        raise _unreadable(error, content, name) from None
    except yaml.MarkedYAMLError as error:
        raise _invalid(error, content, name) from None


def _documents(content: bytes, name: str, *, as_go: bool) -> Iterator[tuple[int, Node]]:
    import yaml

    start, root, count = 1, None, 0
    anchors: dict[str, Node] = {}
    parents: list[Sequence | Mapping] = []
    in_flow = [False]
    """Of each parent, whether it is in brackets or braces."""
    for event in yaml.parse(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        assert event.start_mark, event  # only events made by hand have none
        line = event.start_mark.line + 1
        node: Node
        match event:
            case yaml.ScalarEvent():
                if as_go and in_flow[-1]:
                    _refuse_unlike_go(event, content, name)
                node = Scalar(line, event.value, event.tag, plain=event.implicit[0])
            case yaml.SequenceStartEvent():
                node = Sequence(line)
            case yaml.MappingStartEvent():
                node = Mapping(line)
            case yaml.AliasEvent():
                if event.anchor not in anchors:
                    raise UserError(f"not valid YAML: unknown anchor {event.anchor!r}", where=f"{name}:{line}")
                node = Alias(line, event.anchor, anchors[event.anchor])
            case yaml.CollectionEndEvent():
                parents.pop()
                in_flow.pop()
                continue
            case yaml.DocumentStartEvent():
                start, anchors = line, {}
                continue
            case yaml.DocumentEndEvent():
                assert root is not None  # every document has a node, if only an empty scalar
                yield start, root
                continue
            case _:
                continue
        if (count := count + 1) > MOST:
            raise UserError(f"more than {MOST} keys and values", where=f"{name}:{line}")
        if parents:
            parent = parents[-1]
            if isinstance(parent, Mapping) and len(parent.children) % 2 == 0 and isinstance(node, Sequence | Mapping):
                raise _no_key(content, name, line)
            parent.children.append(node)
        else:
            root = node
        if isinstance(event, yaml.NodeEvent) and event.anchor and not isinstance(node, Alias):
            anchors[event.anchor] = node
        if isinstance(node, Sequence | Mapping):
            parents.append(node)
            in_flow.append(in_flow[-1] or bool(getattr(event, "flow_style", False)))
            if len(parents) > DEEPEST:
                raise UserError(f"nested more than {DEEPEST} levels deep", where=f"{name}:{line}")


def _refuse_unlike_go(event: yaml.ScalarEvent, content: bytes, name: str) -> None:
    """UserError for a scalar in brackets or braces of which Go's parser reads something else, or nothing."""
    assert event.start_mark  # as above
    where = f"{name}:{event.start_mark.line + 1}"
    if event.implicit[0] and "?" in event.value:  # which ends a word there
        raise UserError("not valid YAML: a ? in brackets or braces", where=where, hint="put the text in quotes")
    if event.tag and not event.value:
        text = _line(content, event.start_mark.line + 1)[event.start_mark.column :]
        if re.match(r"(?:&\S+\s+)?!(?:<[^>]*>)?[^\s,]*,", text):  # to Go the comma is part of the tag
            raise UserError(f"not valid YAML: {NO_SPACE}", where=where)


def _no_key(content: bytes, name: str, line: int) -> UserError:
    if error := _placeholder(content, name, line):
        return error
    return UserError("not valid here: a key must be a word, not a mapping or a list", where=f"{name}:{line}")


def _placeholder(content: bytes, name: str, line: int) -> UserError | None:
    """The error for a placeholder in the line (from 1)."""
    if not (found := PLACEHOLDER.search(_line(content, line).partition(" #")[0])):
        return None
    message = f"the placeholder {found[0]} has not been filled in"
    return UserError(message, where=f"{name}:{line}", hint="replace it, or put it in quotes if it is meant as text")


def _line(content: bytes, line: int) -> str:
    lines = content.decode(errors="replace").split("\n")
    return lines[line - 1] if line <= len(lines) else ""


def _unreadable(error: yaml.reader.ReaderError, content: bytes, name: str) -> UserError:
    line = content.count(b"\n", 0, error.position) + 1
    where = f"{name}:{line}"
    if "control" in error.reason or "special" in error.reason:
        code = error.character if isinstance(error.character, int) else ord(error.character)
        hint = f'remove it, or write it as "\\x{code:02x}", in double quotes' if code < 0x100 else "remove it"
        return UserError(f"not valid YAML: contains the control character U+{code:04X}", where=where, hint=hint)
    return UserError(f"not valid UTF-8: {error.reason}", where=where, hint="save the file as UTF-8")


def _invalid(error: yaml.MarkedYAMLError, content: bytes, name: str) -> UserError:
    started, found = error.context_mark, error.problem_mark
    assert found, error  # libyaml always knows
    if started and (placeholder := _placeholder(content, name, started.line + 1)):
        return placeholder
    if placeholder := _placeholder(content, name, found.line + 1):
        return placeholder
    character = _line(content, found.line + 1)[found.column :][:1]
    problem, hint = one_line(f"{error.context or ''} {error.problem or ''}"), None
    if character == "\t":
        problem, hint = "indented with a tab", "use spaces"
    elif "cannot start any token" in problem:
        problem, hint = f"a value cannot start with {character}", "put it in quotes"
    # What has no end is found at the end of the file.
    mark = started if started and error.problem in NO_END else found
    return UserError(f"not valid YAML: {problem}", where=f"{name}:{mark.line + 1}", hint=hint)
