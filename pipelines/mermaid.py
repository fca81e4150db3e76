"""A pipeline as a Mermaid flow chart, which GitHub and most editors draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.drawing import Arrow, Box, Drawing


def render(drawing: Drawing) -> str:
    """Return the chart's text."""
    names = {box.id: f"s{number}" for number, box in enumerate(drawing.boxes)}
    lines = [
        *(_box(box, names) for box in drawing.boxes),
        *(_arrow(arrow, names) for arrow in drawing.arrows),
    ]
    return "\n".join(["flowchart TD", *(f"    {line}" for line in lines), ""])


def _box(box: Box, names: dict[str, str]) -> str:
    text = "<br/>".join(_quote(line) for line in _lines(box))
    return f'{names[box.id]}("{text}")'


def _lines(box: Box) -> Iterator[str]:
    yield box.id if box.id == box.kind else f"{box.id} ({box.kind})"
    yield from (line for line in (box.fact, ", ".join(box.tags)) if line)


def _arrow(arrow: Arrow, names: dict[str, str]) -> str:
    source, target = names[arrow.source], names[arrow.target]
    return f"{source} -->|{arrow.label}| {target}" if arrow.label else f"{source} -.-> {target}"


def _quote(text: str) -> str:
    """Write characters that mean something to Mermaid or HTML as entities of Mermaid."""
    return "".join(char if char.isalnum() or char in " .,/:()-_+" else f"#{ord(char)};" for char in text)
