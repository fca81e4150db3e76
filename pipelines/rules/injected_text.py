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
    "${": "begins a marker",
    "{%": "begins a JSONata expression",
    "%}": "ends a JSONata expression",
}


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield texts that the state machine would evaluate instead of passing on."""
    for node, _ in nodes.scalars(subject.pipeline.root):
        rest = literal(references.parse(node)).replace(OPENING, "")
        for sign, meaning in _MEANING.items():
            if sign in rest:
                message = f"'{sign}' {meaning} in a state machine and cannot stand in a spec"
                yield Diagnostic(code=CODE, message=message, span=node.span, hint="Write it another way.")
                break
