"""What is wrong with a spec, where, and how to put it right; and the ways to print it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, kw_only=True, order=True)
class Span:
    """A piece of the spec's text: lines and columns count from 1, the end column is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int


START = Span(line=1, column=1, end_line=1, end_column=1)
"""Where a mistake that belongs to the whole file is shown."""


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One mistake: `code` is stable and never reused, `hint` is a whole sentence that says what to do."""

    code: str
    message: str
    span: Span = START
    hint: str | None = None
    severity: Severity = "error"

    def __post_init__(self) -> None:
        """Keep both sentences on one line of visible characters: a spec's own words may stand in them."""
        object.__setattr__(self, "message", _visible(self.message))
        object.__setattr__(self, "hint", self.hint and _visible(self.hint))


class RequestError(Exception):
    """What was asked for cannot be done as asked; the message says what to ask for instead."""


def _visible(sentence: str) -> str:
    return sentence if sentence.isprintable() else "".join(c if c.isprintable() else "?" for c in sentence)


class SpecError(Exception):
    """A spec does not compile: every diagnostic in the order of the text, and what it takes to show them."""

    def __init__(self, diagnostics: Iterable[Diagnostic], *, path: str, text: str = "") -> None:
        self.diagnostics = tuple(sorted(diagnostics, key=_position))
        self.path = path
        self.text = text
        super().__init__(render(self.diagnostics, path=path, text=text))


_LISTED = 20
"""As many names as a sentence can hold."""


_NEAR = 0.6
"""How alike a misspelt word and the one it stands for are, as difflib counts it."""


def did_you_mean(word: str, known: Iterable[str], *, cutoff: float = _NEAR) -> str | None:
    """Return the sentence that names the nearest known word, or None where nothing is near."""
    near = near_miss(word, known, cutoff=cutoff)
    return f"Did you mean '{near}'?" if near else None


def near_miss(word: str, known: Iterable[str], *, cutoff: float = _NEAR) -> str | None:
    """Return the known word that is nearest to a misspelt one, or None where nothing is near."""
    import difflib  # only a spec with mistakes needs it

    near = difflib.get_close_matches(word, known, n=1, cutoff=cutoff)
    return near[0] if near else None


def one_of(word: str, known: Iterable[str], what: str) -> str:
    """Return the near miss, or else the list of what is known: `word` may be anything a user wrote."""
    names = sorted(known)
    if not names:
        return f"There are no {what}."
    more = f" and {len(names) - _LISTED:,} more" if len(names) > _LISTED else ""
    return did_you_mean(word, names) or f"Known {what}: {', '.join(names[:_LISTED])}{more}."


def render(diagnostics: Sequence[Diagnostic], *, path: str, text: str, form: str = "text") -> str:
    """Render diagnostics in one of RENDERERS' forms; `path` is shown as given, `text` is the spec."""
    return RENDERERS[form](diagnostics, path, text)


def _position(diagnostic: Diagnostic) -> tuple[Span, str, str]:
    return (diagnostic.span, diagnostic.code, diagnostic.message)


def _render_text(diagnostics: Sequence[Diagnostic], path: str, text: str) -> str:
    lines = text.split("\n")
    return "\n".join(_text_block(item, path, lines) for item in diagnostics)


def _text_block(item: Diagnostic, path: str, lines: Sequence[str]) -> str:
    sentence = f"{item.message}. {item.hint}" if item.hint else item.message
    head = f"{path}:{item.span.line}:{item.span.column}: {item.code} {sentence}"
    return "\n".join([head, *_excerpt(item.span, lines)])


def _excerpt(span: Span, lines: Sequence[str], width: int = 160) -> list[str]:
    """Show the line and mark the span under it; a long line is cut to a window around the span."""
    line = lines[span.line - 1] if span.line <= len(lines) else ""
    if not line.strip():
        return []
    begin = max(0, span.column - 1 - width // 2) if len(line) > width else 0
    shown = line[begin : begin + width]
    if not shown.isprintable():
        shown = "".join(char if char.isprintable() else " " for char in shown)
    last = span.end_column if span.end_line == span.line else len(line) + 1
    length = max(1, min(last - span.column, len(shown) - (span.column - 1 - begin)))
    return [f"    {shown}", f"    {' ' * (span.column - 1 - begin)}{'^' * length}"]


def _render_json(diagnostics: Sequence[Diagnostic], path: str, _text: str) -> str:
    return json.dumps([_json_item(item, path) for item in diagnostics], indent=2, ensure_ascii=False)


def _json_item(item: Diagnostic, path: str) -> dict[str, object]:
    return {
        "file": path,
        "line": item.span.line,
        "column": item.span.column,
        "end_line": item.span.end_line,
        "end_column": item.span.end_column,
        "severity": item.severity,
        "code": item.code,
        "message": item.message,
        "hint": item.hint,
    }


def _render_github(diagnostics: Sequence[Diagnostic], path: str, _text: str) -> str:
    from pipelines import github

    return github.render(diagnostics, path)


def _render_sarif(diagnostics: Sequence[Diagnostic], path: str, _text: str) -> str:
    from pipelines import sarif

    return sarif.render(diagnostics, path)


Renderer = Callable[[Sequence[Diagnostic], str, str], str]
RENDERERS: Mapping[str, Renderer] = {
    "text": _render_text,
    "json": _render_json,
    "github": _render_github,
    "sarif": _render_sarif,
}
"""The forms that `edgepipe validate --format` offers."""
