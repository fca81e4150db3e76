"""label with `method: ground-truth`: people of a private work team label the images, in a Ground Truth job.

One class for each image, one worker for each. The images that there are when the step begins are what is
labelled: its manifest is written once, so that a retry asks for the same.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks import aws, callback, entry, manifest, s3, sagemaker
from tasks.callback import Description, Desk, Detail, Work
from tasks.errors import JobFailedError, TaskInputError
from tasks.event import Artifact, Output, StepEvent
from tasks.locations import Location, parse_folder, parse_location
from tasks.manifest import Labelled, Problem, Problems, Unlabelled
from tasks.sagemaker import LABELING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tasks.aws import Client
    from tasks.fields import Fields
    from tasks.protocol import Job

ACTIONS = (
    *callback.ACTIONS,
    *s3.READ_ACTIONS,
    *s3.WRITE_ACTIONS,
    "iam:PassRole",
    "sagemaker:AddTags",
    "sagemaker:CreateLabelingJob",
    "sagemaker:DescribeLabelingJob",
    "sagemaker:StopLabelingJob",
)

METHOD = "ground-truth"
ATTRIBUTE = "label"
TEAM = "edgepipe"
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
MANIFEST_SUFFIXES = (".manifest", ".jsonl")
LONGEST_SECONDS = 30 * 86_400
"""How long tasks of a private team are there at most (SageMaker API reference, HumanTaskConfig)."""
TASK_SECONDS = 3600
"""How long one worker has for one image, pauses included, before somebody else gets it."""
FUNCTION_ACCOUNTS = {
    "ap-northeast-1": "477331159723",
    "ap-northeast-2": "845288260483",
    "ap-south-1": "565803892007",
    "ap-southeast-1": "377565633583",
    "ap-southeast-2": "454466003867",
    "ca-central-1": "918755190332",
    "eu-central-1": "203001061592",
    "eu-west-1": "568282634449",
    "eu-west-2": "487402164563",
    "us-east-1": "432418664414",
    "us-east-2": "266458841044",
    "us-west-2": "081040173940",
}
"""Region → whose functions Ground Truth calls before and after people: where it labels images at all
(SageMaker API reference, HumanTaskConfig, PreHumanTaskLambdaArn, and AnnotationConsolidationConfig)."""
TEMPLATE = """<script src="https://assets.crowd.aws/crowd-html-elements.js"></script>
<crowd-form>
  <crowd-image-classifier
    name="crowd-image-classifier"
    src="{{ task.input.taskObject | grant_read_access }}"
    header="Choose the one class that fits the image"
    categories="{{ task.input.labels | to_json | escape }}"
  >
    <full-instructions header="Classes of images">
      <p>Look at the whole image and choose the one class that fits it best.</p>
    </full-instructions>
    <short-instructions>Choose the one class that fits the image.</short-instructions>
  </crowd-image-classifier>
</crowd-form>
"""
"""The page of a worker (SageMaker developer guide, "crowd-image-classifier")."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The step's settings; `team` is the name of a private work team in the use case's account."""

    dataset: str
    labels: tuple[str, ...]
    team: str


def run(event: StepEvent) -> Output:
    """Start the labelling job, or adopt it; the step's output arrives by the token."""
    return launch(event, callback.open_desk())


def launch(event: StepEvent, desk: Desk) -> Output:
    """Do what `run` does, with the desk given."""
    config = parse_config(event.config)
    source = parse_source(config.dataset)
    _function_arn(event.usecase.region, "PRE")

    def create(job: Job) -> None:
        write_inputs(aws.client("s3", event.usecase, event.run), event, config, source)
        client = aws.client("sagemaker", event.usecase, event.run)
        sagemaker.create_or_adopt(client, LABELING, build_request(event, job.name))

    context = {"labels": list(config.labels), "root": source.parent.uri if _lists(source) else source.uri}
    return callback.start(event, Work(type="labeling", context=context, create=create), desk)


