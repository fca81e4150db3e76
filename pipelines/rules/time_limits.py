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
        message = f"the timeout of a {kind.name} step must be between {least} and {most} seconds"
        hint = None if kind.waits else "It is one Lambda call, which ends after 15 minutes."
        yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)


def _check_runtime(step: Step, kind: StepKind) -> Iterator[Diagnostic]:
    node, own = step.find("max_runtime"), step.config.get("max_runtime")
    most = max(60, min(kind.longest_job_seconds, step.timeout_seconds))
    if node and isinstance(own, str) and not 60 <= configs.seconds(own) <= most:
        message = (
            f"max_runtime must be between 60 and {most} seconds: SageMaker's limit and the step's timeout"
        )
        yield Diagnostic(code=CODE, message=message, span=node.span)
