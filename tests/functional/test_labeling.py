"""Labelling jobs through boto3: from an input manifest, through people's answers, to the output manifest."""

from __future__ import annotations

import json
import subprocess
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local_cloud import sagemaker
from local_cloud.clock import SystemClock
from local_cloud.context import ORCHESTRATOR_ACCOUNT, Context
from local_cloud.labelling.oracle import Oracle, keep_oracle
from local_cloud.labelling.sheets import Answer, Sheets
from local_cloud.store import Store
from tasks.manifest import Labelled, Unlabelled, parse_entry
from tests.functional.served import serving
from tests.functional.test_run import EDGEPIPE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from local_cloud.clock import CloudClock
    from local_cloud.context import Event
    from tests.functional.served import Served

TEAM = f"arn:aws:sagemaker:us-east-1:{ORCHESTRATOR_ACCOUNT}:workteam/private-crowd/inspectors"
FUNCTION = "arn:aws:lambda:us-east-1:432418664414:function:{}-ImageMultiClass"
CATEGORIES = {"document-version": "2018-11-28", "labels": [{"label": "normal"}, {"label": "anomaly"}]}
TASK: dict[str, Any] = {
    "WorkteamArn": TEAM,
    "UiConfig": {"UiTemplateS3Uri": "s3://data/template.html"},
    "PreHumanTaskLambdaArn": FUNCTION.format("PRE"),
    "AnnotationConsolidationConfig": {"AnnotationConsolidationLambdaArn": FUNCTION.format("ACS")},
    "TaskTitle": "Look",
    "TaskDescription": "Choose the class of the image",
    "NumberOfHumanWorkersPerDataObject": 1,
    "TaskTimeLimitInSeconds": 300,
}
REQUEST: dict[str, Any] = {
    "LabelAttributeName": "label",
    "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": "s3://data/in.manifest"}}},
    "OutputConfig": {"S3OutputPath": "s3://data/out/"},
    "RoleArn": f"arn:aws:iam::{ORCHESTRATOR_ACCOUNT}:role/jobs",
    "LabelCategoryConfigS3Uri": "s3://data/categories.json",
    "HumanTaskConfig": TASK,
}


@dataclass
class Cloud:
    client: Any
    s3: Any
    sheets: Sheets
    store: Store
    events: list[Event]
    state_dir: Path

    def put(self, key: str, body: bytes | str) -> None:
        self.s3.put_object(Bucket="data", Key=key, Body=body)

    def fill(self, count: int, *, missing: int = 0) -> None:
        """Put a manifest of `count` images there, the last `missing` of them not."""
        names = [f"images/{number}.png" for number in range(count)]
        for name in names[: count - missing]:
            self.put(name, f"pixels of {name}")
        lines = [json.dumps({"source-ref": f"s3://data/{name}", "batch": 7}) for name in names]
        self.put("in.manifest", "\n".join(lines) + "\n")
        self.put("categories.json", json.dumps(CATEGORIES))

    def begin(self, name: str = "job", **changes: Any) -> str:
        return str(
            self.client.create_labeling_job(LabelingJobName=name, **{**REQUEST, **changes})["LabelingJobArn"]
        )

    def job(self, name: str = "job") -> dict[str, Any]:
        return dict(self.client.describe_labeling_job(LabelingJobName=name))

    def until(self, status: str, name: str = "job") -> dict[str, Any]:
        return self.when(lambda: self.job(name)["LabelingJobStatus"] == status, name)

    def when(self, done: Any, name: str = "job") -> dict[str, Any]:
        for _ in range(12_000):
            if done():
                return self.job(name)
            threading.Event().wait(0.01)
        message = f"{name} stands at {self.job(name)}"
        raise AssertionError(message)

    def sheet(self, name: str = "job") -> Any:
        arn = f"arn:aws:sagemaker:us-east-1:{ORCHESTRATOR_ACCOUNT}:labeling-job/{name}"
        self.when(lambda: self.sheets.find(arn) is not None, name)
        return self.sheets.find(arn)

    def answer(self, arn: str, labels: dict[int, str]) -> None:
        answers = {n: Answer(label=label, by="me", at=1_700_000_000.5) for n, label in labels.items()}
        self.sheets.answer(arn, answers)

    def output(self, name: str = "job") -> list[dict[str, Any]]:
        uri = self.job(name)["LabelingJobOutput"]["OutputDatasetS3Uri"]
        assert uri == f"s3://data/out/{name}/manifests/output/output.manifest"
        body = self.s3.get_object(Bucket="data", Key=uri.removeprefix("s3://data/"))["Body"].read()
        return [json.loads(line) for line in body.decode().splitlines()]


