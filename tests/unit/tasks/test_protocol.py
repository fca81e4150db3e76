"""The callback protocol's decisions, as tables."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import protocol
from tasks.event import Run, parse_usecase
from tasks.fields import Fields
from tasks.protocol import (
    Absent,
    Ended,
    Failure,
    Heartbeat,
    Job,
    MarkDone,
    MarkSent,
    MarkStopping,
    NextAttempt,
    Proceed,
    Record,
    Running,
    Send,
    Status,
    Stop,
    Success,
    TakeOver,
)
from tests.unit.tasks.fakes import USECASE

RUN = Run(id="run-1", arn="arn:run-1", pipeline="cookies")
GOOD = Success(output={"model": 1})
BAD = Failure(error="JobFailedError", cause="exit 1")
JOB = Job(
    job_key="k",
    kind="train",
    type="training",
    name="cookies-train-k",
    run=RUN,
    step="train",
    target=None,
    attempt=0,
    token="secret-token",
    usecase=parse_usecase(Fields(USECASE, "usecase")),
    context={},
    claimed=1000,
    deadline=5000,
)
DONE = replace(JOB, status=Status.DONE, answer=GOOD)
STOPPING = replace(JOB, stopping=True)
OURS = Failure(
    error="TransientError",
    cause="training job cookies-train-k was stopped while nobody waited for it; a retry starts another one",
)


@pytest.mark.parametrize(
    ("job", "seen", "now", "alive", "effects"),
    [
        pytest.param(JOB, Running(), 1100, True, (Heartbeat(),), id="a running job is kept alive"),
        pytest.param(JOB, Running(), 1100, False, (MarkStopping(), Stop()), id="its run is gone"),
        pytest.param(JOB, Running(), 5001, True, (MarkStopping(), Stop()), id="its deadline is past"),
        pytest.param(
            replace(JOB, stale_at=1100),
            Running(),
            1700,
            True,
            (Heartbeat(),),
            id="a retry may still adopt it",
        ),
        pytest.param(
            replace(JOB, stale_at=1100),
            Running(),
            1701,
            True,
            (MarkStopping(), Stop()),
            id="nobody adopted it",
        ),
        pytest.param(STOPPING, Running(), 1100, False, (Stop(),), id="it has not heard that it must stop"),
        pytest.param(STOPPING, Running(), 1100, True, (Heartbeat(),), id="adopted while it stops"),
        pytest.param(
            STOPPING,
            Ended(answer=BAD),
            1100,
            True,
            (MarkDone(answer=OURS), Send(answer=OURS), MarkSent()),
            id="a retry has another job than the one that we stopped",
        ),
        pytest.param(
            STOPPING,
            Ended(answer=GOOD),
            1100,
            True,
            (MarkDone(answer=GOOD), Send(answer=GOOD), MarkSent()),
            id="it ended well before it could be stopped",
        ),
        pytest.param(
            JOB,
            Ended(answer=GOOD),
            1100,
            True,
            (MarkDone(answer=GOOD), Send(answer=GOOD), MarkSent()),
            id="ended well",
        ),
        pytest.param(
            JOB,
            Ended(answer=BAD),
            1100,
            False,
            (MarkDone(answer=BAD), Send(answer=BAD), MarkSent()),
            id="ended after its run",
        ),
        pytest.param(JOB, Absent(), 1900, True, (), id="its handler may still be at work"),
        pytest.param(
            DONE, Absent(), 9000, True, (Send(answer=GOOD), MarkSent()), id="the answer was not sent"
        ),
        pytest.param(replace(DONE, status=Status.SENT), Running(), 9000, False, (), id="closed"),
    ],
)
def test_decide(
    job: Job, seen: protocol.Seen, now: int, alive: bool, effects: tuple[protocol.Effect, ...]
) -> None:
    assert protocol.decide(job, seen, now=now, run_alive=alive) == effects


def test_a_job_that_was_never_made_is_answered_for_once_its_handler_must_be_dead() -> None:
    effects = protocol.decide(JOB, Absent(), now=1901, run_alive=True)
    assert effects[1:] == (Send(answer=effects[0].answer), MarkSent())  # type: ignore[union-attr]  # the first is MarkDone
    assert effects[0] == MarkDone(
        answer=Failure(
            error="TransientError",
            cause="the handler of step 'train' ended before it had started training job cookies-train-k",
        )
    )


INTENT = replace(JOB, token="new", claimed=3000, deadline=9000)


@pytest.mark.parametrize(
    ("record", "decision"),
    [
        pytest.param(None, Record(job=INTENT), id="first delivery"),
        pytest.param(
            replace(JOB, token="new"), Proceed(job=replace(JOB, token="new")), id="same delivery again"
        ),
        pytest.param(
            replace(JOB, stale_at=2000),
            TakeOver(job=INTENT, before=replace(JOB, stale_at=2000)),
            id="a retry",
        ),
        pytest.param(
            replace(DONE, status=Status.SENT),
            TakeOver(
                job=replace(INTENT, status=Status.DONE, answer=GOOD), before=replace(DONE, status=Status.SENT)
            ),
            id="a redrive takes the finished job",
        ),
        pytest.param(
            replace(DONE, status=Status.SENT, answer=BAD), NextAttempt(), id="a retry after a failed job"
        ),
        pytest.param(
            replace(DONE, token="new", answer=BAD),
            Proceed(job=replace(DONE, token="new", answer=BAD)),
            id="its own failure is not sent yet",
        ),
    ],
)
def test_claim(record: Job | None, decision: protocol.Claim) -> None:
    assert protocol.claim(record, INTENT) == decision


@given(
    pipeline=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}", fullmatch=True),
    step=st.from_regex(r"[a-z][a-z0-9_-]{0,39}", fullmatch=True),
    target=st.none() | st.from_regex(r"[a-z0-9][a-z0-9_-]{0,39}", fullmatch=True),
)
def test_job_names_are_names_that_sagemaker_takes(pipeline: str, step: str, target: str | None) -> None:
    run = replace(RUN, pipeline=pipeline)
    name = protocol.job_name(run, step, target, protocol.job_key(run, step, target, 0))
    assert re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", name)


def test_job_keys_differ_by_run_step_target_and_attempt() -> None:
    other = replace(RUN, arn="arn:run-2")
    keys = {
        protocol.job_key(run, step, target, attempt)
        for run in (RUN, other)
        for step in ("a", "b")
        for target in (None, "x")
        for attempt in (0, 1)
    }
    assert len(keys) == 16
    assert all(re.fullmatch(r"[0-9a-f]{32}", key) for key in keys)


def test_a_record_never_shows_its_token() -> None:
    assert "secret-token" not in repr(JOB)
