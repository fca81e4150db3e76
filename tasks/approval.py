"""Answering approvals: for whoever asks a person, be it a terminal, a chat or a web page.

The answer goes through the approval's record like that of any job: it counts once, and one that was stored
but not told is told by the next sweep.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tasks import callback, jobs
from tasks.protocol import Status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.callback import Desk
    from tasks.protocol import Job

ACTIONS = (*jobs.SETTLE_ACTIONS, "states:SendTaskFailure", "states:SendTaskSuccess")

MAX_COMMENT = 1000


@dataclass(frozen=True, kw_only=True)
class Approval:
    """What a run waits for a person to say."""

    step: str
    message: str
    deadline: int
    """In seconds since the epoch: when the run gives up."""


def open_approvals(run_arn: str, desk: Desk | None = None) -> list[Approval]:
    """List the approvals that a run waits for."""
    return [
        Approval(step=job.step, message=job.context["message"], deadline=job.deadline)
        for job in _open(run_arn, desk or callback.open_desk())
    ]


def answer(
    run_arn: str, step: str, *, approved: bool, by: str, comment: str = "", desk: Desk | None = None
) -> bool:
    """Approve or reject a step of a run, in the name of `by`; say whether it was waiting for that.

    A second answer, or one to a run that has gone on, changes nothing.
    """
    desk = desk or callback.open_desk()
    said = {"approved": approved, "by": by, "comment": comment[:MAX_COMMENT]}
    taken = [callback.conclude(job, said, desk) for job in _open(run_arn, desk) if job.step == step]
    return any(taken)


def _open(run_arn: str, desk: Desk) -> Iterator[Job]:
    approvals = (job for job in desk.jobs.open_jobs(run_arn=run_arn) if job.type == "approval")
    return (job for job in approvals if job.status is Status.PENDING)
