"""The edge of a Lambda: the payload comes in parsed, errors go out under the names the definition knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tasks import aws
from tasks.errors import TaskError, with_log
from tasks.event import Output, StepEvent, parse_event

Handler: TypeAlias = Callable[[Mapping[str, Any], object], Output]
"""What Lambda calls: (payload, context) → the result, a JSON object."""


def step(run: Callable[[StepEvent], Output]) -> Handler:
    """Return the Lambda handler that parses the payload as a step's event and calls `run` with it."""
    return guarded(lambda payload: run(parse_event(payload)))


def guarded(run: Callable[[Mapping[str, Any]], Output]) -> Handler:
    """Return the Lambda handler around `run`: AWS's errors become ours; all end with the log's address."""

    def handler(payload: Mapping[str, Any], context: object) -> Output:
        try:
            return run(payload)
        except TaskError as error:
            raise type(error)(with_log(str(error), log_address(context))) from error
        except Exception as error:
            known = aws.translate(error)
            if known is None:
                raise
            raise type(known)(with_log(str(known), log_address(context))) from error

    return handler


def log_address(context: object) -> str:
    """Return the CloudWatch log group of the running Lambda; empty outside one."""
    return str(getattr(context, "log_group_name", "") or "")
