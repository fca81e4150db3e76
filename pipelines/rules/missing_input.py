"""P024: something upstream gives what a step takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic
from pipelines.graph import Missing
from pipelines.kinds import STEP_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P024"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield the inputs that nothing gives; but not while a kind, and so what it gives, is unknown."""
    if any(step.kind is None for step in subject.pipeline.steps):
        return
    for problem in subject.graph.problems:
        if isinstance(problem, Missing):
            name = problem.step.id.value
            givers = " or ".join(kind.name for kind in STEP_KINDS.values() if kind.gives == problem.type)
            message = f"step '{name}' takes '{problem.type}', and no step before it gives that"
            hint = f"Add a {givers} step before it."
            yield Diagnostic(code=CODE, message=message, span=problem.step.id.span, hint=hint)
