"""approve: the run waits until a person says yes or no; `tasks.approval` takes the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks import callback, entry
from tasks.callback import Description, Desk, Detail, Work
from tasks.errors import RejectedError
from tasks.protocol import Failure

if TYPE_CHECKING:
    from tasks.event import Output, StepEvent
    from tasks.protocol import Job

ACTIONS = callback.ACTIONS


def run(event: StepEvent) -> Output:
    """Note that the run waits for a person; the step's output arrives by the token."""
    return launch(event, callback.open_desk())


def launch(event: StepEvent, desk: Desk) -> Output:
    """Do what `run` does, with the desk given."""
    context = {"message": event.config.text("message")}
    return callback.start(event, Work(type="approval", context=context, create=_create_nothing), desk)


handler = entry.step(run)


def describe(_job: Job, _now: int) -> Description:
    """Say that the approval is open: who answers it closes the record at once."""
    return Description(ended=False, detail={})


def outcome(detail: Detail, job: Job) -> Output:
    """Return who approved and what they said; raises RejectedError when they said no.

    `detail` is {"approved": bool, "by", "comment"}.
    """
    by, comment = str(detail["by"]), str(detail["comment"])
    if not detail["approved"]:
        message = f"{by} rejected step {job.step!r}: {comment or 'no reason was given'}"
        raise RejectedError(message)
    return {"approval": {"by": by, "comment": comment}}


def stop(job: Job) -> None:
    """Close the approval: its run has ended, or nobody answered in time."""
    cause = f"step {job.step!r} was closed before anybody answered"
    callback.open_desk().jobs.mark_done(job, Failure(error=RejectedError.__name__, cause=cause))


def _create_nothing(_job: Job) -> None:
    """Leave the record to stand for the approval: there is no job beside it."""
