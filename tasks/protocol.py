"""The callback protocol as pure decisions: given a job's record and what was seen, the effects to carry out.

    PENDING ──(the job ended, or will never be)──> DONE ──(Step Functions has the answer)──> SENT

Nothing here reads a clock or calls a service, so the whole protocol can be simulated. Who carries the effects
out stops at the first that does not take: somebody else was faster, and whatever is left is found by the next
sweep. A token that Step Functions no longer knows is not an error: nobody waits for that answer any more.

A delivery is one call of a handler with one token. Several deliveries of a step share one record as long as
its job may still serve them, so that a retry adopts the job that an earlier delivery started.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.event import Run, UseCase

HANDLER_SECONDS = 900
"""The longest a Lambda runs: a job that does not exist this long after its intent will never be made."""
STALE_SECONDS = 600
"""A job whose token died may be adopted by a retry; the definition's retries come well within this time."""
MAX_CAUSE = 32_768
"""The longest cause SendTaskFailure takes (Step Functions API reference)."""


class Status(StrEnum):
    """Where a record stands; it never goes back, except that a new delivery may ask for an answer again."""

    PENDING = "PENDING"
    DONE = "DONE"
    SENT = "SENT"


@dataclass(frozen=True, kw_only=True)
class Success:
    """The step's output object."""

    output: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The error's name, as the definition's Retry and Catch know it, and the message."""

    error: str
    cause: str


Answer: TypeAlias = Success | Failure


@dataclass(frozen=True, kw_only=True)
class Job:
    """The record of one long job: who waits for it, how to find it, and what has become of it.

    `claimed` and `deadline` are seconds since the epoch: when the last delivery took the record, and when the
    state gives up; `stale_at` is when its token was first seen dead; `stopping` says that the protocol stops
    it, because nobody waits for it. `context` is what judging the job needs.
    """

    job_key: str
    kind: str
    type: str
    name: str
    run: Run
    step: str
    target: str | None
    attempt: int
    token: str = field(repr=False)
    usecase: UseCase
    context: Mapping[str, Any]
    claimed: int
    deadline: int
    status: Status = Status.PENDING
    stale_at: int | None = None
    stopping: bool = False
    answer: Answer | None = None


@dataclass(frozen=True, kw_only=True)
class Absent:
    """There is no job of that name (yet)."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """The job exists and has not ended."""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The job ended, and this is what it comes to."""

    answer: Answer


Seen: TypeAlias = Absent | Running | Ended


@dataclass(frozen=True, kw_only=True)
class MarkDone:
    """Store the answer: PENDING → DONE, if the record is still the one that was read."""

    answer: Answer


@dataclass(frozen=True, kw_only=True)
class Send:
    """Give Step Functions the answer."""

    answer: Answer


@dataclass(frozen=True, kw_only=True)
class MarkSent:
    """Close the record: DONE → SENT, if nobody has asked again meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """Tell Step Functions that the job still runs."""


@dataclass(frozen=True, kw_only=True)
class MarkStopping:
    """Note that the job is being stopped, if nobody has asked for it again since the record was read."""


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Stop the job; it is answered for when it has ended."""


Effect: TypeAlias = MarkDone | Send | MarkSent | Heartbeat | MarkStopping | Stop


@dataclass(frozen=True, kw_only=True)
class Record:
    """Write the intent, if there is no record of that key."""

    job: Job


@dataclass(frozen=True, kw_only=True)
class TakeOver:
    """Give the record this delivery's token, if it is still the one that was read, `before`."""

    job: Job
    before: Job


@dataclass(frozen=True, kw_only=True)
class Proceed:
    """The record is this delivery's own: go on where it stands."""

    job: Job


@dataclass(frozen=True, kw_only=True)
class NextAttempt:
    """The job of this record failed and was answered for: a retry needs a new one."""


Claim: TypeAlias = Record | TakeOver | Proceed | NextAttempt


def job_key(run: Run, step: str, target: str | None, attempt: int) -> str:
    """Return the key of a step's n-th job, 32 hexadecimal digits; the same for every delivery."""
    parts = "\n".join((run.arn, step, target or "", str(attempt)))
    return hashlib.sha256(parts.encode()).hexdigest()[:32]


def job_name(run: Run, step: str, target: str | None, key: str) -> str:
    """Return the job's name: readable, 53 characters or less, [a-zA-Z0-9](-*[a-zA-Z0-9])* for SageMaker."""
    slug = re.sub(r"[^a-zA-Z0-9]+", "-", "-".join((run.pipeline, step, target or ""))).strip("-")
    return f"{slug[:40].strip('-')}-{key[:12]}"


def claim(record: Job | None, intent: Job) -> Claim:
    """Decide what a delivery does with the record found at its key; `intent` is the record it would write."""
    if record is None:
        return Record(job=intent)
    if record.token == intent.token:
        return Proceed(job=record)
    if isinstance(record.answer, Failure):
        return NextAttempt()
    status = Status.PENDING if record.answer is None else Status.DONE
    taken = replace(record, token=intent.token, status=status, stale_at=None)
    return TakeOver(job=replace(taken, claimed=intent.claimed, deadline=intent.deadline), before=record)


def decide(job: Job, seen: Seen, *, now: int, run_alive: bool) -> tuple[Effect, ...]:
    """Return what to do about `job`, in order; `seen` counts only while the record is PENDING."""
    if job.status is Status.SENT:
        return ()
    if job.status is Status.DONE:
        return () if job.answer is None else (Send(answer=job.answer), MarkSent())
    match seen:
        case Ended(answer=answer):
            return _finish(_own_up(job, answer))
        case Absent():
            return _await_creation(job, now=now)
        case Running():
            if not _forsaken(job, now=now, run_alive=run_alive):
                return (Heartbeat(),)
            return (Stop(),) if job.stopping else (MarkStopping(), Stop())
        case _:
            assert_never(seen)


def _finish(answer: Answer) -> tuple[Effect, ...]:
    return (MarkDone(answer=answer), Send(answer=answer), MarkSent())


def _own_up(job: Job, answer: Answer) -> Answer:
    """Return a failure that stopping the job has made as one for which a new job is the remedy.

    A redrive may come while the job is being stopped; it adopts the job, and needs another one at its end.
    """
    if isinstance(answer, Success) or not job.stopping:
        return answer
    cause = f"{job.type} job {job.name} was stopped while nobody waited for it; a retry starts another one"
    return Failure(error="TransientError", cause=cause)


def _await_creation(job: Job, *, now: int) -> tuple[Effect, ...]:
    if now - job.claimed <= HANDLER_SECONDS:
        return ()
    cause = f"the handler of step {job.step!r} ended before it had started {job.type} job {job.name}"
    return _finish(Failure(error="TransientError", cause=cause))


def _forsaken(job: Job, *, now: int, run_alive: bool) -> bool:
    stale = job.stale_at is not None and now - job.stale_at > STALE_SECONDS
    return not run_alive or now > job.deadline or stale
