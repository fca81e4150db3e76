"""P030: every step has a variable of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P030"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield step ids that differ only in `-` and `_`: the state machine keeps both as `_`."""
    first: dict[str, str] = {}
    for step in subject.pipeline.steps:
        other = first.setdefault(step.variable, step.id.value)
        if other != step.id.value:
            message = f"the steps '{other}' and '{step.id.value}' would share the variable '{step.variable}'"
            yield Diagnostic(code=CODE, message=message, span=step.id.span, hint="Rename one of them.")
