"""What an execution's history says about each step of the pipeline, on AWS as in the local cloud."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from pipelines import results
from pipelines.states import failing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

Status = Literal["PENDING", "RUNNING", "SUCCEEDED", "FAILED", "ABORTED", "SKIPPED"]


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of a run as the history shows it; times are the history's own."""

    id: str
    kind: str
    status: Status = "PENDING"
    started: datetime | None = None
    ended: datetime | None = None
    attempts: int = 0
    outputs: Mapping[str, Any] = field(default_factory=dict)
    begun: bool = False
    """Whether more than the choice to run it has been entered."""
    judged: bool = False
    """Whether a fan-out is where too much of it having failed ends the run."""

    def seconds(self, now: datetime) -> float:
        """Return how long the step has run, in seconds; 0 before it starts."""
        return ((self.ended or now) - self.started).total_seconds() if self.started else 0.0


def read_steps(history: Iterable[Mapping[str, Any]], kinds: Mapping[str, str]) -> list[Step]:
    """List every step of `kinds` (step id → kind, in order) as get_execution_history's events show it.

    A step's states are called `<id>` or `<id> (...)`. It ends when a state is entered that is not its own, or
    fails where the execution ends in one of them. A step of which only the choice `<id> (when)` was entered
    has been skipped. A redrive takes up the step that the end interrupted.
    """
    steps = {name: Step(id=name, kind=kind) for name, kind in kinds.items()}
    current: str | None = None
    interrupted: str | None = None
    for event in history:
        if event["type"] == "ExecutionRedriven" and interrupted:
            current = interrupted
            steps[current] = replace(steps[current], status="RUNNING", ended=None)
        entered = event.get("stateEnteredEventDetails", {}).get("name")
        owner = _owner(entered, steps)
        if event["type"] in _OVER:
            interrupted = current
        if current and (event["type"] in _OVER or (entered is not None and owner != current)):
            steps[current] = _end(steps[current], entered, event)
            current = None
        if owner and owner != current:
            current = owner
            steps[owner] = replace(steps[owner], status="RUNNING", started=event["timestamp"])
        if current:
            steps[current] = _advance(steps[current], entered, event)
    return list(steps.values())


_OVER = frozenset({"ExecutionAborted", "ExecutionTimedOut", "ExecutionFailed"})


def _owner(state: str | None, steps: Mapping[str, Step]) -> str | None:
    """Return the step that a state belongs to, if it is a step's."""
    step = (state or "").partition(" (")[0]
    return step if step in steps else None


def _end(step: Step, entered: str | None, event: Mapping[str, Any]) -> Step:
    status: Status = "SUCCEEDED" if step.begun else "SKIPPED"
    if event["type"] == "ExecutionAborted":
        status = "ABORTED"
    elif entered is None:
        status = "FAILED"
    return replace(step, status=status, ended=event["timestamp"])


def _advance(step: Step, entered: str | None, event: Mapping[str, Any]) -> Step:
    if entered is not None and entered != f"{step.id} (when)":
        return replace(step, begun=True, judged=entered == failing(step.id))
    if event["type"] == "TaskScheduled" and not step.judged:
        return replace(step, attempts=step.attempts + 1)
    assigned = event.get("stateExitedEventDetails", {}).get("assignedVariables", {})
    output = assigned.get(f"step_{step.id.replace('-', '_')}")
    return replace(step, outputs=json.loads(output)) if output and step.begun else step


def plain_cause(cause: str | None) -> str | None:
    """Return an execution's cause as a person reads it.

    Lambda wraps what a function raised as {"errorMessage": ..., "errorType": ...}. A cause longer than 32,768
    characters arrives cut off: what is no such JSON is taken as it is.
    """
    try:
        wrapped = json.loads(cause or "")
    except ValueError:
        return cause
    said = wrapped.get("errorMessage") if isinstance(wrapped, dict) else None
    return said if isinstance(said, str) else cause


def render_step(step: Step, now: datetime) -> str:
    """Return one line: step, status, elapsed seconds, what it produced."""
    produced = results.describe(step.kind, step.outputs) if step.status == "SUCCEEDED" else ""
    return f"  {step.id:<12} {step.status:<10} {step.seconds(now):>6.1f} s  {produced}".rstrip()
