"""The sweeper: one small Lambda on a schedule that looks after the open jobs of all runs.

It is what the protocol relies on; events only make it faster.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tasks import aws, callback, entry
from tasks.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.callback import Desk
    from tasks.event import Output

ACTIONS = (*callback.SETTLE_ACTIONS, *callback.JOB_ACTIONS, "states:DescribeExecution")

OVERDUE_SECONDS = 120
"""Two sweeps: a job that is open longer past its deadline is stuck."""

_SHOWN = 5


def run(_payload: Mapping[str, Any]) -> Output:
    """Answer for jobs that ended, keep alive those that run, stop those whose run is gone."""
    found = sweep(callback.open_desk())
    print(json.dumps(found))  # the platform's alarms read this line from the log
    return found


handler = entry.guarded(run)


def sweep(desk: Desk) -> Output:
    """Settle every open job; one that cannot be settled does not hold up the others.

    Returns how many were open, and how many of these are stuck: long past their deadline. Raises
    TransientError at the end when some could not be settled.
    """
    alive: dict[str, bool] = {}
    problems: list[str] = []
    count = overdue = 0
    for job in desk.jobs.open_jobs():
        count += 1
        overdue += desk.clock() > job.deadline + OVERDUE_SECONDS
        try:
            if job.run.arn not in alive:
                alive[job.run.arn] = is_running(desk, job.run.arn)
            callback.settle(job, desk, run_alive=alive[job.run.arn])
        except Exception as error:  # whatever it is, the other jobs must be looked after
            problems.append(f"{job.type} job {job.name}: {type(error).__name__}: {error}")
    if problems:
        shown = "; ".join(problems[:_SHOWN])
        message = f"{len(problems)} of {count} open jobs could not be settled: {shown}"
        raise TransientError(message)
    return {"open": count, "overdue": overdue}


def is_running(desk: Desk, run_arn: str) -> bool:
    """Say whether a run's execution is still going on."""
    request = {"executionArn": run_arn}
    reply = aws.ask(desk.states.describe_execution, request, unless=("ExecutionDoesNotExist",))
    return reply is not None and reply["status"] == "RUNNING"
