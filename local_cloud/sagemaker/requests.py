"""CreateTrainingJob and CreateProcessingJob requests, parsed once and held against what runs here.

Facts: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html and
.../API_CreateProcessingJob.html. Whatever would change what a job does and is not emulated is refused: Pipe
and FastFile input, augmented manifests, file systems, several instances, checkpoints, network isolation.
Accepted without effect on one machine: instance types, volume sizes, spot capacity, roles, KMS keys.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from local_cloud.sagemaker.errors import RefusedRequestError

Request = Mapping[str, Any]

_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_CHANNEL = re.compile(r"[A-Za-z0-9.\-_]{1,64}")
_TRAINING_KEYS = frozenset(
    [
        "TrainingJobName",
        "HyperParameters",
        "AlgorithmSpecification",
        "RoleArn",
        "InputDataConfig",
        "OutputDataConfig",
        "ResourceConfig",
        "StoppingCondition",
        "Tags",
        "Environment",
        "EnableManagedSpotTraining",
        "EnableInterContainerTrafficEncryption",
    ]
)
_PROCESSING_KEYS = frozenset(
    [
        "ProcessingJobName",
        "ProcessingInputs",
        "ProcessingOutputConfig",
        "ProcessingResources",
        "StoppingCondition",
        "AppSpecification",
        "Environment",
        "RoleArn",
        "Tags",
    ]
)
_S3_TYPES = ("S3Prefix", "ManifestFile")
_DAY = 86_400


@dataclass(frozen=True, kw_only=True)
class S3Source:
    """Objects that a job reads: all under a prefix, or those that a manifest file lists."""

    kind: str
    """S3Prefix or ManifestFile."""
    uri: str


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One input of a training job."""

    name: str
    source: S3Source


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One figure to look for in the log; group 1 of the expression is its value."""

    name: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, kw_only=True)
class TrainingRequest:
    """What a training job does."""

    name: str
    image: str
    hyperparameters: Mapping[str, str]
    channels: tuple[Channel, ...]
    output_uri: str
    instance: str
    max_seconds: int
    environment: Mapping[str, str]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, kw_only=True)
class ProcessingInput:
    """One input of a processing job and the folder where the container finds it."""

    name: str
    source: S3Source
    local_path: str


@dataclass(frozen=True, kw_only=True)
class ProcessingOutput:
    """One folder that is uploaded when the job has ended."""

    name: str
    uri: str
    local_path: str


@dataclass(frozen=True, kw_only=True)
class ProcessingRequest:
    """What a processing job does."""

    name: str
    image: str
    arguments: tuple[str, ...]
    inputs: tuple[ProcessingInput, ...]
    outputs: tuple[ProcessingOutput, ...]
    max_seconds: int
    environment: Mapping[str, str]


def parse_training(request: Request) -> TrainingRequest:
    """Return what the job does; raises RefusedRequestError naming the field and the remedy."""
    _refuse_unknown(request, _TRAINING_KEYS)
    algorithm, resources = request["AlgorithmSpecification"], request["ResourceConfig"]
    _refuse_instances(resources)
    mode = algorithm.get("TrainingInputMode", "File")
    return TrainingRequest(
        name=_name(request["TrainingJobName"]),
        image=_image(algorithm),
        hyperparameters=dict(request.get("HyperParameters") or {}),
        channels=tuple(_channel(channel, mode) for channel in request.get("InputDataConfig") or ()),
        output_uri=_s3_uri(request["OutputDataConfig"]["S3OutputPath"], "OutputDataConfig.S3OutputPath"),
        instance=str(resources.get("InstanceType", "")),
        max_seconds=_max_seconds(request),
        environment=dict(request.get("Environment") or {}),
        metrics=tuple(_metric(metric) for metric in algorithm.get("MetricDefinitions") or ()),
    )


def parse_processing(request: Request) -> ProcessingRequest:
    """Return what the job does; raises RefusedRequestError naming the field and the remedy."""
    _refuse_unknown(request, _PROCESSING_KEYS)
    _refuse_instances(request["ProcessingResources"]["ClusterConfig"])
    application = request["AppSpecification"]
    if application.get("ContainerEntrypoint"):
        _refuse("AppSpecification.ContainerEntrypoint", "images run their own entry point here")
    outputs = (request.get("ProcessingOutputConfig") or {}).get("Outputs") or ()
    return ProcessingRequest(
        name=_name(request["ProcessingJobName"]),
        image=str(application["ImageUri"]),
        arguments=tuple(application.get("ContainerArguments") or ()),
        inputs=tuple(_processing_input(item) for item in request.get("ProcessingInputs") or ()),
        outputs=tuple(_processing_output(item) for item in outputs),
        max_seconds=_max_seconds(request),
        environment=dict(request.get("Environment") or {}),
    )


def _name(name: str) -> str:
    if not _NAME.fullmatch(name):
        message = (
            f"job name {name!r} must match {_NAME.pattern}: at most 63 letters, digits and inner hyphens"
        )
        raise RefusedRequestError(message)
    return name


def _image(algorithm: Request) -> str:
    if not algorithm.get("TrainingImage"):
        _refuse("AlgorithmSpecification", "name a TrainingImage; algorithm packages are not run here")
    return str(algorithm["TrainingImage"])


def _channel(channel: Request, default_mode: str) -> Channel:
    name = str(channel["ChannelName"])
    if not _CHANNEL.fullmatch(name) or name in {".", ".."}:
        message = f"channel name {name!r} must match {_CHANNEL.pattern}"
        raise RefusedRequestError(message)
    where = f"channel {name!r}"
    mode = channel.get("InputMode") or default_mode
    if mode != "File":
        _refuse(f"{where}: InputMode {mode}", "use InputMode File, which behaves the same here and on AWS")
    for key, plain in (("CompressionType", "None"), ("RecordWrapperType", "None"), ("ShuffleConfig", None)):
        if channel.get(key) not in (None, plain):
            _refuse(f"{where}: {key}", "give plain files and let the script unpack or shuffle them")
    source = channel["DataSource"].get("S3DataSource")
    if not source:
        _refuse(f"{where}: DataSource", "use an S3DataSource; file systems are not emulated")
    return Channel(name=name, source=_source(source, where))


def _source(source: Request, where: str) -> S3Source:
    kind = str(source.get("S3DataType"))
    if kind not in _S3_TYPES:
        remedy = "list the images in a ManifestFile channel and give the lines in an S3Prefix channel"
        _refuse(f"{where}: S3DataType {kind}", remedy)
    if source.get("S3DataDistributionType", "FullyReplicated") != "FullyReplicated":
        _refuse(f"{where}: S3DataDistributionType", "use FullyReplicated: one machine runs the job")
    return S3Source(kind=kind, uri=_s3_uri(source["S3Uri"], where))


def _processing_input(item: Request) -> ProcessingInput:
    name, source = str(item["InputName"]), item.get("S3Input")
    where = f"processing input {name!r}"
    if not source:
        _refuse(where, "use an S3Input; dataset definitions are not emulated")
    if item.get("AppManaged"):
        _refuse(f"{where}: AppManaged", "let SageMaker download the input")
    if source.get("S3InputMode", "File") != "File" or source.get("S3CompressionType", "None") != "None":
        _refuse(f"{where}: S3InputMode or S3CompressionType", "use File and None")
    return ProcessingInput(name=name, source=_source(source, where), local_path=_local_path(source, where))


def _processing_output(item: Request) -> ProcessingOutput:
    name, target = str(item["OutputName"]), item.get("S3Output")
    where = f"processing output {name!r}"
    if not target or item.get("AppManaged"):
        _refuse(where, "use an S3Output that SageMaker uploads")
    if target.get("S3UploadMode") != "EndOfJob":
        _refuse(f"{where}: S3UploadMode", "use EndOfJob; files are uploaded once, when the job has ended")
    return ProcessingOutput(
        name=name, uri=_s3_uri(target["S3Uri"], where), local_path=_local_path(target, where)
    )


def _local_path(place: Request, where: str) -> str:
    path = str(place.get("LocalPath", ""))
    if not path.startswith("/opt/ml/processing/") or ".." in path.split("/"):
        _refuse(f"{where}: LocalPath {path!r}", "use a folder under /opt/ml/processing/")
    return path


def _metric(metric: Request) -> Metric:
    try:
        pattern = re.compile(str(metric["Regex"]))
    except re.error as error:
        message = f"metric {metric['Name']!r}: {metric['Regex']!r} is no regular expression: {error}"
        raise RefusedRequestError(message) from error
    if pattern.groups < 1:
        message = f"metric {metric['Name']!r}: {metric['Regex']!r} needs a group that captures the value"
        raise RefusedRequestError(message)
    return Metric(name=str(metric["Name"]), pattern=pattern)


def _s3_uri(uri: str, where: str) -> str:
    if not re.fullmatch(r"s3://[^/]+(/.*)?", uri):
        message = f"{where}: {uri!r} is no S3 URI (s3://bucket/key)"
        raise RefusedRequestError(message)
    return uri


def _max_seconds(request: Request) -> int:
    return int((request.get("StoppingCondition") or {}).get("MaxRuntimeInSeconds") or _DAY)


def _refuse_instances(resources: Request) -> None:
    if resources.get("InstanceGroups") or int(resources.get("InstanceCount") or 1) != 1:
        _refuse("more than one instance", "use InstanceCount 1 for local runs")


def _refuse_unknown(request: Request, known: Sequence[str] | frozenset[str]) -> None:
    extra = sorted(key for key, value in request.items() if key not in known and value)
    if extra:
        _refuse(", ".join(extra), "leave it out for local runs")


def _refuse(what: str, remedy: str) -> NoReturn:
    message = f"the local cloud does not emulate {what}; {remedy}"
    raise RefusedRequestError(message)
