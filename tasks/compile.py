"""compile: optimises the model for one target, in a SageMaker processing job of containers/optimize."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks import aws, callback, entry, s3, sagemaker
from tasks.callback import Description, Desk, Detail, Work
from tasks.errors import JobFailedError, TaskInputError
from tasks.event import Artifact, Output, StepEvent
from tasks.fields import Fields
from tasks.locations import Location, parse_location
from tasks.sagemaker import PROCESSING

if TYPE_CHECKING:
    from tasks.protocol import Job

ACTIONS = (
    *callback.ACTIONS,
    *s3.READ_ACTIONS,
    "iam:PassRole",
    "sagemaker:AddTags",
    "sagemaker:CreateProcessingJob",
    "sagemaker:DescribeProcessingJob",
    "sagemaker:StopProcessingJob",
)

BACKENDS = ("onnxruntime",)
INPUT_ROOT = "/opt/ml/processing/input"
OUTPUT_FOLDER = "/opt/ml/processing/output"
MODEL_FILE = "model.onnx"
REPORT_FILE = "compile-report.json"
MAX_REPORT_BYTES = 32_768
MAX_ARGUMENT = 256
"""The longest container argument CreateProcessingJob takes (SageMaker API reference, AppSpecification)."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The step's settings."""

    backend: str
    instance: str
    volume_gb: int
    max_runtime_seconds: int


def run(event: StepEvent) -> Output:
    """Start the optimisation for the event's target, or adopt it; the answer arrives by the token."""
    return launch(event, callback.open_desk())


def launch(event: StepEvent, desk: Desk) -> Output:
    """Do what `run` does, with the desk given."""
    parse_config(event.config)
    context = {"labels": _labels(event), "output": _output_folder(event).uri}

    def create(job: Job) -> None:
        client = aws.client("sagemaker", event.usecase, event.run)
        sagemaker.create_or_adopt(client, PROCESSING, build_request(event, job.name))

    return callback.start(event, Work(type="processing", context=context, create=create), desk)


handler = entry.step(run)


def parse_config(config: Fields) -> Config:
    """Return the step's settings; raises TaskInputError naming the wrong field."""
    backend = config.text("backend")
    if backend not in BACKENDS:
        config.refuse("backend", f"must be one of {', '.join(BACKENDS)}")
    return Config(
        backend=backend,
        instance=config.text("instance", "ml.m5.xlarge", pattern=r"ml\.[a-z0-9-]+\.[a-z0-9]+"),
        volume_gb=config.integer("volume_gb", 30, minimum=1),
        max_runtime_seconds=config.integer("max_runtime_seconds", 3600, minimum=1),
    )


def build_request(event: StepEvent, name: str) -> dict[str, Any]:
    """Return the CreateProcessingJob request for the event's target."""
    config = parse_config(event.config)
    if event.target is None:
        message = f"the event of step {event.step!r} has no target; compile is called once for each"
        raise TaskInputError(message)
    return {
        "ProcessingJobName": name,
        "AppSpecification": {
            "ImageUri": event.usecase.optimize_image_uri,
            "ContainerArguments": _arguments(event.target, _labels(event)),
        },
        "ProcessingInputs": _inputs(event),
        "ProcessingOutputConfig": {"Outputs": [_output(_output_folder(event))]},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": config.instance,
                "InstanceCount": 1,
                "VolumeSizeInGB": config.volume_gb,
            }
        },
        "RoleArn": event.usecase.execution_role_arn,
        "StoppingCondition": {"MaxRuntimeInSeconds": config.max_runtime_seconds},
        "Tags": sagemaker.tag_list(event),
    }


def describe(job: Job, _now: int) -> Description | None:
    """Ask SageMaker about the job; a completed one's report and the model's digest are fetched."""
    found = sagemaker.describe(aws.client("sagemaker", job.usecase, job.run), PROCESSING, job.name)
    if found is None:
        return None
    keys = ("ProcessingJobStatus", "FailureReason", "ExitMessage")
    detail: dict[str, Any] = {key: found.get(key) for key in keys}
    if detail["ProcessingJobStatus"] == "Completed":
        folder = parse_location(job.context["output"])
        client = aws.client("s3", job.usecase, job.run)
        detail["Digest"] = s3.digest(client, folder / MODEL_FILE)
        if s3.digest(client, folder / REPORT_FILE) is not None:
            detail["Report"] = s3.read_bytes(client, folder / REPORT_FILE, limit=MAX_REPORT_BYTES).decode()
    return Description(ended=detail["ProcessingJobStatus"] in sagemaker.ENDED, detail=detail)


def outcome(detail: Detail, job: Job) -> Output:
    """Return the target and its compiled model; raises JobFailedError if the job failed or left nothing."""
    sagemaker.check_completed(detail, PROCESSING, job.name)
    folder = parse_location(job.context["output"])
    report = _report(detail.get("Report"))
    if report is None or detail["Digest"] is None:
        message = (
            f"processing job {job.name} ended well but left no {MODEL_FILE} and readable {REPORT_FILE} in "
            f"{folder.uri}; check its image {job.usecase.optimize_image_uri} "
            f"(log: {PROCESSING.log_group}/{job.name})"
        )
        raise JobFailedError(message)
    facts = {**report, "labels": job.context["labels"]}
    uri = (folder / MODEL_FILE).uri
    model = Artifact(type="compiled_model", uri=uri, digest=detail["Digest"], facts=facts)
    return {"target": job.target, "artifact": model.as_json()}


def stop(job: Job) -> None:
    """Stop the processing job."""
    sagemaker.stop(aws.client("sagemaker", job.usecase, job.run), PROCESSING, job.name)


def _labels(event: StepEvent) -> list[str]:
    return list(Fields(event.artifact("model").facts, "inputs.model.facts").texts("labels"))


def _output_folder(event: StepEvent) -> Location:
    return event.folder / "output"


def _arguments(target: str, labels: list[str]) -> list[str]:
    arguments = ["--target", target, "--labels", json.dumps(labels)]
    if len(arguments[-1]) > MAX_ARGUMENT:
        message = f"the labels take {len(arguments[-1])} characters; shorten them to {MAX_ARGUMENT} in all"
        raise TaskInputError(message)
    return arguments


def _inputs(event: StepEvent) -> list[dict[str, Any]]:
    splits = Fields(event.artifact("manifest").facts, "inputs.manifest.facts").child("splits")
    manifests = parse_location(splits.child("train").text("uri")).parent
    images = {name: splits.child(name).text("images") for name in ("train", "validation") if splits.has(name)}
    return [
        _input("model", "S3Prefix", event.artifact("model").uri),
        _input("manifests", "S3Prefix", manifests.uri),
        *(_input(name, "ManifestFile", uri) for name, uri in images.items()),
    ]


def _input(name: str, kind: str, uri: str) -> dict[str, Any]:
    source = {
        "S3Uri": uri,
        "LocalPath": f"{INPUT_ROOT}/{name}",
        "S3DataType": kind,
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"InputName": name, "S3Input": source}


def _output(folder: Location) -> dict[str, Any]:
    target = {"S3Uri": folder.uri, "LocalPath": OUTPUT_FOLDER, "S3UploadMode": "EndOfJob"}
    return {"OutputName": "compiled", "S3Output": target}


def _report(text: str | None) -> Mapping[str, Any] | None:
    try:
        report = json.loads(text or "")
    except ValueError:
        return None
    return report if isinstance(report, Mapping) else None
