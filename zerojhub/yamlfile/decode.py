"""A tree of nodes as Python data that knows the line of each key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from zerojhub.errors import UserError
from zerojhub.yamlfile.compose import DEEPEST, Alias, Mapping, Node, Scalar, Sequence

PLENTY = 400_000
"""Nodes of which nearly all may be repetitions by aliases; of more, fewer may be."""


@dataclass(frozen=True)
class Rules:
    """How a reader interprets what YAML leaves open. `scalar` and `key` raise ValueError with a message."""

    scalar: Callable[[str, str | None, bool], Any]
    """The value of a scalar, from its text, its tag and whether it is plain."""
    key: Callable[[Any], str]
    """The key of a JSON object for a mapping's key."""
    merges_in_place: bool
    """Whether `<<` overrides the keys above it, as the next key would, or none of the mapping's own."""


class Mark(NamedTuple):
    """Where a value is: the line of its key or list item (from 1), and the text of a plain scalar as it was written."""

    line: int
    text: str | None


class Map(dict[str, Any]):
    """A mapping with the marks of its values."""

    def __init__(self) -> None:
        self.marks: dict[str, Mark] = {}


class List(list[Any]):
    """A list with the marks of its items."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []


class Decoder:
    """Decodes one document. Raises UserError with the line."""

    def __init__(self, name: str, rules: Rules):
        self.name, self.rules = name, rules
        self.count = self.aliased = 0
        self.aliases: list[Alias] = []

    def decode(self, node: Node, depth: int = 0) -> Any:
        self._count(node, depth)
        match node:
            case Scalar():
                return self._scalar(node)
            case Sequence():
                items = List()
                for child in node.children:
                    items.append(self.decode(child, depth + 1))
                    items.marks.append(Mark(child.line, _text(child)))
                return items
            case Mapping():
                return self._mapping(node, Map(), depth)
            case Alias():
                return self._followed(node, lambda target: self.decode(target, depth))
        raise AssertionError(node)

    def _scalar(self, node: Scalar) -> Any:
        try:
            return self.rules.scalar(node.text, node.tag, node.plain)
        except ValueError as error:
            raise self._error(str(error), node) from None

    def _mapping(self, node: Mapping, into: Map, depth: int) -> Map:
        pairs = list(zip(node.children[::2], node.children[1::2], strict=True))
        if not self.rules.merges_in_place:
            pairs.sort(key=lambda pair: not _is_merge(pair[0]))
        own: dict[str, int] = {}
        for key_node, value in pairs:
            if _is_merge(key_node):
                for part in self._merged(value):
                    self._merge(part, into, depth)
                continue
            key = self._key(key_node, depth)
            if key in own:
                hint = f"the first is in line {own[key]}; merge them"
                raise self._error(f"not valid YAML: duplicate key {key!r}", key_node, hint=hint)
            own[key] = key_node.line
            into[key] = self.decode(value, depth + 1)
            into.marks[key] = Mark(key_node.line, _text(value))
        return into

    def _key(self, node: Node, depth: int) -> str:
        key = self.decode(node, depth + 1)
        if isinstance(key, dict | list):
            raise self._error("not valid here: a key must be a word, not a mapping or a list", node)
        try:
            return self.rules.key(key)
        except ValueError as error:
            raise self._error(str(error), node) from None

    def _merged(self, node: Node) -> Iterator[Node]:
        """The mappings that `<<` brings in, the one that takes precedence last."""
        parts = list(reversed(node.children)) if isinstance(node, Sequence) else [node]
        for part in parts:
            if not isinstance(part.target if isinstance(part, Alias) else part, Mapping):
                raise self._error("<< must be followed by a mapping or a list of mappings", node)
            yield part

    def _merge(self, node: Node, into: Map, depth: int) -> None:
        self._count(node, depth)
        if isinstance(node, Alias):
            self._followed(node, lambda target: self._merge(target, into, depth))
        elif isinstance(node, Mapping):
            self._mapping(node, into, depth)

    def _followed(self, alias: Alias, use: Callable[[Node], Any]) -> Any:
        if alias in self.aliases:
            raise self._error(f"the anchor {alias.name!r} contains itself", alias)
        self.aliases.append(alias)
        try:
            return use(alias.target)
        finally:
            self.aliases.pop()

    def _count(self, node: Node, depth: int) -> None:
        """Go's limit to what aliases may repeat: 99 % of a small document, a tenth of a huge one."""
        self.count += 1
        self.aliased += bool(self.aliases)
        allowed = 0.99 - 0.89 * min(max(self.count - PLENTY, 0) / (9 * PLENTY), 1)
        if self.aliased > 100 and self.count > 1000 and self.aliased > allowed * self.count:
            raise self._error("its aliases repeat too much", node)
        if depth > DEEPEST:
            raise self._error(f"nested more than {DEEPEST} levels deep", node)

    def _error(self, message: str, node: Node, hint: str | None = None) -> UserError:
        return UserError(message, where=f"{self.name}:{node.line}", hint=hint)


def _is_merge(node: Node) -> bool:
    return isinstance(node, Scalar) and node.text == "<<" and (node.plain or node.tag == "tag:yaml.org,2002:merge")


def _text(node: Node) -> str | None:
    while isinstance(node, Alias):
        node = node.target
    return node.text if isinstance(node, Scalar) and node.plain else None
