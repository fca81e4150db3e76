"""Operations of the Step Functions API that this engine cannot carry out faithfully, and says so.

Facts: https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from moto.core.exceptions import AWSError

if TYPE_CHECKING:
    from collections.abc import Callable

_NO_ACTIVITIES = "the local engine runs no activities: use a Task with .waitForTaskToken"
NO_MAP_RUNS = "the local engine runs no Distributed Map, so there are no map runs"
REFUSED = {
    "start_sync_execution": "the local engine runs STANDARD state machines only, which StartExecution starts",
    "test_state": "the local engine runs whole state machines only: start one that has the state alone",
    "create_activity": _NO_ACTIVITIES,
    "delete_activity": _NO_ACTIVITIES,
    "describe_activity": _NO_ACTIVITIES,
    "get_activity_task": _NO_ACTIVITIES,
    "list_activities": _NO_ACTIVITIES,
    "describe_map_run": NO_MAP_RUNS,
    "list_map_runs": NO_MAP_RUNS,
    "update_map_run": NO_MAP_RUNS,
}
"""The operations, and what to do instead."""
_CODES = {"start_sync_execution": "StateMachineTypeNotSupported"}


def _refuse(name: str, why: str) -> Callable[[object], NoReturn]:
    def answer(_: object) -> NoReturn:
        message = f"{name.replace('_', ' ').title().replace(' ', '')}: {why}"
        raise AWSError(message, _CODES.get(name, "ValidationException"))

    return answer


RefusedOperations = type("RefusedOperations", (), {name: _refuse(name, why) for name, why in REFUSED.items()})
"""Answers each with an error; a base class of the responses."""