handler = entry.step(run)


def parse_config(config: Fields) -> Config:
    """Return the step's settings; raises TaskInputError naming the wrong field."""
    if config.text("task", "classification") != "classification":
        config.refuse("task", "must be classification: people label one class for each image")
    labels = config.texts("labels")
    if len(labels) < 2:
        config.refuse("labels", "must be two names or more: there is nothing to choose between fewer")
    name = r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"
    return Config(
        dataset=config.text("dataset"), labels=labels, team=config.text("workteam", TEAM, pattern=name)
    )


def parse_source(dataset: str) -> Location:
    """Return the manifest that lists the images, or the folder that they lie in; raises TaskInputError."""
    location = parse_location(dataset, what="the dataset")
    return location if _lists(location) else parse_folder(dataset, what="the dataset")


def build_request(event: StepEvent, name: str) -> dict[str, Any]:
    """Return the CreateLabelingJob request: AWS's own task for the classes of images."""
    config, usecase = parse_config(event.config), event.usecase
    source = parse_source(config.dataset)
    given = source if _lists(source) else _input_manifest(event)
    team = f"workteam/private-crowd/{config.team}"
    return {
        "LabelingJobName": name,
        "LabelAttributeName": ATTRIBUTE,
        "InputConfig": {"DataSource": {"S3DataSource": {"ManifestS3Uri": given.uri}}},
        "OutputConfig": {"S3OutputPath": (event.folder / "output").uri},
        "RoleArn": usecase.execution_role_arn,
        "LabelCategoryConfigS3Uri": _categories(event).uri,
        "HumanTaskConfig": {
            "WorkteamArn": f"arn:aws:sagemaker:{usecase.region}:{usecase.account}:{team}",
            "UiConfig": {"UiTemplateS3Uri": _template(event).uri},
            "PreHumanTaskLambdaArn": _function_arn(usecase.region, "PRE"),
            "AnnotationConsolidationConfig": {
                "AnnotationConsolidationLambdaArn": _function_arn(usecase.region, "ACS")
            },
            "TaskTitle": f"Label images for {event.run.pipeline}",
            "TaskDescription": "Choose the one class that fits the image.",
            "NumberOfHumanWorkersPerDataObject": 1,
            "TaskTimeLimitInSeconds": TASK_SECONDS,
            "TaskAvailabilityLifetimeInSeconds": max(60, min(event.timeout_seconds, LONGEST_SECONDS)),
        },
        "Tags": sagemaker.tag_list(event),
    }


def write_inputs(client: Client, event: StepEvent, config: Config, source: Location) -> None:
    """Write what the job reads: the list of the images, unless the dataset is one, the labels, the page.

    What an earlier delivery has written stays. Raises TaskInputError for a dataset without images.
    """
    if not _lists(source) and s3.digest(client, _input_manifest(event)) is None:
        lines = "".join(json.dumps({"source-ref": image.uri}) + "\n" for image in find_images(client, source))
        if not lines:
            message = f"the dataset {source.uri} has no .jpg, .jpeg or .png images to label"
            raise TaskInputError(message)
        s3.create_bytes(client, _input_manifest(event), lines.encode())
    categories = {"document-version": "2018-11-28", "labels": [{"label": label} for label in config.labels]}
    text = json.dumps(categories, ensure_ascii=False).encode()
    s3.write_bytes(client, _categories(event), text, content_type="application/json")
    s3.write_bytes(client, _template(event), TEMPLATE.encode(), content_type="text/html")


def find_images(client: Client, folder: Location) -> Iterator[Location]:
    """Yield the images below a folder, in the order of their keys."""
    for item in s3.list_objects(client, folder):
        if item.key.lower().endswith(IMAGE_SUFFIXES):
            yield Location(bucket=folder.bucket, key=item.key)


