"""The states that a definition is made of, as plain ASL objects."""

from __future__ import annotations

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

_RETRY_TRANSIENT = {
    "ErrorEquals": ["TransientError", *LAMBDA_ERRORS],
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxAttempts": 6,
    "MaxDelaySeconds": 60,
    "JitterStrategy": "FULL",
}
_RETRY_CAPACITY = {
    "ErrorEquals": ["CapacityError"],
    "IntervalSeconds": 300,
    "BackoffRate": 1.5,
    "MaxAttempts": 24,
    "MaxDelaySeconds": 3600,
}


def function_marker(function: str) -> str:
    """Return the name of the marker that stands for a function's ARN: `train_function_arn`."""
    return f"{function}_function_arn"


def mark(name: str) -> str:
    """Return the marker that `definition.substitute` replaces."""
    return f"${{{name}}}"


def task(
    function: str, payload: Mapping[str, Any], timeout_seconds: int, *, comment: str, waits: bool = False
) -> State:
    """Return a Task that calls a function with an event, and waits for its task token where it `waits`."""
    heartbeat = {"HeartbeatSeconds": min(HEARTBEAT_SECONDS, timeout_seconds - 1)} if waits else {}
    return {
        "Type": "Task",
        "Comment": comment,
        "Resource": INVOKE_AND_WAIT if waits else INVOKE,
        "Arguments": {"FunctionName": mark(function_marker(function)), "Payload": payload},
        "TimeoutSeconds": timeout_seconds,
        **heartbeat,
        "Retry": [_RETRY_TRANSIENT, _RETRY_CAPACITY],
    }


def result_of(*, waits: bool) -> str:
    """Return the expression for what a task's function gave."""
    return enclose(expressions.CALLBACK_RESULT if waits else expressions.TASK_RESULT)


def catch_all(step_id: str) -> State:
    """Return the Catch that keeps an error in `$failure` and goes to the failure handler."""
    failure = {
        "step": step_id,
        "error": enclose(expressions.ERROR),
        "cause": enclose(expressions.CAUSE),
    }
    return {"ErrorEquals": ["States.ALL"], "Assign": {"failure": failure}, "Next": RECORD_FAILURE}


def failure_states() -> dict[str, State]:
    """Return the states that record `$failure` and end the run with it, whether or not recording works."""
    payload = {name: enclose(f"${name}") for name in ("run", "usecase", "failure")}
    record = {
        **task("failure", payload, 300, comment="Stops the run's open jobs and writes failure.json"),
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": FAILED}],
        "Next": FAILED,
    }
    fail = {"Type": "Fail", "Error": enclose("$failure.error"), "Cause": enclose("$failure.cause")}
    return {RECORD_FAILURE: record, FAILED: fail}
