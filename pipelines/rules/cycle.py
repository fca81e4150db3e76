"""P023: steps do not wait for each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P023"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield one cycle; others show once it is gone."""
    ring = subject.graph.cycle
    first = subject.pipeline.step(ring[0]) if ring else None
    if first:
        message = f"these steps wait for each other: {' -> '.join(ring)}"
        hint = "Remove one of their needs, inputs or references."
        yield Diagnostic(code=CODE, message=message, span=first.id.span, hint=hint)
