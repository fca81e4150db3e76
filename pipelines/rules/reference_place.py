"""P029: references are well formed and stand only where a run can fill them in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import nodes
from pipelines.diagnostics import Diagnostic
from pipelines.references import OPENING, Part, Ref, literal
from pipelines.source import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.nodes import ScalarNode
    from pipelines.rules.subject import Subject

CODE = "P029"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield broken references, and references in keys or in values that the compiler itself needs."""
    slots = dict(_slots(subject))
    unknown = set(_of_unknown_kind(subject))
    for node, is_key in nodes.scalars(subject.pipeline.root):
        if OPENING not in node.text:
            continue
        if id(node) in slots and not is_key:
            yield from _check_form(node, slots[id(node)])
        elif id(node) not in unknown:
            message = "a reference cannot stand here"
            yield Diagnostic(code=CODE, message=message, span=node.span, hint="Write the value itself.")


def _slots(subject: Subject) -> Iterator[tuple[int, tuple[Part, ...]]]:
    yield from ((id(slot.node), slot.parts) for slot in subject.pipeline.slots)
    for step in subject.pipeline.steps:
        yield from ((id(slot.node), slot.parts) for slot in step.slots)


def _of_unknown_kind(subject: Subject) -> Iterator[int]:
    """Yield the nodes of steps of no known kind, of whose places nothing is known."""
    for step in subject.pipeline.steps:
        if step.kind is None:
            yield from (id(node) for node, _ in nodes.scalars(step.node))


def _check_form(node: ScalarNode, parts: tuple[Part, ...]) -> Iterator[Diagnostic]:
    hint = "Write ${{ params.NAME }}, ${{ usecase.FIELD }}, ${{ run.id }} or ${{ steps.ID.OUTPUT }}."
    for part in parts:
        if isinstance(part, Ref) and not part.path:
            message = f"'{shorten(part.text)}' is not a reference"
            yield Diagnostic(code=CODE, message=message, span=part.span, hint=hint)
    if OPENING in literal(parts):
        yield Diagnostic(code=CODE, message="a reference has no end", span=node.span, hint=hint)
