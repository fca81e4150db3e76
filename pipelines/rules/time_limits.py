"""P033: no time limit is beyond what AWS allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.configs import seconds, write_seconds
from pipelines.diagnostics import Diagnostic
from pipelines.kinds import LAMBDA_SECONDS, StepKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject
    from pipelines.spec import Step

CODE = "P033"

LEAST_SECONDS = 60
"""What SageMaker allows for a job, and no step that waits is done sooner."""

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
    least, most = (LEAST_SECONDS, LONGEST_SECONDS) if kind.waits else (1, LAMBDA_SECONDS)
    if node and not least <= step.timeout_seconds <= most:
        bounds = f"between {write_seconds(least)} and {write_seconds(most)}"
        message = f"the timeout of step '{step.id.value}' must be {bounds}"
        hint = _explain(kind, too_short=step.timeout_seconds < least)
        yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)


def _explain(kind: StepKind, *, too_short: bool) -> str:
    if not kind.waits:
        return "It is one Lambda call, which ends after 15 minutes."
    return (
        "What waits for a job or a person takes longer."
        if too_short
        else "A state machine ends after a year."
    )


def _check_runtime(step: Step, kind: StepKind) -> Iterator[Diagnostic]:
    node, own = step.find("max_runtime"), step.config.get("max_runtime")
    most = min(kind.longest_job_seconds, step.timeout_seconds)
    if most < LEAST_SECONDS:
        return  # the timeout is a mistake already
    if node and isinstance(own, str) and not LEAST_SECONDS <= seconds(own) <= most:
        message = f"max_runtime must be between {write_seconds(LEAST_SECONDS)} and {write_seconds(most)}"
        ours = step.timeout_seconds < kind.longest_job_seconds
        hint = "It is within the step's timeout: raise that too." if ours else "SageMaker allows no more."
        yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)
