"""A pipeline as an SVG picture for a document: no scripts, no fonts of its own, no text that is not escaped.

Steps stand in rows, each below all that it comes after. An arrow to the next row is a curve; a longer one
leaves through the gap below its step, runs down a lane beside all boxes and enters through the gap above its
target, so that no arrow crosses a box.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipelines.drawing import Arrow, Box, Drawing

BOX_WIDTH = 300
COLUMN_GAP = 36
ROW_GAP = 58
MARGIN = 28
TITLE_HEIGHT = 40
LANE_GAP = 28
LABEL_ROOM = 12
PADDING = 16
PILL_HEIGHT = 20
PILL_GAP = 6
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"

INK, MUTED, LINE = "#1f2937", "#5b6472", "#8a94a6"
_COLOURS: Mapping[str, str] = {
    "label": "#2563eb",
    "transform": "#0e7490",
    "train": "#7c3aed",
    "compile": "#a21caf",
    "package": "#b45309",
    "publish": "#c2410c",
    "deploy": "#15803d",
    "serve": "#4d7c0f",
    "approve": "#be123c",
    "custom": "#475569",
}


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a line of text looks."""

    size: int
    colour: str = INK
    weight: int = 400
    anchor: str = "start"

    @property
    def attributes(self) -> str:
        """Return the style as SVG attributes."""
        return (
            f'font-size="{self.size}" font-weight="{self.weight}" fill="{self.colour}" '
            f'text-anchor="{self.anchor}"'
        )


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a box stands, in pixels from the top left."""

    box: Box
    row: int
    x: float
    y: float
    height: float

    @property
    def centre(self) -> float:
        """Return the middle of the box from left to right."""
        return self.x + BOX_WIDTH / 2

    @property
    def bottom(self) -> float:
        """Return the lower edge."""
        return self.y + self.height


def render(drawing: Drawing) -> str:
    """Return the picture's text."""
    places = lay_out(drawing)
    long = [arrow for arrow in drawing.arrows if _rows_between(places, arrow) > 1]
    width = _right_edge(places) + MARGIN + (len(long) * LANE_GAP + LABEL_ROOM if long else 0)
    height = max(place.bottom for place in places.values()) + MARGIN
    parts = [
        *_frame(drawing, width, height),
        *(_curve(places, arrow) for arrow in drawing.arrows if arrow not in long),
        *(_lane(places, arrow, index) for index, arrow in enumerate(long)),
        *(part for place in places.values() for part in _draw_box(place)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def lay_out(drawing: Drawing) -> dict[str, Place]:
    """Place the boxes in rows; every row is centred, and as high as its highest box."""
    rows = _rows(drawing)
    widest = max(len(row) for row in rows)
    places: dict[str, Place] = {}
    y = float(MARGIN + TITLE_HEIGHT)
    for number, row in enumerate(rows):
        x = MARGIN + (widest - len(row)) * (BOX_WIDTH + COLUMN_GAP) / 2
        for column, box in enumerate(row):
            left = x + column * (BOX_WIDTH + COLUMN_GAP)
            places[box.id] = Place(box=box, row=number, x=left, y=y, height=_height(box))
        y += max(_height(box) for box in row) + ROW_GAP
    return places


def _rows(drawing: Drawing) -> list[list[Box]]:
    level: dict[str, int] = {}
    rows: list[list[Box]] = []
    for box in drawing.boxes:
        before = [level[arrow.source] for arrow in drawing.arrows if arrow.target == box.id]
        level[box.id] = max(before, default=-1) + 1
        if level[box.id] == len(rows):
            rows.append([])
        rows[level[box.id]].append(box)
    return rows


def _rows_between(places: Mapping[str, Place], arrow: Arrow) -> int:
    return places[arrow.target].row - places[arrow.source].row


def _right_edge(places: Mapping[str, Place]) -> float:
    return max(place.x for place in places.values()) + BOX_WIDTH


def _height(box: Box) -> float:
    tags = len(_pill_rows(box.tags)) * (PILL_HEIGHT + PILL_GAP)
    return 2 * PADDING + 16 + (20 if box.fact else 0) + (tags + 4 if tags else 0)


def _frame(drawing: Drawing, width: float, height: float) -> Iterator[str]:
    title = escape(drawing.title)
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{escape(FONT)}" role="img">'
    yield f"<title>Pipeline {title}</title>"
    yield (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        f'orient="auto"><path d="M0 0 L8 4 L0 8 Z" fill="{LINE}"/></marker></defs>'
    )
    yield f'<rect width="{width:g}" height="{height:g}" rx="10" fill="#ffffff"/>'
    yield _text(drawing.title, MARGIN, MARGIN + 14, Style(size=18, weight=600))


def _curve(places: Mapping[str, Place], arrow: Arrow) -> str:
    source, target = places[arrow.source], places[arrow.target]
    begin, end = source.bottom, target.y - 2
    middle = (begin + end) / 2
    path = (
        f"M{source.centre:g} {begin:g} C{source.centre:g} {middle:g} {target.centre:g} {middle:g} "
        f"{target.centre:g} {end:g}"
    )
    return _line(path, arrow) + _arrow_label(arrow.label, (source.centre + target.centre) / 2, middle)


def _lane(places: Mapping[str, Place], arrow: Arrow, index: int) -> str:
    source, target = places[arrow.source], places[arrow.target]
    lane = _right_edge(places) + (index + 1) * LANE_GAP
    shift = BOX_WIDTH / 4 + 14 * (index % 5)
    out, back = source.bottom + 14 + 3 * (index % 5), target.y - 18 - 3 * (index % 5)
    path = (
        f"M{source.centre + shift:g} {source.bottom:g} V{out - 8:g} q0 8 8 8 H{lane - 8:g} q8 0 8 8 "
        f"V{back - 8:g} q0 8 -8 8 H{target.centre + shift + 8:g} q-8 0 -8 8 V{target.y - 2:g}"
    )
    y = (out + back) / 2
    label = _arrow_label(arrow.label, lane, y)
    return _line(path, arrow) + (f'<g transform="rotate(90 {lane:g} {y:g})">{label}</g>' if label else "")


def _line(path: str, arrow: Arrow) -> str:
    dashes = "" if arrow.label else ' stroke-dasharray="4 4"'
    return (
        f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.5"{dashes} marker-end="url(#head)"/>'
    )


def _arrow_label(label: str, x: float, y: float) -> str:
    if not label:
        return ""
    width = text_width(label, 12) + 14
    back = (
        f'<rect x="{x - width / 2:g}" y="{y - 10:g}" width="{width:g}" height="20" rx="10" fill="#ffffff"/>'
    )
    return back + _text(label, x, y + 4, Style(size=12, colour=MUTED, anchor="middle"))


def _draw_box(place: Place) -> Iterator[str]:
    box, colour = place.box, _COLOURS.get(place.box.kind, MUTED)
    size = f'x="{place.x:g}" y="{place.y:g}" width="{BOX_WIDTH}" height="{place.height:g}" rx="10"'
    yield f'<rect {size} fill="{colour}" fill-opacity="0.06" stroke="{colour}" stroke-width="1.5"/>'
    left, right, top = place.x + PADDING, place.x + BOX_WIDTH - PADDING, place.y + PADDING + 13
    room = BOX_WIDTH - 2 * PADDING
    kind = box.kind if box.kind != box.id else ""
    name = cut(box.id, 15, room - text_width(kind, 12) - 10)
    yield _text(name, left, top, Style(size=15, weight=600, colour=colour))
    yield _text(kind, right, top, Style(size=12, colour=MUTED, anchor="end"))
    yield _text(cut(box.fact, 13, room), left, top + 21, Style(size=13, colour=INK))
    first = top + (21 if box.fact else 0) + 10
    for number, row in enumerate(_pill_rows(box.tags)):
        yield from _draw_pills(row, left, first + number * (PILL_HEIGHT + PILL_GAP), colour)


def _pill_rows(tags: Sequence[str]) -> list[list[str]]:
    """Break tags into rows that fit into a box."""
    rows: list[list[str]] = []
    room = 0.0
    for tag in (cut(tag, 12, BOX_WIDTH - 2 * PADDING - 16) for tag in tags):
        width = _pill_width(tag) + PILL_GAP
        if not rows or width > room + PILL_GAP:
            rows.append([])
            room = BOX_WIDTH - 2 * PADDING
        rows[-1].append(tag)
        room -= width
    return rows


def _pill_width(tag: str) -> float:
    return text_width(tag, 12) + 16


def _draw_pills(tags: Sequence[str], x: float, y: float, colour: str) -> Iterator[str]:
    for tag in tags:
        width = _pill_width(tag)
        size = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{PILL_HEIGHT}" rx="10"'
        yield f'<rect {size} fill="#ffffff" stroke="{colour}" stroke-opacity="0.5"/>'
        yield _text(tag, x + width / 2, y + 14, Style(size=12, colour=colour, anchor="middle"))
        x += width + PILL_GAP


def _text(text: str, x: float, y: float, style: Style) -> str:
    """Draw one line of text; nothing for an empty one."""
    return f'<text x="{x:g}" y="{y:g}" {style.attributes}>{escape(text)}</text>' if text else ""


def text_width(text: str, size: int) -> float:
    """Estimate a line's width in pixels, on the wide side: which font draws it is not known."""
    return sum(size * (1.0 if unicodedata.east_asian_width(char) in "WF" else 0.58) for char in text)


def cut(text: str, size: int, room: float) -> str:
    """Shorten a text so that it fits."""
    if text_width(text, size) <= room:
        return text
    while text and text_width(f"{text}…", size) > room:
        text = text[:-1]
    return f"{text}…"
