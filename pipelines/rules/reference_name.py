"""P027: references name something that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import resolution
from pipelines.diagnostics import Diagnostic
from pipelines.references import Ref
from pipelines.resolution import Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P027"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield references to unknown parameters, steps, outputs and fields."""
    for ref in _refs(subject):
        found = resolution.resolve(ref, subject.pipeline)
        if ref.path and isinstance(found, Unknown):
            yield Diagnostic(code=CODE, message=found.message, span=ref.span, hint=found.hint)
    for param in subject.pipeline.params:
        for part in param.parts:
            if isinstance(part, Ref) and part.path[:1] in (("params",), ("steps",)):
                message = f"the default of '{param.name}' cannot refer to {part.path[0]}"
                hint = "It can refer to usecase and run."
                yield Diagnostic(code=CODE, message=message, span=part.span, hint=hint)


def _refs(subject: Subject) -> Iterator[Ref]:
    for param in subject.pipeline.params:
        yield from (part for part in param.parts if isinstance(part, Ref))
    for step in subject.pipeline.steps:
        yield from step.refs()
