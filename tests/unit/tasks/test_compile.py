"""compile: the processing job's request and what its end comes to."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tasks import compile as compiling
from tasks import sweeper
from tasks.errors import TaskInputError
from tasks.event import parse_event
from tests.unit.tasks.fakes import RESULTS, RUN_ARN, USECASE, Cloud, artifact, payload
from tests.unit.tasks.validator import problems_of

CONFIG = {"backend": "onnxruntime", "targets": ["x86_64-cpu"], "require": "all"}
SPLITS = {
    name: {
        "uri": f"{RESULTS}/transform/manifests/{name}.jsonl",
        "images": f"{RESULTS}/transform/images/{name}.json",
    }
    for name in ("train", "validation")
}
MODEL = f"{RESULTS}/train/output/job/output/model.tar.gz"
OUTPUT = f"{RESULTS}/compile/x86_64-cpu/output"
INPUTS = {
    "model": artifact("model", MODEL, labels=["normal", "anomaly"]),
    "manifest": artifact("manifest", f"{RESULTS}/transform/all.jsonl", splits=SPLITS),
}


def event(**changes: Any) -> dict[str, Any]:
    return payload(
        "compile", **{"config": CONFIG, "inputs": INPUTS, "target": "x86_64-cpu", "token": "t", **changes}
    )


def start(cloud: Cloud) -> dict[str, Any]:
    """Start the only job and return it."""
    cloud.stepfunctions.waiting.add("t")
    cloud.stepfunctions.executions[RUN_ARN] = "RUNNING"
    assert compiling.handler(event(), None) == {}
    (job,) = cloud.sagemaker.jobs.values()
    return job


def answer(cloud: Cloud) -> dict[str, Any]:
    sweeper.sweep(cloud.desk())
    return cloud.stepfunctions.answers["t"]


def test_request_is_one_that_aws_takes() -> None:
    request = compiling.build_request(parse_event(event()), "cookie-defects-compile-x86-64-cpu-0123")
    assert problems_of("sagemaker", "CreateProcessingJob", request) == []


def test_request_mounts_model_manifests_and_images() -> None:
    request = compiling.build_request(parse_event(event()), "the-job")
    assert request["AppSpecification"] == {
        "ImageUri": USECASE["optimize_image_uri"],
        "ContainerArguments": ["--target", "x86_64-cpu", "--labels", '["normal", "anomaly"]'],
    }
    mounts = {
        item["InputName"]: (
            item["S3Input"]["LocalPath"],
            item["S3Input"]["S3DataType"],
            item["S3Input"]["S3Uri"],
        )
        for item in request["ProcessingInputs"]
    }
    root = "/opt/ml/processing/input"
    assert mounts == {
        "model": (f"{root}/model", "S3Prefix", MODEL),
        "manifests": (f"{root}/manifests", "S3Prefix", f"{RESULTS}/transform/manifests/"),
        "train": (f"{root}/train", "ManifestFile", f"{RESULTS}/transform/images/train.json"),
        "validation": (f"{root}/validation", "ManifestFile", f"{RESULTS}/transform/images/validation.json"),
    }
    (output,) = request["ProcessingOutputConfig"]["Outputs"]
    assert (output["S3Output"]["LocalPath"], output["S3Output"]["S3Uri"]) == (
        "/opt/ml/processing/output",
        OUTPUT,
    )


def test_a_completed_job_gives_target_model_and_report(cloud: Cloud) -> None:
    job = start(cloud)
    digest = cloud.s3.put(f"{OUTPUT}/model.onnx", b"onnx")
    cloud.s3.put(f"{OUTPUT}/compile-report.json", b'{"quantised": true, "latency_ms": 1.5}')
    job["ProcessingJobStatus"] = "Completed"
    output = json.loads(answer(cloud)["output"])
    assert output["target"] == "x86_64-cpu"
    assert output["artifact"] == {
        "type": "compiled_model",
        "uri": f"{OUTPUT}/model.onnx",
        "digest": digest,
        "facts": {"quantised": True, "latency_ms": 1.5, "labels": ["normal", "anomaly"]},
    }


@pytest.mark.parametrize("report", [None, b"{", b"[]"])
def test_a_job_that_left_no_report_failed(cloud: Cloud, report: bytes | None) -> None:
    job = start(cloud)
    cloud.s3.put(f"{OUTPUT}/model.onnx", b"onnx")
    if report is not None:
        cloud.s3.put(f"{OUTPUT}/compile-report.json", report)
    job["ProcessingJobStatus"] = "Completed"
    told = answer(cloud)
    assert told["error"] == "JobFailedError"
    assert "left no model.onnx and readable compile-report.json" in told["cause"]


def test_a_failed_job_names_reason_and_log(cloud: Cloud) -> None:
    job = start(cloud)
    job.update({"ProcessingJobStatus": "Failed", "FailureReason": "AlgorithmError: exit code 2"})
    told = answer(cloud)
    assert told["error"] == "JobFailedError"
    assert re.search(
        r"exit code 2 \(log: /aws/sagemaker/ProcessingJobs/cookie-defects-compile-x86", told["cause"]
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"target": None}, "has no target"),
        ({"config": {**CONFIG, "backend": "neo"}}, "event.config.backend must be one of onnxruntime"),
        ({"inputs": {}}, "needs one artifact as its input 'model'"),
        (
            {"inputs": {**INPUTS, "model": artifact("model", MODEL, labels=["x" * 150, "y" * 150])}},
            "shorten them to 256",
        ),
    ],
)
def test_an_event_that_cannot_work_is_refused(cloud: Cloud, changes: dict[str, Any], told: str) -> None:
    cloud.stepfunctions.waiting.add("t")
    with pytest.raises(TaskInputError, match=re.escape(told)):
        compiling.handler(event(**changes), None)
    assert cloud.sagemaker.created == []


def test_targets_have_jobs_of_their_own(cloud: Cloud) -> None:
    start(cloud)
    compiling.handler(event(target="arm64-cpu", token="u"), None)
    assert len(set(cloud.sagemaker.created)) == 2
