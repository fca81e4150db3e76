"""A spec as written: YAML nodes that know where they stand, and what a plain scalar means."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines import values
    from pipelines.diagnostics import Span

LARGEST_INTEGER = 2**53 - 1
"""JSONata's numbers are doubles: a larger integer would change on its way through the definition."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NUMBER_BEYOND = re.compile(rf"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)|{_FLOAT.pattern}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScalarNode:
    """A scalar: `text` is it without quotes, `raw` is its source."""

    text: str
    raw: str
    quoted: bool
    span: Span

    @property
    def value(self) -> values.Scalar:
        """Return the scalar's value; a quoted one is always a string."""
        return self.text if self.quoted else plain_value(self.text)

    @property
    def is_beyond_json(self) -> bool:
        """Say whether YAML reads a number that JSON cannot write: `.nan`, `.inf` or one beyond a double."""
        if self.quoted or not _NUMBER_BEYOND.fullmatch(self.text):
            return False
        return self.text[-1].isalpha() or math.isinf(float(self.text))


@dataclass(frozen=True, kw_only=True, slots=True)
class SequenceNode:
    """A list of nodes."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, kw_only=True, slots=True)
class MappingNode:
    """A mapping in the order of the text; keys are unique scalars, taken as text."""

    entries: tuple[tuple[ScalarNode, Node], ...]
    span: Span

    def get(self, key: str) -> Node | None:
        """Return the node under `key`."""
        return next((node for name, node in self.entries if name.text == key), None)

    def key(self, key: str) -> ScalarNode | None:
        """Return the key itself, which knows its place."""
        return next((name for name, _ in self.entries if name.text == key), None)


Node: TypeAlias = ScalarNode | SequenceNode | MappingNode


def find(node: Node | None, *path: str) -> Node | None:
    """Follow keys down through mappings; None where the path leaves the text."""
    for key in path:
        node = node.get(key) if isinstance(node, MappingNode) else None
    return node


def entries(node: Node | None) -> tuple[tuple[ScalarNode, Node], ...]:
    """Return a mapping's entries; nothing for any other node."""
    return node.entries if isinstance(node, MappingNode) else ()


def items(node: Node | None) -> tuple[ScalarNode, ...]:
    """Return a list's scalars; nothing for any other node."""
    found = node.items if isinstance(node, SequenceNode) else ()
    return tuple(item for item in found if isinstance(item, ScalarNode))


def scalars(node: Node) -> Iterator[tuple[ScalarNode, bool]]:
    """Yield every scalar under a node in the order of the text, and whether it is a key."""
    match node:
        case ScalarNode():
            yield node, False
        case SequenceNode():
            for item in node.items:
                yield from scalars(item)
        case MappingNode():
            for key, value in node.entries:
                yield key, True
                yield from scalars(value)


def plain_value(text: str) -> values.Scalar:
    """Read a plain scalar by YAML 1.2's core schema, strictly: `on`, `012`, `0x1F`, dates, `.inf` stay text.

    A number that JSON or JSONata cannot hold exactly stays text too.
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if not any(char.isdigit() for char in text):
        return text
    return _number(text)


def _number(text: str) -> int | float | str:
    if _INTEGER.fullmatch(text):
        small = len(text) <= 17 and abs(int(text)) <= LARGEST_INTEGER
        return int(text) if small else text
    if _FLOAT.fullmatch(text) and len(text) < 400 and math.isfinite(float(text)):
        return float(text)
    return text
