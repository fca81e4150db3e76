"""P033: no time limit is beyond what AWS allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import configs
from pipelines.diagnostics import Diagnostic
from pipelines.kinds import LAMBDA_SECONDS, StepKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject
    from pipelines.spec import Step

CODE = "P033"


_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))

LONGEST_SECONDS = 365 * 86400
"""A standard workflow ends after a year (Step Functions service quotas)."""


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield timeouts and run times that could not be kept."""
    for step in subject.pipeline.steps:
        if step.kind:
            yield from _check_timeout(step, step.kind)
            yield from _check_runtime(step, step.kind)


def _check_timeout(step: Step, kind: StepKind) -> Iterator[Diagnostic]:
    node = step.find("timeout")
    least, most = (60, LONGEST_SECONDS) if kind.waits else (1, LAMBDA_SECONDS)
    if node and not least <= step.timeout_seconds <= most:
        message = f"the timeout of a {kind.name} step must be between {_write(least)} and {_write(most)}"
        hint = (
            "A state machine ends after a year."
            if kind.waits
            else "It is one Lambda call, which ends after 15 minutes."
        )
        yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)


def _check_runtime(step: Step, kind: StepKind) -> Iterator[Diagnostic]:
    node, own = step.find("max_runtime"), step.config.get("max_runtime")
    most = max(60, min(kind.longest_job_seconds, step.timeout_seconds))
    if node and isinstance(own, str) and not 60 <= configs.seconds(own) <= most:
        message = f"max_runtime must be between 1m and {_write(most)}"
        ours = step.timeout_seconds < kind.longest_job_seconds
        hint = "It is within the step's timeout: raise that too." if ours else "SageMaker allows no more."
        yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)


def _write(seconds: int) -> str:
    """Write a time as a spec does."""
    unit, size = next(each for each in _UNITS if seconds % each[1] == 0)
    return f"{seconds // size}{unit}"
