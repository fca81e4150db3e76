"""P021: `needs` and `inputs` name steps of this pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic, one_of
from pipelines.source import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P021"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield the names that no step has."""
    known = [step.id.value for step in subject.pipeline.steps]
    for step in subject.pipeline.steps:
        for named in (*step.needs, *step.inputs.values()):
            if named.value not in known:
                message = f"step '{step.id.value}' needs '{shorten(named.value)}', which no step defines"
                hint = one_of(named.value, known, "steps")
                yield Diagnostic(code=CODE, message=message, span=named.span, hint=hint)
