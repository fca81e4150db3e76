"""P050: a condition can be read, and it can come out both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import emission
from pipelines.conditions import ConditionError
from pipelines.diagnostics import Diagnostic
from pipelines.references import OPENING, Ref, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.references import Part
    from pipelines.rules.subject import Subject

CODE = "P050"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield conditions that are none, that compare what cannot be compared, or that refer to nothing."""
    for step in subject.pipeline.steps:
        if step.when is None or _is_broken(step.when.value):
            continue
        try:
            found = emission.condition_of(subject.pipeline, step.when.value)
        except ConditionError as error:
            hint = "Write it as in: ${{ params.stage }} == 'prod' and not ${{ params.dry }}"
            yield Diagnostic(code=CODE, message=f"in 'when': {error}", span=step.when.span, hint=hint)
            continue
        if not found.refers:
            message = "the condition refers to nothing, so it always comes out the same way"
            hint = "Refer to a parameter or an output, or leave it out."
            yield Diagnostic(code=CODE, message=message, span=step.when.span, hint=hint)


def _is_broken(parts: tuple[Part, ...]) -> bool:
    """Say whether a reference in it is broken, which is told as that."""
    return OPENING in literal(parts) or any(isinstance(part, Ref) and not part.path for part in parts)
