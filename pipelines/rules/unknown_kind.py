"""P020: every step is of a known kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic, one_of
from pipelines.kinds import STEP_KINDS
from pipelines.source import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P020"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield the steps whose `uses`, or whose id where there is none, names no kind."""
    for step in subject.pipeline.steps:
        if step.kind is None:
            word = shorten(step.kind_name.value)
            hint = one_of(word, STEP_KINDS, "kinds")
            message = f"there is no kind of step called '{word}'"
            yield Diagnostic(code=CODE, message=message, span=step.kind_name.span, hint=hint)
