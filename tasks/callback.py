"""Carries out the callback protocol's decisions: for handlers that start a job, the sweeper and events alike.

A kind that waits is a module with `describe`, `outcome` and `stop`: see `Waiting`.
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, assert_never

from tasks import aws, jobs, protocol
from tasks.errors import TaskInputError
from tasks.protocol import (
    Absent,
    Answer,
    Effect,
    Ended,
    Failure,
    Job,
    NextAttempt,
    Proceed,
    Record,
    Running,
    Seen,
    Status,
    Success,
    TakeOver,
)

if TYPE_CHECKING:
    from tasks.aws import Client
    from tasks.event import Output, StepEvent
    from tasks.jobs import Jobs

_ANSWER_ACTIONS = (
    *aws.ACTIONS,
    "states:SendTaskSuccess",
    "states:SendTaskFailure",
    "states:SendTaskHeartbeat",
)
ACTIONS = (*_ANSWER_ACTIONS, *jobs.CLAIM_ACTIONS)
"""What a handler needs in the orchestrator's account to start a job."""
SETTLE_ACTIONS = (*_ANSWER_ACTIONS, *jobs.SETTLE_ACTIONS)
"""What looking after jobs that others have started needs there."""

JOB_ACTIONS = (
    "greengrass:CancelDeployment",
    "greengrass:CreateDeployment",
    "greengrass:GetCoreDevice",
    "greengrass:GetDeployment",
    "greengrass:ListDeployments",
    "greengrass:ListEffectiveDeployments",
    "greengrass:ListInstalledComponents",
    "greengrass:TagResource",
    # A failed wave is taken back by deployments, which act on IoT jobs and shadows in the caller's name.
    "iot:CancelJob",
    "iot:CreateJob",
    "iot:DeleteThingShadow",
    "iot:DescribeJob",
    "iot:DescribeThing",
    "iot:DescribeThingGroup",
    "iot:GetThingShadow",
    "iot:ListThingsInThingGroup",
    "iot:UpdateJob",
    "iot:UpdateThingShadow",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:PutObject",
    "sagemaker:DescribeLabelingJob",
    "sagemaker:DescribeProcessingJob",
    "sagemaker:DescribeTrainingJob",
    "sagemaker:StopLabelingJob",
    "sagemaker:StopProcessingJob",
    "sagemaker:StopTrainingJob",
)
"""What settling a job of any kind needs in the use case's account, beside those in the orchestrator's."""

WAITING_KINDS: Mapping[str, str] = {
    "label": "tasks.ground_truth",
    "train": "tasks.train",
    "compile": "tasks.compile",
    "approve": "tasks.approve",
    "deploy": "tasks.deploy",
}
"""The kinds whose steps wait for a job, and the module that judges it."""

STALE = ("InvalidToken", "TaskDoesNotExist", "TaskTimedOut")
"""Nobody waits for this token: the task has ended, timed out or been started anew. Not an error."""

_MAX_OUTPUT = 262_144
_MAX_ATTEMPTS = 200

