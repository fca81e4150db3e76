"""approve and approval: a person's answer counts once, and what nobody answers is closed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks import approval, approve, failure, sweeper
from tasks.errors import TaskInputError
from tasks.protocol import Status
from tests.unit.tasks.fakes import RUN_ARN, Cloud, payload


def ask(cloud: Cloud, token: str = "t") -> None:
    cloud.stepfunctions.waiting.add(token)
    cloud.stepfunctions.executions[RUN_ARN] = "RUNNING"
    event = payload("approve", {"message": "Ship to line 3?"}, token=token)
    assert approve.handler(event, None) == {}


def answered(cloud: Cloud, *, approved: bool, by: str = "mira", comment: str = "") -> bool:
    desk = cloud.desk()
    return approval.answer(RUN_ARN, "approve", approved=approved, by=by, comment=comment, desk=desk)


def statuses(cloud: Cloud) -> list[Status]:
    return [job.status for job in cloud.jobs.items.values()]


def test_a_waiting_approval_is_listed_and_kept_alive(cloud: Cloud) -> None:
    ask(cloud)
    (found,) = approval.open_approvals(RUN_ARN)
    assert (found.step, found.message, found.deadline) == (
        "approve",
        "Ship to line 3?",
        int(cloud.now) + 3600,
    )
    cloud.now += 1000
    sweeper.sweep(cloud.desk())
    assert cloud.stepfunctions.beats == ["t"] * 2, "one by the handler's own look, one by the sweeper"
    assert cloud.stepfunctions.answers == {}


def test_yes_lets_the_run_go_on(cloud: Cloud) -> None:
    ask(cloud)
    assert answered(cloud, approved=True, comment="looks good")
    output = json.loads(cloud.stepfunctions.answers["t"]["output"])
    assert output == {"approval": {"by": "mira", "comment": "looks good"}}
    assert statuses(cloud) == [Status.SENT]


@pytest.mark.parametrize(
    ("comment", "told"),
    [("too dark", "mira rejected step 'approve': too dark"), ("", "no reason was given")],
)
def test_no_fails_the_run_with_who_and_why(cloud: Cloud, comment: str, told: str) -> None:
    ask(cloud)
    assert answered(cloud, approved=False, comment=comment)
    failed = cloud.stepfunctions.answers["t"]
    assert failed["error"] == "RejectedError"
    assert told in failed["cause"]


def test_the_first_answer_counts(cloud: Cloud) -> None:
    ask(cloud)
    assert answered(cloud, approved=True)
    assert not answered(cloud, approved=False)
    assert "output" in cloud.stepfunctions.answers["t"]
    assert approval.open_approvals(RUN_ARN) == []


def test_an_answer_to_another_step_is_none(cloud: Cloud) -> None:
    ask(cloud)
    assert not approval.answer(RUN_ARN, "other", approved=True, by="mira", desk=cloud.desk())
    assert statuses(cloud) == [Status.PENDING]


def test_an_answer_that_was_stored_but_not_told_is_told_by_the_sweeper(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(cloud)

    def die(*_: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr("tasks.callback._send", die)
    with pytest.raises(ConnectionError):
        answered(cloud, approved=True)
    monkeypatch.undo()
    sweeper.sweep(cloud.desk())
    assert "output" in cloud.stepfunctions.answers["t"]


def test_the_failure_of_the_run_closes_its_approvals(cloud: Cloud) -> None:
    ask(cloud)
    cloud.stepfunctions.waiting.clear()
    problems: list[str] = []
    (job,) = cloud.jobs.items.values()
    assert failure.stop_jobs(job.run, cloud.desk(), problems) == [job.name]
    sweeper.sweep(cloud.desk())
    assert (problems, statuses(cloud)) == ([], [Status.SENT])


@pytest.mark.parametrize("status", ["ABORTED", "RUNNING"])
def test_what_nobody_answers_is_closed(cloud: Cloud, status: str) -> None:
    """The run is gone, or the approval's time is over."""
    ask(cloud)
    cloud.stepfunctions.executions[RUN_ARN] = status
    cloud.now += 3601
    sweeper.sweep(cloud.desk())
    sweeper.sweep(cloud.desk())
    assert statuses(cloud) == [Status.SENT]


def test_a_second_delivery_takes_the_approval_over(cloud: Cloud) -> None:
    ask(cloud)
    ask(cloud, "u")
    assert answered(cloud, approved=True)
    assert set(cloud.stepfunctions.answers) == {"u"}


def test_an_approval_without_a_question_is_refused(cloud: Cloud) -> None:
    cloud.stepfunctions.waiting.add("t")
    with pytest.raises(TaskInputError, match=r"event\.config has no 'message'"):
        approve.handler(payload("approve", {}, token="t"), None)
