"""From text to nodes with positions; whatever the text holds, the answer is a tree or diagnostics.

Nodes are built from the parser's events, so depth, size and alias expansion are bounded while reading:
PyYAML's C composer recurses on the C stack, which deep input overflows; its constructors read YAML 1.1.
"""

from __future__ import annotations

import bisect
import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import yaml
from yaml import events

from pipelines.diagnostics import START, Diagnostic, Span, SpecError
from pipelines.nodes import MappingNode, Node, ScalarNode, SequenceNode
from pipelines.references import OPENING

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_NODES = 20_000
MAX_SCALAR = 20_000

_LOADER: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LESS = "Move data out of it: a spec only says what to do."
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufffe\uffff]"
)
"""Said by what is forbidden: the far larger rest takes longer to compile than most specs."""


_ADVICE = {
    "mapping values are not allowed": "Look for a colon too many, a key without one, or a line too far in.",
    "did not find expected ','": "Look for a bracket or a quote that is not closed, such as the bracket {}.",
    "did not find expected key": "Keys of one mapping begin in the same column.",
    "did not find expected '-'": "Entries of one list begin in the same column.",
    "cannot start any token": "Put the value into quotes.",
    "block scalar": "Put the value into quotes: > and | begin a text of several lines.",
    "an alias": "Put the value into quotes: * begins an alias.",
    "an anchor": "Put the value into quotes: & begins an anchor.",
    "a tag": "Put the value into quotes: ! begins a tag.",
    "node content": "Write a value there, or take out the bracket or comma that stands in its place.",
    "directive": "Remove this line.",
    "<document start>": "Keys of one mapping begin in the same column.",
    "YAML document": "Remove this line.",
    "block sequence entries": "Begin a list on the line below its key, or write it as [a, b].",
    "mapping keys": "Put the value into quotes: ? begins a key.",
    "parsing a quoted scalar": "In double quotes a backslash begins an escape; use single quotes.",
    "while scanning a quoted scalar": "Close this quote.",
    "could not find expected ':'": "Put a colon after the key.",
}
"""Part of what PyYAML says → what its reader can do about it."""

_BEGUN_BEFORE = ("found unexpected end of stream", "could not find expected ':'")
"""What PyYAML notices behind the quote or key that is at fault."""


def decode(data: bytes, *, path: str) -> str:
    """Return a spec's text from its bytes: UTF-8, with or without a byte order mark. Raises SpecError."""
    bare = data.removeprefix(codecs.BOM_UTF8)
    try:
        return bare.decode("utf-8")
    except UnicodeDecodeError as error:
        text = normalise(bare.decode("utf-8", "replace"))
        good = len(normalise(bare[: error.start].decode("utf-8")))
        message = f"the byte 0x{bare[error.start]:02X} is not UTF-8 text"
        span = _Places(text).span(good, good + 1)
        wrong = Diagnostic(code="P001", message=message, span=span, hint="Save the file as UTF-8.")
        raise SpecError([wrong], path=path, text=text) from error


def normalise(text: str) -> str:
    """Return the text with its byte order mark dropped and every line ended by one newline."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def parse(text: str) -> tuple[Node | None, tuple[Diagnostic, ...]]:
    """Parse normalised text; the node is None where a diagnostic says why there is no tree to go on with."""
    try:
        _check_text(text)
        reader = _Reader(text)
        return reader.read(), tuple(reader.diagnostics)
    except _RefusedError as refused:
        return None, (refused.diagnostic,)


class _RefusedError(Exception):
    """Carries a diagnostic out of the depths to parse(), and no further."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def _refuse(code: str, message: str, span: Span = START, hint: str | None = None) -> NoReturn:
    raise _RefusedError(Diagnostic(code=code, message=message, span=span, hint=hint))


def _check_text(text: str) -> None:
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        message = f"the spec is larger than {MAX_BYTES:,} bytes"
        _refuse("P004", message, hint=_LESS)
    bad = _FORBIDDEN.search(text)
    if bad:
        message = f"the character U+{ord(bad[0]):04X} may not stand in a spec"
        hint = "Delete it: it is a control or text-direction character, or part of another encoding."
        _refuse("P001", message, _Places(text).span(bad.start(), bad.end()), hint)


