"""P028: a reference fits where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import resolution, values
from pipelines.diagnostics import Diagnostic, Span
from pipelines.references import Part, Ref, is_whole
from pipelines.resolution import PARAM_TYPES, SCALARS, Unknown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject
    from pipelines.spec import Pipeline

CODE = "P028"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield references whose values have a type that their place does not take."""
    for step in subject.pipeline.steps:
        for slot in step.slots:
            yield from _check_slot(subject.pipeline, slot.parts, slot.expected, slot.node.span)
    for param in subject.pipeline.params:
        expected = frozenset([PARAM_TYPES.get(param.type, resolution.ANY)])
        if param.parts and param.default_node:
            yield from _check_slot(subject.pipeline, param.parts, expected, param.default_node.span)


def _check_slot(
    pipeline: Pipeline, parts: tuple[Part, ...], expected: frozenset[str], span: Span
) -> Iterator[Diagnostic]:
    whole = is_whole(parts)
    if resolution.ANY in expected or not any(isinstance(part, Ref) for part in parts):
        return
    if not whole and not values.fits("string", expected):
        wanted = " or ".join(sorted(expected))
        message = f"text with a reference in it is a string, and a value of type {wanted} must stand here"
        yield Diagnostic(code=CODE, message=message, span=span, hint="Use one reference and nothing else.")
        return
    for ref in parts:
        if isinstance(ref, Ref):
            yield from _check_ref(pipeline, ref, expected if whole else SCALARS)


def _check_ref(pipeline: Pipeline, ref: Ref, expected: frozenset[str]) -> Iterator[Diagnostic]:
    found = resolution.resolve(ref, pipeline)
    if isinstance(found, Unknown) or found == resolution.ANY or values.fits(found, expected):
        return
    wanted = " or ".join(sorted(expected))
    message = f"'{ref.text}' is of type {found}, and a value of type {wanted} must stand here"
    artifact = found == "object" and len(ref.path) == 3
    hint = f"Use ${{{{ {'.'.join(ref.path)}.uri }}}} for its address." if artifact else None
    if ref.path[0] == "params":
        hint = f"Change the type of '{ref.path[1]}', or refer to another parameter."
    yield Diagnostic(code=CODE, message=message, span=ref.span, hint=hint)
