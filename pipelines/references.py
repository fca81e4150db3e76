"""`${{ ... }}` in a spec's text: what is literal, what refers to something, and where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.diagnostics import Span

if TYPE_CHECKING:
    from pipelines.nodes import ScalarNode

OPENING = "${{"
_REFERENCE = re.compile(r"\$\{\{((?:(?!\$\{\{|\}\}).)*)\}\}", re.DOTALL)
"""Up to the next opening and no further: looking for the end of each of many openings takes for ever."""
_PATH = re.compile(r"\s*(item|[A-Za-z_][\w-]*(?:\.[\w-]+)+)\s*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Ref:
    """A reference: ('steps', 'train', 'model'); `path` is empty where the braces hold none."""

    path: tuple[str, ...]
    text: str
    span: Span


Part = str | Ref


def parse(node: ScalarNode) -> tuple[Part, ...]:
    """Cut a scalar into literal text and references, in order; empty literals are left out."""
    parts: list[Part] = []
    end, raw_end = 0, 0
    for match in _REFERENCE.finditer(node.text):
        raw_begin = max(node.raw.find(match[0], raw_end), raw_end)
        raw_end = raw_begin + len(match[0])
        parts += [node.text[end : match.start()], _ref(match, node, raw_begin)]
        end = match.end()
    parts.append(node.text[end:])
    return tuple(part for part in parts if part != "")


def is_whole(parts: tuple[Part, ...]) -> bool:
    """Say whether the text is one reference and nothing else: such a value keeps its type."""
    return len(parts) == 1 and isinstance(parts[0], Ref)


def literal(parts: tuple[Part, ...]) -> str:
    """Return the text between the references."""
    return "".join(part for part in parts if isinstance(part, str))


def _ref(match: re.Match[str], node: ScalarNode, raw_begin: int) -> Ref:
    inner = _PATH.fullmatch(match[1])
    path = tuple(inner[1].split(".")) if inner else ()
    return Ref(path=path, text=match[0], span=_span(node, raw_begin, len(match[0])))


def _span(node: ScalarNode, begin: int, length: int) -> Span:
    breaks = node.raw.count("\n", 0, begin)
    line = node.span.line + breaks
    column = begin - node.raw.rfind("\n", 0, begin) if breaks else node.span.column + begin
    return Span(line=line, column=column, end_line=line, end_column=column + length)
