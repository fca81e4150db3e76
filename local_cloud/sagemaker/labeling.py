"""CreateLabelingJob requests, parsed once and held against what can be labelled here.

Facts: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateLabelingJob.html and
.../API_HumanTaskConfig.html. Carried out is the classification of images, one class for each, by one worker
of a private work team, with what AWS's own functions do before and after (PRE- and ACS-ImageMultiClass).
Refused by name: other built-in tasks, functions of one's own, automated labelling, streaming jobs, the public
and vendors' work teams. Accepted without effect: the worker's page, prices, keywords, limits of single tasks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from local_cloud.sagemaker.errors import RefusedRequestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_cloud.sagemaker.requests import Request

TASK = "ImageMultiClass"
MONTH = 30 * 86_400
"""How long a private team's tasks are there where the request does not say."""
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_ATTRIBUTE = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,126}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/.+")
_TEAM = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]*:[0-9]{12}:workteam/(?P<crowd>[a-z]+)-crowd/.+")
_FUNCTION = re.compile(r"arn:aws[a-z-]*:lambda:[a-z0-9-]*:[0-9]{12}:function:(?P<when>PRE|ACS)-(?P<task>\w+)")
_REQUIRED = (
    "LabelingJobName",
    "LabelAttributeName",
    "InputConfig",
    "OutputConfig",
    "RoleArn",
    "HumanTaskConfig",
)
_KEYS = frozenset({*_REQUIRED, "LabelCategoryConfigS3Uri", "StoppingConditions", "Tags"})


@dataclass(frozen=True, kw_only=True)
class LabelingRequest:
    """What a labelling job does; `most_labeled` and `most_percent` end it early."""

    name: str
    attribute: str
    manifest_uri: str
    categories_uri: str
    output_uri: str
    title: str
    max_seconds: int
    most_labeled: int | None
    most_percent: int | None
    tags: Mapping[str, str]

    @property
    def result_uri(self) -> str:
        """Return where the output manifest goes."""
        return f"{self.output_uri.rstrip('/')}/{self.name}/manifests/output/output.manifest"


def parse_labeling(request: Request) -> LabelingRequest:
    """Return what the job does; raises RefusedRequestError naming the field and the remedy."""
    _check_keys(request)
    task = request["HumanTaskConfig"]
    _check_task(task)
    stops = request.get("StoppingConditions") or {}
    return LabelingRequest(
        name=_matching(request, "LabelingJobName", _NAME),
        attribute=_attribute(request),
        manifest_uri=_manifest(request["InputConfig"]),
        categories_uri=_s3_uri(request.get("LabelCategoryConfigS3Uri"), "LabelCategoryConfigS3Uri"),
        output_uri=_output(request["OutputConfig"]),
        title=str(task["TaskTitle"]),
        max_seconds=int(task.get("TaskAvailabilityLifetimeInSeconds") or MONTH),
        most_labeled=stops.get("MaxHumanLabeledObjectCount"),
        most_percent=stops.get("MaxPercentageOfInputDatasetLabeled"),
        tags={tag["Key"]: tag["Value"] for tag in request.get("Tags") or ()},
    )


def _check_keys(request: Request) -> None:
    missing = [key for key in _REQUIRED if not request.get(key)]
    if missing:
        message = f"Missing required parameter in input: {', '.join(missing)}"
        raise RefusedRequestError(message)
    if request.get("LabelingJobAlgorithmsConfig"):
        _refuse("automated data labeling (LabelingJobAlgorithmsConfig)", "let people label every image")
    extra = sorted(key for key, value in request.items() if key not in _KEYS and value)
    if extra:
        _refuse(", ".join(extra), "leave it out for local runs")
    _matching(request, "RoleArn", _ROLE)


def _check_task(task: Request) -> None:
    _check_team(str(task.get("WorkteamArn", "")))
    _check_function(str(task.get("PreHumanTaskLambdaArn", "")), "PRE", "PreHumanTaskLambdaArn")
    after = task.get("AnnotationConsolidationConfig") or {}
    where = "AnnotationConsolidationLambdaArn"
    _check_function(str(after.get(where, "")), "ACS", where)
    _s3_uri((task.get("UiConfig") or {}).get("UiTemplateS3Uri"), "UiConfig.UiTemplateS3Uri")
    missing = [key for key in ("TaskTitle", "TaskDescription", "TaskTimeLimitInSeconds") if not task.get(key)]
    if missing:
        message = f"HumanTaskConfig lacks {', '.join(missing)}"
        raise RefusedRequestError(message)
    if task.get("NumberOfHumanWorkersPerDataObject") != 1:
        _refuse(
            "several workers for an image", "set NumberOfHumanWorkersPerDataObject to 1: one person labels"
        )
    if task.get("PublicWorkforceTaskPrice"):
        _refuse("the public workforce (PublicWorkforceTaskPrice)", "use a private work team")


def _check_team(arn: str) -> None:
    found = _TEAM.fullmatch(arn)
    if found is None:
        form = "arn:aws:sagemaker:REGION:ACCOUNT:workteam/private-crowd/NAME"
        message = f"WorkteamArn {arn!r} is no work team of the form {form}"
        raise RefusedRequestError(message)
    if found["crowd"] != "private":
        _refuse(
            f"the {found['crowd']} workforce ({arn})", "use a private work team (workteam/private-crowd/...)"
        )


def _check_function(arn: str, when: str, where: str) -> None:
    wanted = f"arn:aws:lambda:REGION:ACCOUNT:function:{when}-{TASK}, AWS's own for classifying images"
    found = _FUNCTION.fullmatch(arn)
    if found is None or found["when"] != when:
        _refuse(f"{where} {arn!r}", f"use {wanted}; functions of one's own are not called")
    if found["task"] != TASK:
        _refuse(f"the task {found['task']}", f"use {wanted}: only the class of images is labelled here")


def _attribute(request: Request) -> str:
    name = _matching(request, "LabelAttributeName", _ATTRIBUTE)
    if name.endswith(("-metadata", "-ref")):
        message = f"LabelAttributeName {name!r} cannot end with -metadata, nor here with -ref"
        raise RefusedRequestError(message)
    return name


def _manifest(config: Request) -> str:
    source = config.get("DataSource") or {}
    if source.get("SnsDataSource"):
        _refuse("streaming labeling jobs (SnsDataSource)", "list the images in a manifest (S3DataSource)")
    return _s3_uri(
        (source.get("S3DataSource") or {}).get("ManifestS3Uri"), "InputConfig S3DataSource.ManifestS3Uri"
    )


def _output(config: Request) -> str:
    if config.get("SnsTopicArn"):
        _refuse("streaming labeling jobs (OutputConfig.SnsTopicArn)", "read the output manifest")
    return _s3_uri(config.get("S3OutputPath"), "OutputConfig.S3OutputPath")


def _matching(request: Request, key: str, pattern: re.Pattern[str]) -> str:
    value = str(request[key])
    if pattern.fullmatch(value) is None:
        message = (
            f"Value '{value}' at '{key}' failed to satisfy constraint: Member must satisfy regular "
            f"expression pattern: {pattern.pattern}"
        )
        raise RefusedRequestError(message)
    return value


def _s3_uri(uri: object, where: str) -> str:
    if not isinstance(uri, str) or re.fullmatch(r"s3://[^/]+/.*", uri) is None:
        message = f"{where} must be an S3 URI (s3://bucket/key); it is {uri!r}"
        raise RefusedRequestError(message)
    return uri


def _refuse(what: str, remedy: str) -> NoReturn:
    message = f"the local cloud does not emulate {what}; {remedy}"
    raise RefusedRequestError(message)