@contextmanager
def opened(state_dir: Path, clock: CloudClock | None = None) -> Iterator[Cloud]:
    events: list[Event] = []
    with closing(Store(state_dir)) as store:
        context = Context(state_dir=state_dir, store=store, emit=events.append, clock=clock or SystemClock())
        handle = sagemaker.install(context)
        with mock_aws():
            try:
                s3 = boto3.client("s3", region_name="us-east-1")
                s3.create_bucket(Bucket="data")
                client = boto3.client("sagemaker", region_name="us-east-1")
                yield Cloud(client, s3, Sheets(store), store, events, state_dir)
            finally:
                handle.close()


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with opened(tmp_path) as made:
        yield made


def test_people_label_and_the_output_is_what_the_next_step_reads(cloud: Cloud) -> None:
    cloud.fill(3)
    arn = cloud.begin()
    sheet = cloud.sheet()
    assert (sheet.labels, sheet.title, sheet.images[0].uri) == (
        ("normal", "anomaly"),
        "Look",
        "s3://data/images/0.png",
    )
    shown = cloud.state_dir / sheet.folder / sheet.images[2].file
    assert shown.read_text() == "pixels of images/2.png"
    cloud.answer(arn, {0: "anomaly", 2: "normal"})
    job = cloud.when(lambda: cloud.job()["LabelCounters"]["TotalLabeled"] == 2)
    assert job["LabelingJobStatus"] == "InProgress"
    assert job["LabelCounters"] == {
        "TotalLabeled": 2,
        "HumanLabeled": 2,
        "MachineLabeled": 0,
        "FailedNonRetryableError": 0,
        "Unlabeled": 1,
    }
    cloud.answer(arn, {0: "normal", 1: "anomaly"})  # somebody has thought again about the first
    job = cloud.until("Completed")
    assert job["LabelCounters"]["TotalLabeled"] == 3
    assert job["HumanTaskConfig"] == TASK
    assert cloud.output()[1] == {
        "source-ref": "s3://data/images/1.png",
        "batch": 7,
        "label": 1,
        "label-metadata": {
            "class-name": "anomaly",
            "confidence": 1.0,
            "type": "groundtruth/image-classification",
            "job-name": "labeling-job/job",
            "human-annotated": "yes",
            "creation-date": "2023-11-14T22:13:20.500000",
        },
    }
    entries = [parse_entry(n, line, "label", sheet.labels) for n, line in enumerate(cloud.output())]
    assert [entry.class_name for entry in entries if isinstance(entry, Labelled)] == [
        "normal",
        "anomaly",
        "normal",
    ]
    assert cloud.sheets.find(arn) is None
    assert not shown.exists()


def test_the_end_is_told_as_ground_truth_tells_it(cloud: Cloud) -> None:
    cloud.fill(1)
    arn = cloud.begin()
    cloud.sheet()
    cloud.answer(arn, {0: "normal"})
    cloud.until("Completed")
    cloud.when(lambda: cloud.events)
    (event,) = cloud.events
    assert event["detail-type"] == "SageMaker Ground Truth Labeling Job State Change"
    assert (event["resources"], event["detail"]) == ([arn], {"LabelingJobStatus": "Completed"})


