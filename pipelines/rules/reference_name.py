"""P027: references name something that exists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import resolution
from pipelines.diagnostics import Diagnostic
from pipelines.references import Ref
from pipelines.resolution import ITEM, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
            if isinstance(part, Ref) and part.path[:1] in (("params",), ("steps",), ITEM):
                message = f"the default of '{param.name}' cannot refer to {part.path[0]}"
                hint = "It can refer to usecase and run."
                yield Diagnostic(code=CODE, message=message, span=part.span, hint=hint)


def _refs(subject: Subject) -> Iterator[Ref]:
    """Yield every reference once: a default's stands in each step that takes the default."""
    seen: set[Ref] = set()
    for slot in subject.pipeline.slots:
        yield from _fresh((part for part in slot.parts if isinstance(part, Ref)), seen)
    for step in subject.pipeline.steps:
        yield from _fresh(step.refs(), seen)


def _fresh(refs: Iterable[Ref], seen: set[Ref]) -> Iterator[Ref]:
    for ref in refs:
        if ref not in seen:
            seen.add(ref)
            yield ref
