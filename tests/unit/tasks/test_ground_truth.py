"""label by people: the request, what the job reads, what its output comes to, and one job."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tasks import events, ground_truth, label, sweeper
from tasks.errors import CapacityError, TaskInputError
from tasks.event import parse_event
from tests.unit.tasks.fakes import RESULTS, RUN_ARN, USECASE, Cloud, Killed, payload
from tests.unit.tasks.faults import service_error
from tests.unit.tasks.validator import problems_of

CONFIG = {"method": "ground-truth", "dataset": "s3://cookie-data/cookies/", "labels": ["normal", "anomaly"]}
FOLDER = f"{RESULTS}/label"


def event(token: str = "token-1", timeout: int = 864_000, **config: Any) -> dict[str, Any]:
    return {**payload("label", {**CONFIG, **config}, token=token), "timeout_seconds": timeout}


def call(token: str = "token-1", **config: Any) -> dict[str, Any]:
    return label.handler(event(token, **config), None)


@pytest.fixture
def images(cloud: Cloud) -> Cloud:
    """Three images and a file that is none; the token waits."""
    for name in ("b/2.PNG", "a/1.jpg", "a/note.txt", "c.jpeg"):
        cloud.s3.put(f"s3://cookie-data/cookies/{name}", b"x")
    begin(cloud, "token-1")
    return cloud


def begin(cloud: Cloud, token: str) -> None:
    cloud.stepfunctions.waiting.add(token)
    cloud.stepfunctions.executions[RUN_ARN] = "RUNNING"


def line(source: str, name: str | None = None, **metadata: Any) -> dict[str, Any]:
    told = {"class-name": name} if name else {}
    return {"source-ref": source, "label": 0, "label-metadata": {**told, **metadata}}


def finish(cloud: Cloud, lines: list[Any], **changes: Any) -> None:
    (job,) = cloud.sagemaker.jobs.values()
    job.update({"LabelingJobStatus": "Completed", **changes})
    body = "".join(f"{json.dumps(each)}\n" for each in lines)
    cloud.s3.put(job["LabelingJobOutput"]["OutputDatasetS3Uri"], body.encode())


def answer(cloud: Cloud, token: str = "token-1") -> dict[str, Any]:
    sweeper.sweep(cloud.desk())
    found: dict[str, Any] = cloud.stepfunctions.answers[token]
    return found


def test_the_request_is_one_that_aws_takes() -> None:
    request = ground_truth.build_request(parse_event(event()), "cookie-defects-label-0123456789ab")
    assert problems_of("sagemaker", "CreateLabelingJob", request) == []


def test_the_request_asks_a_private_team_for_one_class_an_image() -> None:
    request = ground_truth.build_request(parse_event(event(workteam="inspectors")), "the-job")
    task = request["HumanTaskConfig"]
    here = f"us-east-1:{USECASE['account']}"
    assert task["WorkteamArn"] == f"arn:aws:sagemaker:{here}:workteam/private-crowd/inspectors"
    assert task["PreHumanTaskLambdaArn"].endswith(":432418664414:function:PRE-ImageMultiClass")
    after = task["AnnotationConsolidationConfig"]["AnnotationConsolidationLambdaArn"]
    assert after.endswith(":432418664414:function:ACS-ImageMultiClass")
    assert task["TaskAvailabilityLifetimeInSeconds"] == 864_000
    assert request["OutputConfig"] == {"S3OutputPath": f"{FOLDER}/output"}


@pytest.mark.parametrize(("timeout", "available"), [(5, 60), (864_000, 864_000), (9_000_000, 2_592_000)])
def test_tasks_are_there_as_long_as_the_step_waits(timeout: int, available: int) -> None:
    request = ground_truth.build_request(parse_event(event(timeout=timeout)), "the-job")
    assert request["HumanTaskConfig"]["TaskAvailabilityLifetimeInSeconds"] == available


def test_the_job_finds_images_labels_and_page(images: Cloud) -> None:
    assert call() == {}
    (job,) = images.sagemaker.jobs.values()
    given = job["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    names = [json.loads(each)["source-ref"] for each in images.s3.get(given).splitlines()]
    assert names == [f"s3://cookie-data/cookies/{name}" for name in ("a/1.jpg", "b/2.PNG", "c.jpeg")]
    categories = json.loads(images.s3.get(job["LabelCategoryConfigS3Uri"]))
    assert categories == {
        "document-version": "2018-11-28",
        "labels": [{"label": "normal"}, {"label": "anomaly"}],
    }
    page = images.s3.get(job["HumanTaskConfig"]["UiConfig"]["UiTemplateS3Uri"]).decode()
    assert "grant_read_access" in page
    assert "task.input.labels" in page


def test_a_manifest_of_ones_own_is_passed_on(images: Cloud) -> None:
    call(dataset="s3://cookie-data/lists/today.manifest")
    (job,) = images.sagemaker.jobs.values()
    given = job["InputConfig"]["DataSource"]["S3DataSource"]["ManifestS3Uri"]
    assert given == "s3://cookie-data/lists/today.manifest"


def test_the_output_manifest_becomes_the_labels(images: Cloud) -> None:
    call()
    lines = [line("s3://cookie-data/cookies/a/1.jpg", "anomaly"), line("s3://x-y-z/2", "normal")]
    finish(images, [*lines, line("s3://cookie-data/c.jpeg", **{"failure-reason": "gone"})])
    (labels,) = json.loads(answer(images)["output"]).values()
    assert labels["uri"].endswith("/manifests/output/output.manifest")
    assert labels["digest"].startswith("sha256:")
    assert labels["facts"] == {
        "labels": ["normal", "anomaly"],
        "count": 2,
        "per_class": {"normal": 1, "anomaly": 1},
        "attribute": "label",
        "root": "s3://cookie-data/cookies/",
        "failed": 1,
        "job": images.sagemaker.created[0],
    }


@pytest.mark.parametrize(
    ("lines", "changes", "error", "told"),
    [
        (
            [],
            {"LabelingJobStatus": "Failed", "FailureReason": "ClientError: no"},
            "JobFailedError",
            "ClientError: no",
        ),
        ([], {"LabelingJobStatus": "Stopped"}, "JobFailedError", "was stopped"),
        ([line("s3://b-c/d", "cracked")], {}, "TaskInputError", "'cracked' is none of the labels"),
        (["no object"], {}, "TaskInputError", "line 1: is not a JSON object"),
        (
            [line("s3://b-c/d", **{"failure-reason": "gone"})],
            {},
            "JobFailedError",
            "none of 1 images; the first: gone",
        ),
    ],
)
def test_ends_that_fail_the_step(
    images: Cloud, lines: list[Any], changes: dict[str, Any], error: str, told: str
) -> None:
    call()
    finish(images, lines, **changes)
    found = answer(images)
    assert found["error"] == error
    assert told in found["cause"]


def test_an_output_that_is_not_there_fails_the_step(images: Cloud) -> None:
    call()
    finish(images, [])
    job = images.sagemaker.jobs[images.sagemaker.created[0]]
    job["LabelingJobOutput"] = {"OutputDatasetS3Uri": "s3://cookie-results/none"}
    assert "s3://cookie-results/none does not exist" in answer(images)["cause"]


@pytest.mark.parametrize("killed_after", range(12))
def test_a_killed_delivery_leaves_one_job_and_one_answer(images: Cloud, killed_after: int) -> None:
    images.kill_after = killed_after
    try:
        call()
    except Killed:
        call()
    images.kill_after = None
    images.s3.put("s3://cookie-data/cookies/later.jpg", b"x")
    begin(images, "token-2")
    images.stepfunctions.waiting.discard("token-1")
    call("token-2")
    assert len(images.sagemaker.created) == 1
    assert b"later" not in images.s3.get(f"{FOLDER}/input.manifest")
    finish(images, [line("s3://b-c/d", "normal")])
    assert "output" in answer(images, "token-2")


def test_an_event_of_ground_truth_leads_to_the_job_it_is_about(images: Cloud) -> None:
    call()
    finish(images, [line("s3://b-c/d", "normal")])
    arn = f"arn:aws:sagemaker:us-east-1:{USECASE['account']}:labeling-job/{images.sagemaker.created[0]}"
    told = {
        "detail-type": "SageMaker Ground Truth Labeling Job State Change",
        "account": USECASE["account"],
        "region": "us-east-1",
        "resources": [arn],
        "detail": {"LabelingJobStatus": "Completed"},
    }
    for strange in ([], None, "no list", [f"{arn}-another"]):
        assert events.handler({**told, "resources": strange}, None) == {"settled": 0}
    assert events.handler(told, None) == {"settled": 1}
    assert "output" in images.stepfunctions.answers["token-1"]


def test_the_job_of_a_run_that_is_gone_is_stopped(images: Cloud) -> None:
    call()
    images.stepfunctions.executions[RUN_ARN] = "ABORTED"
    sweeper.sweep(images.desk())
    assert images.sagemaker.stopped == images.sagemaker.created


def test_a_quota_that_is_used_up_is_a_capacity_error(images: Cloud) -> None:
    images.errors["CreateLabelingJob"] = [service_error("ResourceLimitExceeded")]
    with pytest.raises(CapacityError, match="quota"):
        call()
    call()
    assert len(images.sagemaker.created) == 1


def test_a_job_of_that_name_with_another_task_is_not_adopted(images: Cloud) -> None:
    call()
    (job,) = images.sagemaker.jobs.values()
    job["HumanTaskConfig"] = {**job["HumanTaskConfig"], "TaskTitle": "another"}
    with pytest.raises(TaskInputError, match="exists with another HumanTaskConfig"):
        call()


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"labels": ["one"]}, "two names or more"),
        ({"task": "detection"}, "classification"),
        ({"workteam": "a_b"}, "workteam"),
        ({"dataset": "cookies/"}, "no s3:// address|not an s3:// address"),
        ({"dataset": "s3://cookie-data/empty/"}, "has no .jpg, .jpeg or .png images"),
    ],
)
def test_what_cannot_be_labelled_is_refused(images: Cloud, config: dict[str, Any], told: str) -> None:
    with pytest.raises(TaskInputError, match=told):
        call(**config)
    assert images.sagemaker.created == []


def test_a_region_without_ground_truth_is_named(images: Cloud) -> None:
    given = {**event(), "usecase": {**USECASE, "region": "eu-north-1"}}
    with pytest.raises(TaskInputError, match="labels no images in eu-north-1; the regions are"):
        label.handler(given, None)
    assert images.jobs.items == {}


def test_the_rights_cover_what_is_called(images: Cloud) -> None:
    call()
    images.stepfunctions.executions[RUN_ARN] = "RUNNING"
    assert images.actions() <= set(label.ACTIONS)
