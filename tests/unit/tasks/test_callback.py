"""callback, sweeper and events together: jobs whose runs, tokens and handlers come and go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tasks import callback, events, sweeper, train
from tasks.errors import TransientError
from tasks.protocol import HANDLER_SECONDS, STALE_SECONDS, Status
from tests.unit.tasks.fakes import RUN_ARN, USECASE, Cloud, Killed
from tests.unit.tasks.faults import service_error
from tests.unit.tasks.test_train import call, event, finish, start


def status(cloud: Cloud) -> Status:
    (job,) = cloud.jobs.items.values()
    return job.status


def test_a_running_job_gets_a_heartbeat_with_every_sweep(cloud: Cloud) -> None:
    start(cloud)
    call()
    cloud.stepfunctions.beats.clear()
    sweeper.sweep(cloud.desk())
    sweeper.sweep(cloud.desk())
    assert cloud.stepfunctions.beats == ["token-1", "token-1"]


@pytest.mark.parametrize("execution", ["ABORTED", "FAILED", None])
def test_a_job_whose_run_is_gone_is_stopped_and_closed(cloud: Cloud, execution: str | None) -> None:
    start(cloud)
    call()
    cloud.stepfunctions.waiting.clear()
    cloud.stepfunctions.executions = {} if execution is None else {RUN_ARN: execution}
    sweeper.sweep(cloud.desk())
    assert cloud.sagemaker.stopped == cloud.sagemaker.created
    sweeper.sweep(cloud.desk())
    assert status(cloud) is Status.SENT
    assert sweeper.sweep(cloud.desk()) == {"open": 0, "overdue": 0}


def test_a_job_past_its_deadline_is_stopped(cloud: Cloud) -> None:
    start(cloud)
    call()
    cloud.now += 3601
    sweeper.sweep(cloud.desk())
    assert cloud.sagemaker.stopped == cloud.sagemaker.created


def test_a_job_whose_token_died_is_left_for_a_retry_and_then_stopped(cloud: Cloud) -> None:
    start(cloud)
    call()
    cloud.stepfunctions.waiting.clear()
    sweeper.sweep(cloud.desk())
    cloud.now += STALE_SECONDS
    sweeper.sweep(cloud.desk())
    assert cloud.sagemaker.stopped == []
    cloud.now += 1
    sweeper.sweep(cloud.desk())
    assert cloud.sagemaker.stopped == cloud.sagemaker.created


def test_a_retry_makes_a_dead_token_forgotten(cloud: Cloud) -> None:
    start(cloud)
    call()
    cloud.stepfunctions.waiting = {"token-2"}
    sweeper.sweep(cloud.desk())
    call("token-2")
    cloud.now += STALE_SECONDS + 1
    sweeper.sweep(cloud.desk())
    assert cloud.sagemaker.stopped == []


def test_a_handler_that_died_before_it_made_the_job_is_answered_for(cloud: Cloud) -> None:
    start(cloud)
    cloud.kill_after = 0
    with pytest.raises(Killed):
        call()
    cloud.now += HANDLER_SECONDS
    sweeper.sweep(cloud.desk())
    assert cloud.stepfunctions.answers == {}
    cloud.now += 1
    sweeper.sweep(cloud.desk())
    assert cloud.stepfunctions.answers["token-1"]["error"] == "TransientError"


def test_one_job_that_cannot_be_settled_does_not_hold_up_the_others(cloud: Cloud) -> None:
    start(cloud)
    call()
    start(cloud, "other")
    train.handler({**event("other"), "step": "train-b"}, None)
    cloud.stepfunctions.beats.clear()
    cloud.errors["DescribeTrainingJob"] = [service_error("ThrottlingException")]
    with pytest.raises(
        TransientError, match="1 of 2 open jobs could not be settled: training job cookie-defects-train-"
    ):
        sweeper.sweep(cloud.desk())
    assert cloud.stepfunctions.beats == ["other"]


def test_an_answer_that_was_not_sent_is_sent_by_the_next_sweep(cloud: Cloud) -> None:
    start(cloud)
    call()
    finish(cloud)
    cloud.errors["SendTaskSuccess"] = [service_error("ThrottlingException")]
    with pytest.raises(TransientError):
        sweeper.sweep(cloud.desk())
    assert status(cloud) is Status.DONE
    sweeper.sweep(cloud.desk())
    assert "output" in cloud.stepfunctions.answers["token-1"]
    assert status(cloud) is Status.SENT


def test_settling_twice_answers_once(cloud: Cloud) -> None:
    start(cloud)
    call()
    finish(cloud)
    (job,) = cloud.jobs.items.values()
    callback.settle(job, cloud.desk())
    callback.settle(job, cloud.desk())
    assert cloud.operations().count("SendTaskSuccess") == 1


def sagemaker_event(cloud: Cloud, **changes: Any) -> dict[str, Any]:
    (name,) = cloud.sagemaker.created
    return {
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Training Job State Change",
        "account": USECASE["account"],
        "region": "us-east-1",
        "detail": {"TrainingJobName": name, "TrainingJobStatus": "Failed", "FailureReason": "a lie"},
        **changes,
    }


def test_an_event_leads_to_a_look_and_is_not_believed(cloud: Cloud) -> None:
    start(cloud)
    call()
    finish(cloud)
    for _ in range(2):
        assert events.handler(sagemaker_event(cloud), None)["settled"] <= 1
    assert "output" in cloud.stepfunctions.answers["token-1"]


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "111111111111"},
        {"region": "eu-west-1"},
        {"detail-type": "Something Else"},
        {"detail": {"TrainingJobName": "of-another"}},
        {"detail": None},
    ],
)
def test_an_event_of_somebody_else_is_passed_over(cloud: Cloud, changes: dict[str, Any]) -> None:
    start(cloud)
    call()
    finish(cloud)
    assert events.handler(sagemaker_event(cloud, **changes), None) == {"settled": 0}


def test_a_device_event_settles_deployments_only(cloud: Cloud) -> None:
    start(cloud)
    call()
    told = {"detail-type": events.DEPLOYMENTS, "detail": {"deploymentId": "1"}}
    assert events.handler(sagemaker_event(cloud, **told), None) == {"settled": 0}


def run_event(**changes: Any) -> dict[str, Any]:
    region, account = RUN_ARN.split(":")[3:5]
    return {
        "source": "aws.states",
        "detail-type": events.RUNS,
        "account": account,
        "region": region,
        "detail": {"executionArn": RUN_ARN, "status": "FAILED"},
        **changes,
    }


@pytest.mark.parametrize("ended", ["FAILED", "TIMED_OUT", "ABORTED"])
def test_the_jobs_of_a_run_that_ends_badly_are_stopped_at_once(cloud: Cloud, ended: str) -> None:
    start(cloud)
    call()
    cloud.stepfunctions.executions[RUN_ARN] = ended
    assert events.handler(run_event(), None) == {"settled": 1}
    assert cloud.sagemaker.stopped == cloud.sagemaker.created


def test_the_end_of_a_run_is_asked_for_and_not_believed(cloud: Cloud) -> None:
    start(cloud)
    call()
    cloud.stepfunctions.executions[RUN_ARN] = "RUNNING"
    assert events.handler(run_event(), None) == {"settled": 1}
    assert cloud.sagemaker.stopped == []


@pytest.mark.parametrize(
    "changes",
    [
        {"account": "999999999999"},
        {"region": "ap-south-1"},
        {"detail": {"executionArn": f"{RUN_ARN}-2"}},
        {"detail": {"executionArn": "run-1"}},
        {"detail": {}},
        {"detail": None},
    ],
)
def test_the_end_of_another_run_stops_nothing(cloud: Cloud, changes: dict[str, Any]) -> None:
    start(cloud)
    call()
    cloud.stepfunctions.executions[RUN_ARN] = "FAILED"
    assert events.handler(run_event(**changes), None) == {"settled": 0}
    assert cloud.sagemaker.stopped == []


def test_old_news_does_not_stop_a_job_that_a_retry_has_adopted(cloud: Cloud) -> None:
    start(cloud)
    call()
    (job,) = cloud.jobs.items.values()
    old = replace(job, stale_at=0, deadline=0)
    start(cloud, "token-2")
    call("token-2")
    callback.settle(old, cloud.desk())
    assert cloud.sagemaker.stopped == []