def test_an_oracle_answers_for_the_jobs_of_its_run(cloud: Cloud) -> None:
    cloud.fill(3)
    keep_oracle(
        cloud.store, "run-1", Oracle(labels={"0.png": "normal", "images/1.png": "anomaly", "2.png": "?"})
    )
    cloud.begin(Tags=[{"Key": "edgepipe:run", "Value": "run-1"}])
    cloud.begin("other")
    job = cloud.when(lambda: cloud.job()["LabelCounters"]["TotalLabeled"] == 2)
    assert job["LabelingJobStatus"] == "InProgress"
    log = cloud.state_dir / "logs/aws/sagemaker/LabelingJobs/job.log"
    assert "the oracle says '?', which is none of the labels" in log.read_text()
    cloud.answer(job["LabelingJobArn"], {2: "normal"})
    cloud.until("Completed")
    assert [line["label"] for line in cloud.output()] == [0, 1, 0]
    assert cloud.job("other")["LabelCounters"]["TotalLabeled"] == 0


def test_a_stopped_job_leaves_the_labels_that_there_were(cloud: Cloud) -> None:
    cloud.fill(2)
    arn = cloud.begin()
    cloud.sheet()
    cloud.answer(arn, {1: "anomaly"})
    cloud.client.stop_labeling_job(LabelingJobName="job")
    job = cloud.until("Stopped")
    assert job["LabelCounters"]["Unlabeled"] == 1
    assert [line.get("label") for line in cloud.output()] == [None, 1]
    with pytest.raises(ClientError, match="in status Stopped"):
        cloud.client.stop_labeling_job(LabelingJobName="job")


def test_a_stopping_condition_ends_the_job(cloud: Cloud) -> None:
    cloud.fill(4)
    for name, condition in (
        ("count", "MaxHumanLabeledObjectCount"),
        ("share", "MaxPercentageOfInputDatasetLabeled"),
    ):
        arn = cloud.begin(name, StoppingConditions={condition: 2 if name == "count" else 50})
        cloud.sheet(name)
        cloud.answer(arn, {0: "normal", 3: "anomaly"})
        cloud.until("Stopped", name)
        assert [line.get("label") for line in cloud.output(name)] == [0, None, None, 1]


def test_an_object_that_is_not_there_fails_alone(cloud: Cloud) -> None:
    cloud.fill(2, missing=1)
    arn = cloud.begin()
    cloud.sheet()
    cloud.answer(arn, {0: "normal"})
    job = cloud.until("Completed")
    assert (job["LabelCounters"]["TotalLabeled"], job["LabelCounters"]["FailedNonRetryableError"]) == (1, 1)
    entry = parse_entry(2, cloud.output()[1], "label", ("normal", "anomaly"))
    assert isinstance(entry, Unlabelled)
    assert "s3://data/images/1.png cannot be read" in entry.reason