def describe(job: Job, _now: int) -> Description | None:
    """Ask SageMaker about the job; a completed one's output manifest is read and counted."""
    found = sagemaker.describe(aws.client("sagemaker", job.usecase, job.run), LABELING, job.name)
    if found is None:
        return None
    detail: dict[str, Any] = {key: found.get(key) for key in ("LabelingJobStatus", "FailureReason")}
    if detail["LabelingJobStatus"] == "Completed":
        uri = found["LabelingJobOutput"]["OutputDatasetS3Uri"]
        detail |= _read_output(aws.client("s3", job.usecase, job.run), uri, tuple(job.context["labels"]))
    return Description(ended=detail["LabelingJobStatus"] in sagemaker.ENDED, detail=detail)


def outcome(detail: Detail, job: Job) -> Output:
    """Return the labels; raises JobFailedError for a job that failed, was stopped or labelled nothing."""
    sagemaker.check_completed(detail, LABELING, job.name)
    if "Problem" in detail:
        raise TaskInputError(detail["Problem"])
    counts: dict[str, int] = detail["PerClass"]
    if not counts:
        message = (
            f"labeling job {job.name} labelled none of {detail['Failed']} images; the first: "
            f"{detail['Reason']} (log: {LABELING.log_group}/{job.name})"
        )
        raise JobFailedError(message)
    labels = job.context["labels"]
    facts = {
        "labels": labels,
        "count": sum(counts.values()),
        "per_class": {label: counts.get(label, 0) for label in labels},
        "attribute": ATTRIBUTE,
        "root": job.context["root"],
        "failed": detail["Failed"],
        "job": job.name,
    }
    made = Artifact(type="labels", uri=detail["Manifest"], digest=detail["Digest"], facts=facts)
    return {"labels": made.as_json()}


def stop(job: Job) -> None:
    """Stop the labelling job."""
    sagemaker.stop(aws.client("sagemaker", job.usecase, job.run), LABELING, job.name)


def _read_output(client: Client, uri: str, labels: tuple[str, ...]) -> dict[str, Any]:
    """Return what the output manifest holds, or the problem with it."""
    counts: Counter[str] = Counter()
    failed: list[str] = []
    problems = Problems(uri=uri)
    try:
        location = parse_location(uri, what="the output manifest")
        digest = s3.required_digest(client, location, what="the output manifest")
        for number, raw in s3.read_lines(client, location):
            match _parse_line(number, raw, labels):
                case Labelled(class_name=name):
                    counts[name] += 1
                case Unlabelled(reason=reason):
                    failed.append(reason)
                case Problem() as problem:
                    problems.add(problem)
        problems.check()
    except TaskInputError as error:  # for `outcome` to raise: the job has ended, and the run must hear of it
        return {"Problem": str(error)}
    reason = failed[0] if failed else ""
    return {"Manifest": uri, "Digest": digest, "PerClass": counts, "Failed": len(failed), "Reason": reason}


def _parse_line(number: int, raw: bytes, labels: tuple[str, ...]) -> manifest.Entry | None:
    record = manifest.parse_object(number, raw)
    if record is None or isinstance(record, Problem):
        return record
    return manifest.parse_entry(number, record, ATTRIBUTE, labels)


def _function_arn(region: str, when: str) -> str:
    """Return the ARN of AWS's own function that prepares images (PRE) or joins answers (ACS)."""
    if region not in FUNCTION_ACCOUNTS:
        known = ", ".join(sorted(FUNCTION_ACCOUNTS))
        message = f"Ground Truth labels no images in {region}; the regions are {known}"
        raise TaskInputError(message)
    return f"arn:aws:lambda:{region}:{FUNCTION_ACCOUNTS[region]}:function:{when}-ImageMultiClass"


def _lists(location: Location) -> bool:
    return location.key.endswith(MANIFEST_SUFFIXES)


def _input_manifest(event: StepEvent) -> Location:
    return event.folder / "input.manifest"


def _categories(event: StepEvent) -> Location:
    return event.folder / "categories.json"


def _template(event: StepEvent) -> Location:
    return event.folder / "template.html"
