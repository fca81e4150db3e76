"""P034: no text of the spec is read as an expression or a marker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import nodes, references
from pipelines.diagnostics import Diagnostic
from pipelines.references import OPENING, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P034"


_MEANING = {
    "${": ("begins a marker", "A reference has two braces: ${{ params.NAME }}."),
    "{%": ("begins a JSONata expression", "Texts are passed on, never calculated: take it out."),
    "%}": ("ends a JSONata expression", "Texts are passed on, never calculated: take it out."),
}
"""What a sign would do, and what to do about it."""


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield texts that the state machine would evaluate instead of passing on."""
    for node, _ in nodes.scalars(subject.pipeline.root):
        rest = literal(references.parse(node)).replace(OPENING, "")
        for sign, (meaning, hint) in _MEANING.items():
            if sign in rest:
                message = f"'{sign}' {meaning} in a state machine and cannot stand in a spec"
                yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)
                break