@pytest.mark.parametrize(
    ("key", "body", "reason"),
    [
        ("in.manifest", "{", "in.manifest line 1 is not JSON"),
        ("in.manifest", "[]", "line 1 has no source-ref"),
        ("in.manifest", '{"source": "text"}', "line 1 has no source-ref"),
        ("in.manifest", "\n", "in.manifest is empty"),
        ("in.manifest", '{"source-ref": "s3://data/none.png"}', "none of the 1 objects can be read"),
        ("in.manifest", '{"source-ref": "s3://data/a", "label": 0}', "has the attribute 'label' already"),
        ("categories.json", "{}", "no label category configuration"),
        ("categories.json", '{"labels": [{"label": "one"}]}', "2 or more different labels"),
        ("categories.json", None, "categories.json cannot be read"),
        ("in.manifest", None, "in.manifest cannot be read"),
    ],
)
def test_a_job_that_cannot_begin_says_why(cloud: Cloud, key: str, body: str | None, reason: str) -> None:
    cloud.fill(1)
    cloud.s3.delete_object(Bucket="data", Key=key)
    if body is not None:
        cloud.put(key, body)
    cloud.begin()
    job = cloud.until("Failed")
    assert job["FailureReason"].startswith("ClientError: ")
    assert reason in job["FailureReason"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"WorkteamArn": TEAM.replace("private", "public")}, "the public workforce"),
        ({"WorkteamArn": TEAM.replace("private", "vendor")}, "the vendor workforce"),
        (
            {"PreHumanTaskLambdaArn": FUNCTION.format("PRE").replace("Image", "Text")},
            "the task TextMultiClass",
        ),
        (
            {"PreHumanTaskLambdaArn": "arn:aws:lambda:us-east-1:123456789012:function:own"},
            "functions of one's own",
        ),
        ({"NumberOfHumanWorkersPerDataObject": 3}, "several workers"),
    ],
)
def test_what_is_not_emulated_is_refused_by_name(cloud: Cloud, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said) as caught:
        cloud.begin(HumanTaskConfig={**TASK, **change})
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert cloud.client.list_labeling_jobs()["LabelingJobSummaryList"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"LabelAttributeName": "x-metadata"}, "cannot end with -metadata"),
        ({"RoleArn": "arn:aws:iam::1:user/somebody-there"}, "RoleArn"),
        (
            {"OutputConfig": {"S3OutputPath": "https://data/out"}},
            "OutputConfig.S3OutputPath must be an S3 URI",
        ),
        (
            {"LabelingJobAlgorithmsConfig": {"LabelingJobAlgorithmSpecificationArn": "arn:x"}},
            "automated data labeling",
        ),
        (
            {"InputConfig": {"DataSource": {"SnsDataSource": {"SnsTopicArn": "arn:aws:sns:us-east-1:1:x"}}}},
            "streaming labeling jobs",
        ),
    ],
)
def test_a_wrong_request_is_refused(cloud: Cloud, change: dict[str, Any], said: str) -> None:
    with pytest.raises(ClientError, match=said):
        cloud.begin(**change)


def test_names_are_unique_and_unknown_ones_are_not_found(cloud: Cloud) -> None:
    cloud.fill(1)
    cloud.begin()
    with pytest.raises(cloud.client.exceptions.ResourceInUse):
        cloud.begin()
    for verb in ("describe", "stop"):
        with pytest.raises(cloud.client.exceptions.ResourceNotFound):
            getattr(cloud.client, f"{verb}_labeling_job")(LabelingJobName="none")


def test_jobs_are_listed_by_filters_and_pages(cloud: Cloud) -> None:
    cloud.fill(1)
    for name in ("b-2", "a-1", "b-1"):
        cloud.begin(name)
    cloud.client.stop_labeling_job(LabelingJobName="a-1")
    cloud.until("Stopped", "a-1")

    def names(**asked: Any) -> list[str]:
        pages = cloud.client.get_paginator("list_labeling_jobs").paginate(**asked)
        return [job["LabelingJobName"] for page in pages for job in page["LabelingJobSummaryList"]]

    assert names() == ["b-2", "a-1", "b-1"]
    assert names(SortBy="Name", PaginationConfig={"PageSize": 1}) == ["a-1", "b-1", "b-2"]
    assert names(SortBy="Name", SortOrder="Descending", NameContains="b-") == ["b-2", "b-1"]
    assert names(StatusEquals="Stopped") == ["a-1"]
    made = cloud.job("a-1")["CreationTime"]
    for key in ("CreationTime", "LastModifiedTime"):
        for hours, after in ((-1, 3), (1, 0)):
            moment = made + timedelta(hours=hours)
            assert len(names(**{f"{key}After": moment})) == after
            assert len(names(**{f"{key}Before": moment})) == 3 - after
    (row,) = cloud.client.list_labeling_jobs(NameContains="a-")["LabelingJobSummaryList"]
    assert (row["WorkteamArn"], row["LabelCounters"]["Unlabeled"]) == (TEAM, 1)
    with pytest.raises(ClientError, match="NextToken"):
        cloud.client.list_labeling_jobs(NextToken="?")


