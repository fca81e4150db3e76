"""P025: it is clear which step an input comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic
from pipelines.graph import Ambiguous

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P025"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield the inputs that several steps could give, with the line that settles it."""
    for problem in subject.graph.problems:
        if isinstance(problem, Ambiguous):
            name, candidates = problem.step.id.value, problem.candidates
            both = " and ".join(f"'{each}'" for each in candidates)
            message = f"step '{name}' takes '{problem.type}', which {both} give"
            hint = f"Say which one: inputs: {{{problem.type}: {candidates[0]}}}"
            yield Diagnostic(code=CODE, message=message, span=problem.step.id.span, hint=hint)