class _Places:
    """Turns offsets into lines and columns; only a newline ends a line, as in an editor."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def span(self, begin: int, end: int) -> Span:
        """Return the span of text[begin:end], at least one character wide."""
        line, column = self._place(begin)
        end_line, end_column = self._place(max(end, begin + 1))
        return Span(line=line, column=column, end_line=end_line, end_column=end_column)

    def _place(self, offset: int) -> tuple[int, int]:
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


@dataclass(frozen=True, kw_only=True)
class _Anchor:
    """What an alias stands for, with what it costs to repeat it."""

    node: Node
    size: int
    height: int


def _height(node: Node) -> int:
    match node:
        case ScalarNode():
            return 0
        case SequenceNode():
            return 1 + max((_height(item) for item in node.items), default=0)
        case MappingNode():
            return 1 + max((_height(value) for _, value in node.entries), default=0)


@dataclass
class _Reader:
    """One pass over the parser's events."""

    text: str
    diagnostics: list[Diagnostic] = field(default_factory=list)
    _anchors: dict[str, _Anchor | None] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        self._places = _Places(self.text)
        self._events = self._parse_events()

    def read(self) -> Node:
        """Return the root of the only document."""
        root = None
        for event in self._events:
            if isinstance(event, events.DocumentStartEvent):
                if root is not None:
                    _refuse("P005", "a spec is one YAML document", self._span(event), "Remove this '---'.")
                root = self._node(next(self._events), 0)
        if root is None:
            _refuse("P006", "the spec is empty", hint="Begin with 'version: 1'.")
        return root

    def _parse_events(self) -> Iterator[events.Event]:
        try:
            yield from yaml.parse(self.text, Loader=_LOADER)
        except yaml.MarkedYAMLError as error:
            first = error.problem in _BEGUN_BEFORE and error.context_mark
            mark = first or error.problem_mark or error.context_mark
            span = self._places.span(mark.index, mark.index + 1) if mark else START
            reason = _reason(error)
            opened = self._places.span(error.context_mark.index, 0) if error.context_mark else None
            _refuse("P002", f"this is not YAML: {reason}", span, self._advice(span, reason, opened))
        except yaml.YAMLError as error:
            _refuse("P002", f"this is not YAML: {' '.join(str(error).split())}")

    def _advice(self, span: Span, reason: str, opened: Span | None) -> str | None:
        line = self.text.split("\n")[span.line - 1]
        if "\t" in line[: span.column]:
            return "Indent with spaces: YAML allows no tabs there."
        if "did not find expected key" in reason and line[: span.column - 1].strip():
            return "The value ends before this: take the rest out, or put all of it into quotes."
        if "flow" in reason and f'"{OPENING}' not in line and OPENING in line:
            return "Inside { } and [ ], put the reference into quotes."
        where = f"of {opened.line}:{opened.column}" if opened else "before it"
        found = (advice for sign, advice in _ADVICE.items() if sign in reason)
        return next((advice.format(where) for advice in found), None)

    def _node(self, event: events.Event, depth: int) -> Node:
        self._check_depth(depth, event)
        if isinstance(event, events.AliasEvent):
            return self._alias(event, depth)
        self._refuse_tag(event)
        self._charge(1, event)
        anchor = getattr(event, "anchor", None)
        return self._anchored(anchor, event, depth) if anchor else self._content(event, depth)

    def _anchored(self, anchor: str, event: events.Event, depth: int) -> Node:
        before = self._count
        self._anchors[anchor] = None
        node = self._content(event, depth)
        size = self._count - before + 1
        self._anchors[anchor] = _Anchor(node=node, size=size, height=_height(node))
        return node

    def _content(self, event: events.Event, depth: int) -> Node:
        match event:
            case events.ScalarEvent():
                return self._scalar(event)
            case events.SequenceStartEvent():
                return self._sequence(event, depth)
            case events.MappingStartEvent():
                return self._mapping(event, depth)
            case _:
                message = "this is not YAML that a spec may use"
                _refuse("P002", message, self._span(event))

    def _scalar(self, event: events.ScalarEvent) -> ScalarNode:
        span = self._span(event)
        if len(event.value) > MAX_SCALAR:
            _refuse("P004", f"this text is longer than {MAX_SCALAR:,} characters", span, _LESS)
        bad = _FORBIDDEN.search(event.value)
        if bad:
            message = f"the character U+{ord(bad[0]):04X} may not stand in a spec"
            _refuse("P001", message, span, "Delete the escape that makes it.")
        raw = self.text[slice(*_offsets(event, event))]
        return ScalarNode(text=event.value, raw=raw, quoted=event.style not in (None, ""), span=span)

    def _sequence(self, event: events.Event, depth: int) -> SequenceNode:
        found: list[Node] = []
        for following in self._events:
            if isinstance(following, events.SequenceEndEvent):
                return SequenceNode(items=tuple(found), span=self._between(event, following))
            found.append(self._node(following, depth + 1))
        _refuse("P002", "this list does not end", self._span(event))

    def _mapping(self, event: events.Event, depth: int) -> MappingNode:
        found: dict[str, tuple[ScalarNode, Node]] = {}
        for following in self._events:
            if isinstance(following, events.MappingEndEvent):
                return MappingNode(entries=tuple(found.values()), span=self._between(event, following))
            key = self._node(following, depth + 1)
            value = self._node(next(self._events), depth + 1)
            if not isinstance(key, ScalarNode):
                _refuse(
                    "P005", "a key must be a word, not a list or a mapping", key.span, "Write KEY: VALUE."
                )
            self._note_duplicate(found.get(key.text), key)
            found.setdefault(key.text, (key, value))
        _refuse("P002", "this mapping does not end", self._span(event))

    def _note_duplicate(self, first: tuple[ScalarNode, Node] | None, key: ScalarNode) -> None:
        if first:
            at = first[0].span
            message = f"the key '{shorten(key.text)}' stands here twice, first at {at.line}:{at.column}"
            self.diagnostics.append(
                Diagnostic(code="P003", message=message, span=key.span, hint="Keep one of the two.")
            )

    def _alias(self, event: events.AliasEvent, depth: int) -> Node:
        name = event.anchor or ""
        anchor = self._anchors.get(name)
        if anchor is None:
            reason = (
                "stands for something that contains it"
                if name in self._anchors
                else "has no anchor before it"
            )
            _refuse(
                "P005", f"the alias '*{shorten(name)}' {reason}", self._span(event), "Write the value itself."
            )
        self._charge(anchor.size, event)
        self._check_depth(depth + anchor.height, event)
        return anchor.node

    def _check_depth(self, depth: int, event: events.Event) -> None:
        if depth > MAX_DEPTH:
            _refuse("P004", f"the spec is nested deeper than {MAX_DEPTH} levels", self._span(event), _LESS)

    def _charge(self, nodes: int, event: events.Event) -> None:
        self._count += nodes
        if self._count > MAX_NODES:
            message = f"the spec grows beyond {MAX_NODES:,} values once its aliases are expanded"
            _refuse("P004", message, self._span(event), _LESS)

    def _refuse_tag(self, event: events.Event) -> None:
        tag = getattr(event, "tag", None)
        if tag:
            message = f"the tag '{shorten(tag)}' is not allowed"
            _refuse("P005", message, self._span(event), "Remove it: a spec has plain values only.")

    def _span(self, event: events.Event) -> Span:
        return self._between(event, event)

    def _between(self, first: events.Event, last: events.Event) -> Span:
        return self._places.span(*_offsets(first, last))


def _offsets(first: events.Event, last: events.Event) -> tuple[int, int]:
    """Return where the first event begins and the last one ends; the parser marks every event."""
    begin, end = first.start_mark, last.end_mark
    return (begin.index if begin else 0), (end.index if end else 0)


def shorten(text: str, limit: int = 60) -> str:
    """Return the text cut to what a message can hold, on one line."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _reason(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return " ".join(", ".join(parts).split())
