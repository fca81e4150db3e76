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

JUDGE = "judge"
"""The function that fails a fan-out which is not good enough."""
JUDGE_SECONDS = 300
JUDGED = "redrives"
"""The variable that holds how often the run had been redriven when a fan-out was judged."""

START = "Start"
PARAMETERS = "Parameters"
REFUSED = "Refused"
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


def failing(fan_out: str) -> str:
    """Return the name of the task that fails a fan-out."""
    return f"{fan_out} (failed)"


def judgement(fan_out: str, cause: str, *, comment: str) -> State:
    """Return the task that fails a fan-out with a cause, and that leads a redrive back to the fan-out.

    The execution ends here, so this is where a redrive goes on: it finds another number of redrives than when
    the outcomes were judged, and so the function does not fail again.
    """
    payload = {
        "run": "{% $run %}",
        "usecase": "{% $usecase %}",
        "cause": cause,
        "redriven": enclose(f"{expressions.REDRIVES} != ${JUDGED}"),
    }
    limits = Limits(timeout_seconds=JUDGE_SECONDS)
    called = task(mark(function_marker(JUDGE)), payload, limits, comment=comment)
    return {**called, "Next": fan_out}
