"""P024: something upstream gives what a step takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic
from pipelines.graph import Missing
from pipelines.kinds import STEP_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject
    from pipelines.spec import Step

CODE = "P024"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield the inputs that nothing gives; but not while a kind, and so what it gives, is unknown."""
    if any(step.kind is None or _gives_unknown(step) for step in subject.pipeline.steps):
        return
    for problem in subject.graph.problems:
        if isinstance(problem, Missing):
            name = problem.step.id.value
            givers = " or ".join(kind.name for kind in STEP_KINDS.values() if kind.gives == problem.type)
            outside = f'say where it lies: inputs: {{{problem.type}: "s3://bucket/key"}}'
            message = f"step '{name}' takes '{problem.type}', and no step before it gives that"
            hint = f"Add a {givers or 'custom'} step before it, or {outside}"
            yield Diagnostic(code=CODE, message=message, span=problem.step.id.span, hint=hint)


def _gives_unknown(step: Step) -> bool:
    """Say whether what a custom step gives is misspelt, which is told as that."""
    return bool(step.kind and step.kind.own_function and step.find("gives") and not step.kind.gives)