def test_tags_are_told_and_changed(cloud: Cloud) -> None:
    cloud.fill(1)
    arn = cloud.begin(Tags=[{"Key": "a", "Value": "1"}])
    cloud.client.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    assert cloud.client.list_tags(ResourceArn=arn)["Tags"] == cloud.job()["Tags"]
    cloud.client.delete_tags(ResourceArn=arn, TagKeys=["a"])
    assert cloud.job()["Tags"] == [{"Key": "b", "Value": "2"}]


@pytest.mark.soak
def test_the_aws_cli_makes_follows_and_stops_a_job(tmp_path: Path) -> None:
    request = json.dumps({"LabelingJobName": "job", **REQUEST})
    (tmp_path / "categories.json").write_text(json.dumps(CATEGORIES), encoding="utf-8")
    (tmp_path / "in.manifest").write_text('{"source-ref": "s3://data/in.manifest"}', encoding="utf-8")
    with serving(tmp_path / "state") as served:
        served.aws("s3", "mb", "s3://data")
        for name in ("categories.json", "in.manifest"):
            served.aws("s3", "cp", str(tmp_path / name), f"s3://data/{name}")
        made = served.aws("sagemaker", "create-labeling-job", "--cli-input-json", request)
        again = served.try_aws("sagemaker", "create-labeling-job", "--cli-input-json", request)
        assert "(ResourceInUse)" in again.stderr
        (row,) = served.aws("sagemaker", "list-labeling-jobs")["LabelingJobSummaryList"]
        assert row["LabelingJobArn"] == made["LabelingJobArn"]
        person = json.dumps({"number": 0, "label": "anomaly"})
        label = [str(EDGEPIPE), "label", "--job", "job", "--state-dir", str(tmp_path / "state")]
        page = subprocess.Popen(label, stdout=subprocess.PIPE, text=True)
        assert page.stdout is not None
        urlopen(
            Request(page.stdout.readline().strip() + "answers", data=person.encode()), timeout=120
        ).close()
        assert page.wait(240) == 0
        page.stdout.close()
        job = shown_at(served, "job", "Completed")
        output = job["LabelingJobOutput"]["OutputDatasetS3Uri"]
        served.aws("s3", "cp", output, str(tmp_path / "out"))
        named = ("--labeling-job-name", "job-2")
        more = ("--cli-input-json", request, *named)
        served.aws("sagemaker", "create-labeling-job", *more)
        served.aws("sagemaker", "stop-labeling-job", *named)
        assert shown_at(served, "job-2", "Stopped")["LabelCounters"]["Unlabeled"] == 1
    assert json.loads((tmp_path / "out").read_text())["label"] == 1


def shown_at(served: Served, name: str, status: str) -> dict[str, Any]:
    for _ in range(240):
        job: dict[str, Any] = served.aws("sagemaker", "describe-labeling-job", "--labeling-job-name", name)
        if job["LabelingJobStatus"] == status:
            return job
        threading.Event().wait(0.5)
    raise AssertionError(job)


class Ahead(SystemClock):
    """A clock that a test puts forward."""

    seconds = 0.0

    def now(self) -> float:
        return super().now() + self.seconds


def test_what_nobody_labels_in_time_fails(tmp_path: Path) -> None:
    clock = Ahead()
    with opened(tmp_path, clock=clock) as cloud:
        cloud.fill(2)
        arn = cloud.begin()
        cloud.begin("other")
        cloud.sheet("other")
        cloud.sheet()
        cloud.answer(arn, {0: "normal"})
        cloud.when(lambda: cloud.job()["LabelCounters"]["TotalLabeled"] == 1)
        clock.seconds = 30 * 86_400 + 60
        job = cloud.until("Completed")
        assert (job["LabelCounters"]["HumanLabeled"], job["LabelCounters"]["FailedNonRetryableError"]) == (
            1,
            1,
        )
        assert cloud.output()[1]["label-metadata"]["failure-reason"].startswith("nobody labelled the object")
        assert "nobody labelled" in cloud.until("Failed", "other")["FailureReason"]
