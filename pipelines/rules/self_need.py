"""P022: no step comes before itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P022"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield the places where a step names itself in `needs`, in `inputs` or in a reference."""
    for step in subject.pipeline.steps:
        own = ("steps", step.id.value)
        spans = [named.span for named in (*step.needs, *step.inputs.values()) if named.value == step.id.value]
        spans += [ref.span for ref in step.refs() if ref.path[:2] == own]
        for span in spans:
            message = f"step '{step.id.value}' needs itself"
            yield Diagnostic(code=CODE, message=message, span=span, hint="Name a step that comes before it.")
