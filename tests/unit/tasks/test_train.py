"""train: the request, the gate, and that a killed handler leaves one job and one answer."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tasks import callback, protocol, sweeper, train
from tasks.errors import CapacityError, JobFailedError, QualityGateError, TaskInputError, TransientError
from tasks.event import parse_event
from tasks.protocol import Job, Status
from tests.unit.tasks.fakes import RESULTS, RUN_ARN, Cloud, Killed, artifact, payload
from tests.unit.tasks.faults import service_error
from tests.unit.tasks.validator import problems_of

CONFIG: dict[str, Any] = {
    "script": "train.py",
    "framework": {"name": "sklearn", "version": "1.4-2"},
    "instance": "ml.m5.xlarge",
    "volume_gb": 30,
    "hyperparameters": {"epochs": 30, "optimizer": "adam"},
    "gate": [
        {"metric": "recall", "op": ">=", "threshold": 0.9},
        {"metric": "accuracy", "op": ">=", "threshold": 0.8},
    ],
    "max_runtime_seconds": 3600,
}
SPLITS = {
    "train": {
        "uri": f"{RESULTS}/transform/manifests/train.jsonl",
        "images": f"{RESULTS}/transform/images/train.json",
    },
    "validation": {"uri": "s3://x-bucket/v.jsonl", "images": f"{RESULTS}/transform/images/validation.json"},
}
MANIFEST = artifact("manifest", f"{RESULTS}/transform/all.jsonl", labels=["normal", "anomaly"], splits=SPLITS)
FIGURES = [{"MetricName": "recall", "Value": 0.97}, {"MetricName": "accuracy", "Value": 0.95}]


def event(token: str = "token-1", **config: Any) -> dict[str, Any]:
    return payload(
        "train",
        {**CONFIG, **config},
        token=token,
        inputs={"manifest": MANIFEST},
        assets={"source": "s3://cookie-results/assets/source.tar.gz"},
    )


def call(token: str = "token-1", **config: Any) -> dict[str, Any]:
    return train.handler(event(token, **config), None)


def finish(cloud: Cloud, **changes: Any) -> None:
    """End the only job well, with a model, except as `changes` say."""
    (name,) = cloud.sagemaker.jobs
    job = cloud.sagemaker.jobs[name]
    job.update({"TrainingJobStatus": "Completed", "FinalMetricDataList": FIGURES, **changes})
    cloud.s3.put(job["ModelArtifacts"]["S3ModelArtifacts"], b"model")


def start(cloud: Cloud, token: str = "token-1") -> None:
    cloud.stepfunctions.waiting.add(token)
    cloud.stepfunctions.executions[RUN_ARN] = "RUNNING"


def test_request_is_one_that_aws_takes() -> None:
    request = train.build_request(parse_event(event()), "cookie-defects-train-0123456789ab")
    assert problems_of("sagemaker", "CreateTrainingJob", request) == []


def test_request_names_script_source_channels_and_metrics() -> None:
    request = train.build_request(parse_event(event()), "the-job")
    assert request["AlgorithmSpecification"]["TrainingImage"] == (
        "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.4-2-cpu-py3"
    )
    assert request["HyperParameters"] == {
        "epochs": "30",
        "optimizer": '"adam"',
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": '"s3://cookie-results/assets/source.tar.gz"',
        "sagemaker_job_name": '"the-job"',
        "sagemaker_region": '"us-east-1"',
        "sagemaker_container_log_level": "20",
    }
    sources = {c["ChannelName"]: c["DataSource"]["S3DataSource"] for c in request["InputDataConfig"]}
    assert {name: (source["S3DataType"], source["S3Uri"]) for name, source in sources.items()} == {
        "manifests": ("S3Prefix", f"{RESULTS}/transform/manifests/"),
        "train": ("ManifestFile", f"{RESULTS}/transform/images/train.json"),
        "validation": ("ManifestFile", f"{RESULTS}/transform/images/validation.json"),
    }
    assert [metric["Name"] for metric in request["AlgorithmSpecification"]["MetricDefinitions"]] == [
        "recall",
        "accuracy",
    ]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("recall=0.97", "0.97"),
        ("epoch 3: recall: 0.5", "0.5"),
        ("loss=1e-3, recall = 9.1e-1;", "9.1e-1"),
        ("val_recall=0.9", None),
    ],
)
def test_metric_regex(line: str, value: str | None) -> None:
    found = re.search(train.metric_regex("recall"), line)
    assert (found.group(1) if found else None) == value


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"framework": {"name": "mxnet", "version": "1.9"}}, "no framework 'mxnet'"),
        ({"framework": {"name": "pytorch", "version": "9.9"}}, "no pytorch 9.9 training image"),
        ({"script": "../train.py"}, "event.config.script must match"),
        ({"gate": [{"metric": "recall", "op": "=>", "threshold": 1}]}, "must be one of >= > <= < =="),
        ({"hyperparameters": {"big": "x" * 2500}}, "'big' is longer than 2500 characters"),
    ],
)
def test_settings_that_cannot_work_are_named(cloud: Cloud, config: dict[str, Any], told: str) -> None:
    start(cloud)
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(**config)
    assert cloud.sagemaker.created == []


def test_a_job_that_runs_is_left_to_the_sweeper(cloud: Cloud) -> None:
    start(cloud)
    assert call() == {}
    assert cloud.stepfunctions.answers == {}
    finish(cloud)
    assert sweeper.sweep(cloud.desk()) == {"open": 1, "overdue": 0}
    output = json.loads(cloud.stepfunctions.answers["token-1"]["output"])
    assert output["metrics"] == {"recall": 0.97, "accuracy": 0.95}
    assert output["gate"][0] == {
        "metric": "recall",
        "op": ">=",
        "threshold": 0.9,
        "value": 0.97,
        "passed": True,
    }
    model = output["model"]
    assert model["facts"] == {"labels": ["normal", "anomaly"], "job": cloud.sagemaker.created[0]}
    assert model["digest"] == cloud.s3.put("s3://x-bucket/other", b"model")
    assert [job.status for job in cloud.jobs.items.values()] == [Status.SENT]


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        pytest.param(
            {"TrainingJobStatus": "Failed", "FailureReason": "AlgorithmError: ExitCode 1"},
            JobFailedError,
            "AlgorithmError: ExitCode 1 (log: /aws/sagemaker/TrainingJobs/",
            id="the script fails",
        ),
        pytest.param(
            {"TrainingJobStatus": "Failed", "FailureReason": "CapacityError: no machine"},
            CapacityError,
            "no machine",
            id="no machine is free",
        ),
        pytest.param(
            {"TrainingJobStatus": "Failed", "FailureReason": "InternalServerError: We encountered"},
            TransientError,
            "InternalServerError",
            id="SageMaker's own fault",
        ),
        pytest.param(
            {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"},
            JobFailedError,
            "was stopped after its longest allowed time",
            id="too slow",
        ),
        pytest.param(
            {"FinalMetricDataList": FIGURES[1:]},
            QualityGateError,
            "let it print a line such as 'recall=0.97'",
            id="a figure is missing",
        ),
        pytest.param(
            {"FinalMetricDataList": [{"MetricName": "recall", "Value": float("nan")}, FIGURES[1]]},
            QualityGateError,
            "never printed as a number",
            id="a figure is no number",
        ),
        pytest.param(
            {"FinalMetricDataList": [{"MetricName": "recall", "Value": 0.5}, FIGURES[1]]},
            QualityGateError,
            "recall is 0.5 and misses >= 0.9, accuracy is 0.95 and meets >= 0.8",
            id="the gate is missed",
        ),
    ],
)
def test_ends_that_fail_the_step(
    cloud: Cloud, changes: dict[str, Any], error: type[Exception], told: str
) -> None:
    start(cloud)
    call()
    finish(cloud, **changes)
    sweeper.sweep(cloud.desk())
    answer = cloud.stepfunctions.answers["token-1"]
    assert answer["error"] == error.__name__
    assert told in answer["cause"]
    assert "(log: /aws/sagemaker/TrainingJobs/" in answer["cause"]


def test_a_script_that_leaves_no_model_is_told_where_to_put_it(cloud: Cloud) -> None:
    start(cloud)
    call()
    finish(cloud)
    cloud.s3.objects.clear()
    sweeper.sweep(cloud.desk())
    answer = cloud.stepfunctions.answers["token-1"]
    assert answer["error"] == "TaskInputError"
    assert "SM_MODEL_DIR" in answer["cause"]


def test_a_delivery_without_a_token_is_refused(cloud: Cloud) -> None:
    with pytest.raises(TaskInputError, match="has no token"):
        train.handler({**event(), "token": None}, None)
    assert cloud.jobs.items == {}


def test_a_job_of_that_name_that_does_something_else_is_not_adopted(cloud: Cloud) -> None:
    start(cloud)
    call()
    (job,) = cloud.sagemaker.jobs.values()
    job["HyperParameters"] = {**job["HyperParameters"], "epochs": "31"}
    with pytest.raises(TaskInputError, match="exists with another HyperParameters"):
        call()


def test_a_retry_adopts_the_job_and_gets_the_answer(cloud: Cloud) -> None:
    start(cloud)
    call()
    cloud.stepfunctions.waiting = {"token-2"}
    call("token-2")
    finish(cloud)
    sweeper.sweep(cloud.desk())
    assert len(cloud.sagemaker.created) == 1
    assert set(cloud.stepfunctions.answers) == {"token-2"}


def test_a_delivery_that_was_overtaken_does_not_take_the_job_back(cloud: Cloud) -> None:
    start(cloud, "token-2")
    call("token-2")
    call("token-1")
    assert [job.token for job in cloud.jobs.items.values()] == ["token-2"]


def test_a_redrive_gets_the_finished_job(cloud: Cloud) -> None:
    start(cloud)
    call()
    finish(cloud)
    sweeper.sweep(cloud.desk())
    start(cloud, "redriven")
    call("redriven")
    assert cloud.stepfunctions.answers["redriven"] == cloud.stepfunctions.answers["token-1"]
    assert len(cloud.sagemaker.created) == 1


def test_a_retry_after_a_failed_job_starts_another(cloud: Cloud) -> None:
    start(cloud)
    call()
    finish(cloud, TrainingJobStatus="Failed", FailureReason="InternalServerError")
    sweeper.sweep(cloud.desk())
    start(cloud, "token-2")
    call("token-2")
    assert len(set(cloud.sagemaker.created)) == 2
    assert [job.attempt for job in cloud.jobs.items.values()] == [0, 1]


def test_a_quota_that_is_used_up_is_a_capacity_error_and_the_retry_reuses_the_record(cloud: Cloud) -> None:
    start(cloud)
    cloud.errors["CreateTrainingJob"] = [service_error("ResourceLimitExceeded")]
    with pytest.raises(CapacityError, match="quota"):
        call()
    start(cloud, "token-2")
    call("token-2")
    assert len(cloud.jobs.items) == len(cloud.sagemaker.created) == 1


def test_tokens_reach_neither_requests_nor_errors(cloud: Cloud) -> None:
    start(cloud)
    cloud.errors["CreateTrainingJob"] = [service_error("ValidationException", message="no")]
    with pytest.raises(TaskInputError) as caught:
        call()
    assert "token-1" not in str(caught.value)
    assert not any("token-1" in str(r) for service, _, r in cloud.calls if service != "stepfunctions")


def test_the_output_may_not_outgrow_step_functions(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    start(cloud)
    call()
    finish(cloud)
    monkeypatch.setattr(train, "outcome", lambda _detail, _job: {"text": "x" * 300_000})
    sweeper.sweep(cloud.desk())
    assert "Step Functions takes 262144" in cloud.stepfunctions.answers["token-1"]["cause"]


def test_a_fault_of_ours_in_judging_reaches_the_run(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_detail: object, _job: Job) -> dict[str, Any]:
        nothing: dict[str, dict[str, Any]] = {}
        return nothing["Digest"]

    start(cloud)
    call()
    finish(cloud)
    monkeypatch.setattr(train, "outcome", broken)
    sweeper.sweep(cloud.desk())
    assert cloud.stepfunctions.answers["token-1"] == {"error": "KeyError", "cause": "'Digest'"}


def _run_killed_after(count: int) -> Cloud:
    """Run the handler twice, the first time killed after `count` changes, and sweep; the job ends at once."""
    cloud = Cloud(kill_after=count)
    cloud.sagemaker.status = "Completed"
    cloud.sagemaker.endings = {"FinalMetricDataList": FIGURES}
    start(cloud)
    desk = cloud.desk()
    for _ in range(2):
        try:
            train.launch(parse_event(event()), desk)
        except Killed:
            continue
    sweeper.sweep(desk)
    return cloud


@pytest.mark.parametrize("count", range(7))
def test_killed_after_any_change_and_run_again_there_is_one_job_and_one_answer(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def client(service: str, *_: object) -> Any:
        return current[0].client(service)

    current: list[Cloud] = []
    monkeypatch.setattr("tasks.aws.client", client)
    original = Cloud.__post_init__

    def remember(self: Cloud) -> None:
        original(self)
        current[:] = [self]
        key = protocol.job_key(parse_event(event()).run, "train", None, 0)
        name = protocol.job_name(parse_event(event()).run, "train", None, key)
        self.s3.put(f"{RESULTS}/train/output/{name}/output/model.tar.gz", b"model")

    monkeypatch.setattr(Cloud, "__post_init__", remember)
    unharmed, killed = _run_killed_after(10**6), _run_killed_after(count)
    assert len(killed.sagemaker.created) == 1
    assert killed.stepfunctions.answers == unharmed.stepfunctions.answers
    assert "output" in killed.stepfunctions.answers["token-1"]
    assert [job.status for job in killed.jobs.items.values()] == [Status.SENT]


def test_the_kill_test_covers_every_change(cloud: Cloud) -> None:
    start(cloud)
    cloud.sagemaker.status = "Completed"
    cloud.sagemaker.endings = {"FinalMetricDataList": FIGURES}
    callback_desk = callback.open_desk()
    train.launch(parse_event(event()), callback_desk)
    # Record, create, mark done, send, mark sent: range(7) above kills after each of them and after none.
    assert cloud.changes == 5
