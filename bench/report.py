"""Rows of figures with their targets, as a table to read or as JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class Row:
    """One figure. `value` is None where it could not be measured, and `note` then says why."""

    what: str
    value: float | None
    unit: str
    target: float | None = None
    """The most that it may be; None where the row is only for comparison."""
    note: str = ""

    @property
    def verdict(self) -> str:
        """Say whether the target is met."""
        if self.target is None:
            return ""
        return "met" if self.value is not None and self.value <= self.target else "MISSED"


@dataclass(frozen=True, kw_only=True)
class Table:
    """What one module measured, and how."""

    title: str
    how: str
    rows: Sequence[Row]


def render(tables: Sequence[Table], form: str) -> str:
    """Render tables as `text` or `json`."""
    if form == "json":
        return json.dumps([_plain(table) for table in tables], indent=2)
    return "\n\n".join(_text(table) for table in tables)


def _plain(table: Table) -> dict[str, object]:
    rows = [{**dataclasses.asdict(row), "verdict": row.verdict} for row in table.rows]
    return {"title": table.title, "how": table.how, "rows": rows}


def _text(table: Table) -> str:
    cells = [("what", "figure", "target", "verdict", "note")]
    cells += [_cells(row) for row in table.rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = [_line(line, widths) for line in cells]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([f"{table.title}: {table.how}", "", lines[0], rule, *lines[1:]])


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    figure = "none" if row.value is None else f"{_short(row.value)} {row.unit}"
    target = "" if row.target is None else f"<= {_short(row.target)} {row.unit}"
    return (row.what, figure, target, row.verdict, row.note)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
    return f"| {' | '.join(padded)} |"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.2f}"
