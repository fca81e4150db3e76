"""P053: only a step that waits has a heartbeat, and it is shorter than the timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.configs import write_seconds
from pipelines.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P053"

LEAST_SECONDS = 120
"""Two runs of the sweeper, which sends the signs of life."""

SUGGESTED_SECONDS = 900


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield heartbeats that could never be missed, or that would be missed by a step that is well."""
    for step in subject.pipeline.steps:
        node, own = step.find("heartbeat"), step.heartbeat_seconds
        if node is None or own is None or step.kind is None:
            continue
        if not step.kind.waits:
            message = f"step '{step.id.value}' is one Lambda call and has no heartbeat"
            yield Diagnostic(code=CODE, message=message, span=node.span, hint="Use timeout.")
        elif not LEAST_SECONDS <= own < step.timeout_seconds:
            message = (
                f"a heartbeat must be at least {write_seconds(LEAST_SECONDS)}, the time of two sweeps, and "
                f"shorter than the timeout, {write_seconds(step.timeout_seconds)}"
            )
            hint = _advise(step.timeout_seconds, too_short=own < LEAST_SECONDS)
            yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)


def _advise(timeout: int, *, too_short: bool) -> str:
    if timeout <= LEAST_SECONDS:
        return "Leave it out: so short a timeout ends a lost step soon enough."
    if too_short:
        return (
            "Write 2m or more, such as 15m." if timeout > SUGGESTED_SECONDS else "Write 2m, or leave it out."
        )
    half = timeout // 120 * 60
    return f"Write {write_seconds(max(LEAST_SECONDS, min(half, SUGGESTED_SECONDS)))}, or raise timeout."
