"""approve: the run waits until a person says yes or no; `tasks.approval` takes the answer.

Where the spec asks for it, a topic is told, once the approval is on record: a handler that is killed before,
and run again, tells it then. Told twice is better than not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tasks import aws, callback, entry, notices
from tasks.callback import Description, Desk, Detail, Work
from tasks.errors import RejectedError, TaskInputError
from tasks.protocol import Failure

if TYPE_CHECKING:
    from tasks.event import Output, StepEvent
    from tasks.protocol import Job

ACTIONS = (*(each for each in callback.ACTIONS if each not in aws.ACTIONS), "sns:Publish")

_REFUSED = ("AuthorizationError", "InvalidParameter", "InvalidParameterException", "NotFound")
"""What SNS answers where the topic is not there, or does not let this handler publish."""


def run(event: StepEvent) -> Output:
    """Note that the run waits for a person; the step's output arrives by the token."""
    return launch(event, callback.open_desk())


def launch(event: StepEvent, desk: Desk) -> Output:
    """Do what `run` does, with the desk given."""
    context = {"message": event.config.text("message")}
    topic = event.config.text("topic", "", pattern=r"(arn:[a-z-]+:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+)?")
    create = (lambda job: _tell(topic, job)) if topic else _create_nothing
    return callback.start(event, Work(type="approval", context=context, create=create), desk)


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


def _tell(topic: str, job: Job) -> None:
    """Tell a topic that the run waits. Raises TaskInputError where it does not take it."""
    request = {
        "TopicArn": topic,
        "Subject": notices.subject(job),
        "Message": notices.waiting(job),
    }
    region = topic.split(":")[3]
    if aws.ask(aws.client("sns", region=region).publish, request, unless=_REFUSED) is None:
        message = (
            f"nobody can be told that step {job.step!r} waits: {topic} does not take it. It must be there, "
            f"be the `topic` of use case {job.usecase.id!r} as the platform was deployed, and let us publish"
        )
        raise TaskInputError(message)


def _create_nothing(_job: Job) -> None:
    """Leave the record to stand for the approval: there is no job beside it."""
