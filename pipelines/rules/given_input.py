"""P051: an artifact from outside says where it lies, for each target where its type has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.diagnostics import Diagnostic
from pipelines.kinds import PER_TARGET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject
    from pipelines.spec import Step

CODE = "P051"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield artifacts from outside without an address, with targets where none belong, or without them."""
    for step in subject.pipeline.steps:
        for taken, given in step.given.items():
            if step.kind and taken in step.kind.takes:
                yield from _check(step, taken, given)


def _check(step: Step, taken: str, given: Any) -> Iterator[Diagnostic]:  # noqa: ANN401 - address or object
    node = step.find("inputs", taken)
    targets = isinstance(given, dict) and "targets" in given
    address = not isinstance(given, dict) or "uri" in given
    wanted = taken in PER_TARGET
    if node is None or (targets == wanted and address != wanted):
        return
    if wanted:
        hint = f'Write {taken}: {{targets: {{x86_64-cpu: {{uri: "s3://bucket/key"}}}}}}'
    else:
        hint = f'Write {taken}: "s3://bucket/key", or {taken}: {{uri: ..., facts: {{...}}}}'
    message = f"a {taken} from outside needs {'one address a target' if wanted else 'one address'}"
    yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)