Detail: TypeAlias = Mapping[str, Any]
"""What a service says about a job, with whatever else judging it needs."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """A job as its service describes it; `ended` once nothing about it will change."""

    ended: bool
    detail: Detail


@dataclass(frozen=True, kw_only=True)
class Work:
    """The job that a step wants: its type, what judging it needs (JSON), and how to create or adopt it.

    `create(job)` is called with the record stored, and must adopt a job that exists under `job.name`.
    """

    type: str
    context: Mapping[str, Any]
    create: Callable[[Job], None]


class Waiting(Protocol):
    """What the module of a waiting kind offers."""

    def describe(self, job: Job, now: int) -> Description | None:
        """Ask the services about the job, and for an ended one fetch what judging needs; None for no job.

        `now` is in seconds since the epoch: what a job waits for may be a time.
        """

    def outcome(self, detail: Detail, job: Job) -> Output:
        """Return the step's output; raises the TaskError that the step ends with. Pure."""

    def stop(self, job: Job) -> None:
        """Stop the job, if it runs; asking twice is the same as asking once."""


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What the protocol works with, passed in so that it can be simulated."""

    jobs: Jobs
    states: Client
    clock: Callable[[], float]
    kind: Callable[[str], Waiting]


def open_desk() -> Desk:
    """Return the desk of a running Lambda."""
    return Desk(jobs=jobs.job_table(), states=aws.client("stepfunctions"), clock=time.time, kind=waiting_kind)


def waiting_kind(kind: str) -> Waiting:
    """Return the module that judges the jobs of `kind`; imported when needed, to keep cold starts short."""
    module: Any = importlib.import_module(WAITING_KINDS[kind])
    waiting: Waiting = module
    return waiting


def start(event: StepEvent, work: Work, desk: Desk) -> Output:
    """Record the intent, then create the job, then look once more whether it has already ended.

    Returns what a waiting handler returns: nothing; Step Functions gets the step's output by the token.
    May be killed anywhere and called again.
    """
    job = _claim(event, work, desk)
    if job is None:
        return {}
    if job.status is Status.PENDING:
        work.create(job)
    settle(job, desk)
    return {}


def settle(job: Job, desk: Desk, *, run_alive: bool = True) -> None:
    """Do for one job whatever the protocol asks for now; harmless however often and by however many."""
    # An index or an event may be old news; only the record itself says who waits for the job now.
    fresh = desk.jobs.read(job.job_key)
    if fresh is None or fresh.status is Status.SENT:
        return
    seen = observe(fresh, desk) if fresh.status is Status.PENDING else Absent()
    for effect in protocol.decide(fresh, seen, now=int(desk.clock()), run_alive=run_alive):
        if not _perform(effect, fresh, desk):
            return


def conclude(job: Job, detail: Detail, desk: Desk) -> bool:
    """End a job as `detail` says, for a job that no service describes; False when it was over already."""
    answer = _judge(desk.kind(job.kind), detail, job)
    if not desk.jobs.mark_done(job, answer):
        return False
    _send(job.token, answer, desk)
    desk.jobs.mark_sent(job)
    return True


def observe(job: Job, desk: Desk) -> Seen:
    """Return how the job stands; an ended one comes with its answer."""
    kind = desk.kind(job.kind)
    description = kind.describe(job, int(desk.clock()))
    if description is None:
        return Absent()
    return Ended(answer=_judge(kind, description.detail, job)) if description.ended else Running()


def _claim(event: StepEvent, work: Work, desk: Desk) -> Job | None:
    """Return the record that serves this delivery, by now its own; None when nobody waits for it."""
    for attempt in range(_MAX_ATTEMPTS):
        intent = _intent(event, work, attempt, now=int(desk.clock()))
        decision = protocol.claim(desk.jobs.read(intent.job_key), intent)
        while not isinstance(decision, NextAttempt):
            # A delivery that was overtaken itself must not take the job from the one that waits.
            if isinstance(decision, TakeOver) and not _beat(intent.token, desk):
                return None
            if _take(decision, desk):
                return decision.job
            decision = protocol.claim(desk.jobs.read(intent.job_key), intent)
    message = f"step {event.step!r} has failed {_MAX_ATTEMPTS} times in this run; start a new run"
    raise TaskInputError(message)


def _take(decision: Record | TakeOver | Proceed, desk: Desk) -> bool:
    match decision:
        case Record(job=job):
            return desk.jobs.record(job)
        case TakeOver(job=job, before=before):
            return desk.jobs.take_over(job, before)
        case Proceed():
            return True
        case _:
            assert_never(decision)


def _intent(event: StepEvent, work: Work, attempt: int, *, now: int) -> Job:
    if event.token is None:
        message = f"the event of step {event.step!r} has no token; a {event.kind} step is called with one"
        raise TaskInputError(message)
    key = protocol.job_key(event.run, event.step, event.target, attempt)
    return Job(
        job_key=key,
        kind=event.kind,
        type=work.type,
        name=protocol.job_name(event.run, event.step, event.target, key),
        run=event.run,
        step=event.step,
        target=event.target,
        attempt=attempt,
        token=event.token,
        usecase=event.usecase,
        context=work.context,
        claimed=now,
        deadline=now + event.timeout_seconds,
    )


def _judge(kind: Waiting, detail: Detail, job: Job) -> Answer:
    try:
        output = kind.outcome(detail, job)
    except Exception as error:  # a fault of ours must reach the run as well, or it would wait for ever
        return Failure(error=type(error).__name__, cause=str(error))
    size = len(json.dumps(output).encode())
    if size > _MAX_OUTPUT:
        cause = f"the output of step {job.step!r} has {size} bytes; Step Functions takes {_MAX_OUTPUT}"
        return Failure(error=TaskInputError.__name__, cause=cause)
    return Success(output=output)


def _perform(effect: Effect, job: Job, desk: Desk) -> bool:
    """Carry one effect out; say whether it took."""
    match effect:
        case protocol.MarkDone(answer=answer):
            return desk.jobs.mark_done(job, answer)
        case protocol.Send(answer=answer):
            _send(job.token, answer, desk)
        case protocol.MarkSent():
            return desk.jobs.mark_sent(job)
        case protocol.Heartbeat():
            return _beat(job.token, desk) or desk.jobs.mark_stale(job, int(desk.clock()))
        case protocol.MarkStopping():
            return desk.jobs.mark_stopping(job)
        case protocol.Stop():
            desk.kind(job.kind).stop(job)
        case _:
            assert_never(effect)
    return True


def _send(token: str, answer: Answer, desk: Desk) -> None:
    if isinstance(answer, Success):
        request = {"taskToken": token, "output": json.dumps(answer.output)}
        aws.ask(desk.states.send_task_success, request, unless=STALE)
    else:
        cause = answer.cause[: protocol.MAX_CAUSE]
        request = {"taskToken": token, "error": answer.error[:256], "cause": cause}
        aws.ask(desk.states.send_task_failure, request, unless=STALE)


def _beat(token: str, desk: Desk) -> bool:
    """Send a heartbeat; say whether somebody waits for this token."""
    return aws.ask(desk.states.send_task_heartbeat, {"taskToken": token}, unless=STALE) is not None
