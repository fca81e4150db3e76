"""P056: the waves of a rollout have names of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import nodes
from pipelines.diagnostics import Diagnostic
from pipelines.nodes import ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P056"

_TAKEN = ("when",)
"""What states of a step other than its waves are called."""


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield the second of two waves of a name: each is a state that is named after it."""
    for step in subject.pipeline.steps:
        waves = step.find("waves")
        seen = set(_TAKEN)
        for wave in waves.items if isinstance(waves, SequenceNode) else ():
            name = nodes.find(wave, "name")
            if isinstance(name, ScalarNode) and name.text in seen:
                message = f"step '{step.id.value}' cannot have another state called '{name.text}'"
                yield Diagnostic(code=CODE, message=message, span=name.span, hint="Name the wave otherwise.")
            seen |= {name.text} if isinstance(name, ScalarNode) else set()
