"""Taking up an execution that did not succeed, from where it failed: RedriveExecution.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
A task that was interrupted begins anew, with a new token and its whole time; a Wait goes on to the moment
it had set. The request's clientToken is not looked at: a second redrive finds the execution running.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moto.core.responses import ActionResult, BaseResponse

from local_cloud.clock import moment
from local_cloud.engine.history import MAX_EVENTS, Event
from local_cloud.engine.visit import redriven_key

if TYPE_CHECKING:
    from local_cloud.engine.backend import EngineBackend
    from local_cloud.engine.execution import Execution
    from local_cloud.engine.runs import Record, Runs

PERIOD_SECONDS = 14 * 86_400
MAX_OPEN_SECONDS = 365 * 86_400


def obstacle(execution: Execution, now: float) -> str | None:
    """Return why an execution cannot be redriven, in AWS's words, or None."""
    ending = execution.ending
    if ending.status in ("RUNNING", "SUCCEEDED"):
        return f"Execution is {ending.status} and cannot be redriven"
    if execution.history.size >= MAX_EVENTS - 1:
        return "Execution history event limit exceeded"
    if now > (ending.stopped or now) + PERIOD_SECONDS:
        return "Execution redrivable period exceeded"
    if now > execution.record.started + MAX_OPEN_SECONDS:
        return "Execution has exceeded the max execution time"
    return None


def redrive(execution: Execution, runs: Runs, now: float) -> Record:
    """Keep that an ended execution runs again, and return what is kept of it."""
    size, before = execution.history.size, execution.ending
    count = before.redrives + 1
    event = Event(size + 1, size, now, "ExecutionRedriven", f"redrive/{count}", {"redriveCount": count})
    entry = json.dumps({"answers": {redriven_key(count): now}, "events": [event]})
    ending = type(before)(redrives=count, redriven=now)
    number = execution.record.number
    runs.settle(number, ending, len(runs.entries(number)), entry)
    return replace(execution.record, ending=ending)


def describe(execution: Execution, now: float) -> dict[str, Any]:
    """Return the members of DescribeExecution that are about redrives."""
    reason, ending = obstacle(execution, now), execution.ending
    return {
        "redriveCount": ending.redrives,
        "redriveDate": None if ending.redriven is None else moment(ending.redriven),
        "redriveStatus": "REDRIVABLE" if reason is None else "NOT_REDRIVABLE",
        "redriveStatusReason": reason,
    }


class RedriveResponse(BaseResponse):
    """The operation RedriveExecution."""

    if TYPE_CHECKING:

        @property
        def backend(self) -> EngineBackend:
            """Return the caller's account and region."""

    def redrive_execution(self) -> ActionResult:
        """Take up an execution that did not succeed."""
        execution = self.backend.redrive_execution(self._get_param("executionArn"))
        return ActionResult({"redriveDate": moment(execution.ending.redriven or 0)})
