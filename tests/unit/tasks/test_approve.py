"""approve and approval: a person's answer counts once, and what nobody answers is closed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks import approval, approve, callback, sweeper
from tasks.errors import TaskInputError
from tasks.protocol import Status
from tests.unit.tasks.fakes import RUN_ARN, Cloud, Killed, payload

TOPIC = "arn:aws:sns:eu-west-1:123456789012:factory"


def ask(cloud: Cloud, token: str = "t", topic: str = "") -> None:
    cloud.stepfunctions.waiting.add(token)
    cloud.stepfunctions.executions[RUN_ARN] = "RUNNING"
    told = {"topic": topic} if topic else {}
    event = payload("approve", {"message": "Ship to line 3?", **told}, token=token)
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


@pytest.mark.parametrize("status", ["ABORTED", "FAILED", "TIMED_OUT", "RUNNING"])
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


def test_nobody_is_told_unless_the_spec_asks_for_it(cloud: Cloud) -> None:
    ask(cloud)
    assert "Publish" not in cloud.operations()


def test_a_topic_is_told_who_waits_and_how_to_answer_but_never_the_token(cloud: Cloud) -> None:
    cloud.sns.topics.add(TOPIC)
    ask(cloud, "secret-token", TOPIC)
    (told,) = cloud.sns.told
    assert cloud.regions == ["eu-west-1"], "a topic is told in its own region"
    assert told["topic"] == TOPIC
    assert told["subject"] == "cookie-defects: step approve waits for an answer"
    for part in (
        "Ship to line 3?",
        f"edgepipe approve {RUN_ARN} approve",
        f"edgepipe reject {RUN_ARN} approve",
        f"https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/v2/executions/details/{RUN_ARN}",
        "until 1970-01-12 14:46 UTC",
    ):
        assert part in told["message"]
    assert "secret-token" not in json.dumps(told)


@pytest.mark.parametrize("after", range(4))
def test_a_handler_that_is_killed_anywhere_and_run_again_has_told_it(cloud: Cloud, after: int) -> None:
    cloud.sns.topics.add(TOPIC)
    cloud.kill_after = after
    try:
        ask(cloud, "t", TOPIC)
    except Killed:
        ask(cloud, "u", TOPIC)
    assert 1 <= len(cloud.sns.told) <= 2
    assert approval.open_approvals(RUN_ARN) != []


def test_an_approval_that_has_been_answered_is_told_to_nobody(cloud: Cloud) -> None:
    cloud.sns.topics.add(TOPIC)
    ask(cloud, "t", TOPIC)
    (job,) = cloud.jobs.items.values()
    said = {"approved": True, "by": "mira", "comment": ""}
    cloud.stepfunctions.waiting.clear()
    cloud.kill_after = cloud.changes
    with pytest.raises(Killed):
        callback.conclude(job, said, cloud.desk())
    ask(cloud, "u", TOPIC)
    assert len(cloud.sns.told) == 1
    assert "output" in cloud.stepfunctions.answers["u"]


def test_a_topic_that_does_not_take_it_is_named(cloud: Cloud) -> None:
    with pytest.raises(TaskInputError, match=f"nobody can be told that step 'approve' waits: {TOPIC}"):
        ask(cloud, "t", TOPIC)
