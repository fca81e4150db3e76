"""The states that a definition is made of, as plain ASL objects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines import expressions
from pipelines.expressions import enclose

if TYPE_CHECKING:
    from collections.abc import Mapping

State = dict[str, Any]

INVOKE = "arn:aws:states:::lambda:invoke"
INVOKE_AND_WAIT = "arn:aws:states:::lambda:invoke.waitForTaskToken"

HEARTBEAT_SECONDS = 900
"""Fifteen runs of the sweeper, which sends the heartbeats."""

FAILURE = "Failure"
RECORD_FAILURE = "RecordFailure"
FAILED = "Failed"
START = "Start"
PARAMETERS = "Parameters"
DONE = "Done"

LAMBDA_ERRORS = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.TooManyRequestsException",
)
"""Passing errors of Lambda itself (docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html)."""

DEATHS = ("Lambda.Unknown", "Runtime.ExitError")
"""A function that ended in the middle: killed, or out of memory.

The first is what the same page calls it; the second is what Lambda's answer names, where it names a type. A
handler may be killed at any line and run again.
"""

LATE = "Sandbox.Timedout"
"""A function that took more than its own time.

One that starts a job hung, and is called again. A step that is one call would only be late again.
"""

_ENDED_EARLY = ("TransientError", *LAMBDA_ERRORS, *DEATHS)

_RETRY_TRANSIENT = {"ErrorEquals": [*_ENDED_EARLY], "MaxAttempts": 7, "JitterStrategy": "FULL"}
_RETRY_TRANSIENT_OR_LATE = {**_RETRY_TRANSIENT, "ErrorEquals": [*_ENDED_EARLY, LATE]}
"""1, 2, 4 ... 64 seconds: the interval of 1 and the rate of 2 are Step Functions' own."""

_RETRY_CAPACITY = {
    "ErrorEquals": ["CapacityError"],
    "IntervalSeconds": 300,
    "MaxAttempts": 24,
    "MaxDelaySeconds": 3600,
    "JitterStrategy": "FULL",
}
"""Most of a day, for steps that start jobs; a step that is one Lambda call waits for no machine."""


def function_marker(function: str) -> str:
    """Return the name of the marker that stands for a function's ARN: `train_function_arn`."""
    return f"{function}_function_arn"


def mark(name: str) -> str:
    """Return the marker that `definition.substitute` replaces."""
    return f"${{{name}}}"


def task(
    function_arn: str, payload: Mapping[str, Any], limits: Limits, *, comment: str, waits: bool = False
) -> State:
    """Return a Task that calls a function with an event, and waits for its task token where it `waits`."""
    most = limits.timeout_seconds
    heartbeat = {"HeartbeatSeconds": min(limits.heartbeat_seconds or HEARTBEAT_SECONDS, most - 1)}
    return {
        "Type": "Task",
        "Comment": comment,
        "Resource": INVOKE_AND_WAIT if waits else INVOKE,
        "Arguments": {"FunctionName": function_arn, "Payload": payload},
        "TimeoutSeconds": most,
        **(heartbeat if waits else {}),
        "Retry": [
            *limits.retriers,
            _RETRY_TRANSIENT_OR_LATE if waits else _RETRY_TRANSIENT,
            *([_RETRY_CAPACITY] if limits.asks_capacity else []),
        ],
    }


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How long a task may take, how long it may be silent, and what it is retried after besides the usual."""

    timeout_seconds: int
    heartbeat_seconds: int | None = None
    retriers: tuple[Mapping[str, Any], ...] = ()
    asks_capacity: bool = False


def result_of(*, waits: bool) -> str:
    """Return the expression for what a task's function gave."""
    return enclose(expressions.CALLBACK_RESULT if waits else expressions.TASK_RESULT)


def catch_all(step_id: str) -> State:
    """Return the Catch that goes to the failure handler, which finds the step's id in `$failed`."""
    return {"ErrorEquals": ["States.ALL"], "Assign": {"failed": step_id}, "Next": FAILURE}


def failure_states() -> dict[str, State]:
    """Return the states that put an error into words, record it, and end the run with it in any case.

    The error is the first one's input, as a Catch hands it on: {"Error", "Cause"}. The function returns what
    it recorded; where recording fails, what should have been recorded goes on.
    """
    failure = {
        "step": "{% $failed %}",
        "error": enclose(expressions.ERROR),
        "cause": enclose(expressions.CAUSE),
    }
    payload = {"run": "{% $run %}", "usecase": "{% $usecase %}", "failure": "{% $states.input %}"}
    record = {
        **task(
            mark(function_marker("failure")),
            payload,
            Limits(timeout_seconds=300),
            comment="Stops the run's open jobs and writes failure.json",
        ),
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": "{% $states.input %}", "Next": FAILED}],
        "Output": "{% $states.result.Payload.failure %}",
        "Next": FAILED,
    }
    fail = {"Type": "Fail", "Error": "{% $states.input.error %}", "Cause": "{% $states.input.cause %}"}
    return {
        FAILURE: {"Type": "Pass", "Output": failure, "Next": RECORD_FAILURE},
        RECORD_FAILURE: record,
        FAILED: fail,
    }
