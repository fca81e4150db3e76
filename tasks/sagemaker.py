"""What SageMaker's training, processing and labelling jobs share: creating, adopting, stopping, judging."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks import aws
from tasks.errors import CapacityError, JobFailedError, TaskError, TaskInputError, TransientError

if TYPE_CHECKING:
    from tasks.aws import Client
    from tasks.event import StepEvent

ENDED = ("Completed", "Failed", "Stopped")
_EXISTS = ("ResourceInUse",)
_UNKNOWN = ("ResourceNotFound", "ValidationException")
"""DescribeTrainingJob answers a ValidationException ("Requested resource not found.") for an unknown name."""


@dataclass(frozen=True, kw_only=True)
class JobType:
    """One type of job: its API calls, the fields of its name and status, its log group, and what an adopted
    job must have in common with the request that it stands for.
    """

    noun: str
    create: str
    describe: str
    stop: str
    name: str
    status: str
    log_group: str
    compared: tuple[str, ...]


TRAINING = JobType(
    noun="training",
    create="create_training_job",
    describe="describe_training_job",
    stop="stop_training_job",
    name="TrainingJobName",
    status="TrainingJobStatus",
    log_group="/aws/sagemaker/TrainingJobs",
    compared=("AlgorithmSpecification", "HyperParameters", "InputDataConfig", "OutputDataConfig"),
)
PROCESSING = JobType(
    noun="processing",
    create="create_processing_job",
    describe="describe_processing_job",
    stop="stop_processing_job",
    name="ProcessingJobName",
    status="ProcessingJobStatus",
    log_group="/aws/sagemaker/ProcessingJobs",
    compared=("AppSpecification", "ProcessingInputs", "ProcessingOutputConfig"),
)

LABELING = JobType(
    noun="labeling",
    create="create_labeling_job",
    describe="describe_labeling_job",
    stop="stop_labeling_job",
    name="LabelingJobName",
    status="LabelingJobStatus",
    log_group="/aws/sagemaker/LabelingJobs",
    compared=("InputConfig", "OutputConfig", "LabelCategoryConfigS3Uri", "HumanTaskConfig"),
)


def create_or_adopt(sagemaker: Client, job_type: JobType, request: Mapping[str, Any]) -> None:
    """Create the job, or adopt the one of its name; raises TaskInputError if that one does something else."""
    if aws.ask(getattr(sagemaker, job_type.create), request, unless=_EXISTS) is not None:
        return
    name = request[job_type.name]
    found = getattr(sagemaker, job_type.describe)(**{job_type.name: name})
    for field in job_type.compared:
        if not _covers(found.get(field), request.get(field)):
            message = f"{job_type.noun} job {name} exists with another {field}; start a new run"
            raise TaskInputError(message)


def describe(sagemaker: Client, job_type: JobType, name: str) -> dict[str, Any] | None:
    """Return the job as SageMaker describes it; None when there is none of that name."""
    reply = aws.ask(getattr(sagemaker, job_type.describe), {job_type.name: name}, unless=_UNKNOWN)
    return None if reply is None else dict(reply)


def stop(sagemaker: Client, job_type: JobType, name: str) -> None:
    """Stop the job; one that has ended, or never was, is left alone."""
    aws.ask(getattr(sagemaker, job_type.stop), {job_type.name: name}, unless=_UNKNOWN)


def check_completed(detail: Mapping[str, Any], job_type: JobType, name: str) -> None:
    """Raise the task error that a job's end stands for, unless it completed."""
    status = detail[job_type.status]
    if status == "Completed":
        return
    log = f"(log: {job_type.log_group}/{name})"
    reason = str(detail.get("FailureReason") or detail.get("ExitMessage") or "no reason was given").strip()
    if status == "Stopped":
        limit = (
            " after its longest allowed time" if detail.get("SecondaryStatus") == "MaxRuntimeExceeded" else ""
        )
        message = f"{job_type.noun} job {name} was stopped{limit}: {reason} {log}"
        raise JobFailedError(message)
    message = f"{job_type.noun} job {name} failed: {reason} {log}"
    raise _failure_class(reason)(message)


def tag_list(event: StepEvent) -> list[dict[str, str]]:
    """Return the step's tags in SageMaker's form."""
    return [{"Key": key, "Value": value} for key, value in event.tags.items()]


def file_input(kind: str, uri: str) -> dict[str, Any]:
    """Return a training channel's data source, File mode: `kind` is S3Prefix or ManifestFile."""
    return {"S3DataSource": {"S3DataType": kind, "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}}


def _failure_class(reason: str) -> Callable[[str], TaskError]:
    """SageMaker begins a FailureReason with whose fault it was: AlgorithmError, CapacityError and so on."""
    if reason.startswith("CapacityError"):
        return CapacityError
    return TransientError if reason.startswith("InternalServerError") else JobFailedError


def _covers(found: object, wanted: object) -> bool:
    """Say whether `found` has everything that `wanted` says; a description may add defaults."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            _covers(found.get(key), value) for key, value in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(_covers(one, other) for one, other in zip(found, wanted, strict=True))
        )
    return found == wanted
