"""The integration `states:startExecution`, and `.sync:2`, which waits until the child has ended.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
With `.sync:2` the child's Input and Output are JSON, and a child that did not succeed fails the task with
States.TaskFailed and the child's description as the cause. Times are milliseconds since the epoch, which
AWS does not document.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from moto.core.exceptions import AWSError

from local_cloud.engine.errors import TASK_FAILED, Failure
from local_cloud.engine.payload import decode, encode

if TYPE_CHECKING:
    from local_cloud.engine.execution import Execution
    from local_cloud.engine.expression import Json
    from local_cloud.engine.handle import Engine
    from local_cloud.engine.roles import Roles
    from local_cloud.engine.world import Call


@dataclass(frozen=True, kw_only=True)
class StartExecution:
    """Starts executions for the machines of one account and region."""

    engine: Engine
    roles: Roles
    region: str
    waits: bool = False

    def that_waits(self) -> StartExecution:
        """Return the same integration for `.sync:2`."""
        return replace(self, waits=True)

    def __call__(self, call: Call) -> Json:
        """Return what was started, or how it ended; raises Failure."""
        child = self._start(call)
        started = {"ExecutionArn": child.arn, "StartDate": _millis(child.facts.started)}
        if not self.waits:
            return started
        call.submitted(started)
        call.follow(child)
        return _ended(child)

    def _start(self, call: Call) -> Execution:
        machine = str(call.arguments["StateMachineArn"])
        chosen, value = call.arguments.get("Name"), call.arguments.get("Input", {})
        text = value if isinstance(value, str) else encode(value)
        backend = self.engine.backend(self.roles.enter(call), self.region)
        try:
            name = None if chosen is None else str(chosen)
            return backend.start_child(call, machine, name, text, waits=self.waits)
        except AWSError as error:
            named = f"StepFunctions.{str(error.error_type).removesuffix('Exception')}Exception"
            cause = f"{error.message} (Service: AWSStepFunctions; Error Code: {error.error_type})"
            raise Failure(named, cause) from None


def _ended(child: Execution) -> Json:
    description = _describe(child)
    if child.ending.status != "SUCCEEDED":
        raise Failure(TASK_FAILED, encode(description))
    return description


def _describe(child: Execution) -> dict[str, Json]:
    ending = child.ending
    shown = {
        "ExecutionArn": child.arn,
        "Input": decode(child.input_text),
        "InputDetails": {"Included": True},
        "Name": child.facts.name,
        "StartDate": _millis(child.facts.started),
        "StateMachineArn": child.facts.machine_id,
        "Status": ending.status,
        "StopDate": _millis(ending.stopped or child.facts.started),
    }
    if ending.output is not None:
        return {**shown, "Output": decode(ending.output), "OutputDetails": {"Included": True}}
    said = {"Error": ending.error, "Cause": ending.cause}
    return shown | {name: text for name, text in said.items() if text is not None}


def _millis(seconds: float) -> int:
    return int(seconds * 1000)
