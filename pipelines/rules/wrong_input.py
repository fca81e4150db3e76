"""P026: `inputs` gives a step what it takes, from a step that gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic, one_of
from pipelines.source import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.kinds import StepKind
    from pipelines.rules.subject import Subject
    from pipelines.spec import Step

CODE = "P026"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield inputs of types that the step does not take, and inputs from steps that give something else."""
    for step in subject.pipeline.steps:
        if step.kind:
            yield from _check_types(step, step.kind)
            yield from _check_givers(subject, step, step.kind)


def _check_types(step: Step, kind: StepKind) -> Iterator[Diagnostic]:
    for key in step.input_keys:
        if key.value not in kind.takes:
            message = f"step '{step.id.value}' takes no '{shorten(key.value)}'"
            hint = one_of(key.value, kind.takes, "inputs")
            yield Diagnostic(code=CODE, message=message, span=key.span, hint=hint)


def _check_givers(subject: Subject, step: Step, kind: StepKind) -> Iterator[Diagnostic]:
    for wanted, named in step.inputs.items():
        # That a step takes its own output is told by another rule.
        giver = subject.pipeline.step(named.value) if named.value != step.id.value else None
        if giver and giver.kind and wanted in kind.takes and giver.kind.gives != wanted:
            given = f"'{giver.kind.gives}'" if giver.kind.gives else "no artifact"
            message = f"step '{named.value}' gives {given}, not '{wanted}'"
            givers = [
                each.id.value for each in subject.pipeline.steps if each.kind and each.kind.gives == wanted
            ]
            hint = one_of(named.value, givers, f"steps that give '{wanted}'")
            yield Diagnostic(code=CODE, message=message, span=named.span, hint=hint)
