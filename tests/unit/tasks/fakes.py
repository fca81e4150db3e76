"""In-memory AWS: what the handlers touch of S3, SageMaker, Greengrass, IoT, Step Functions and the jobs.

Every request is checked against botocore's model of the operation, and every call is noted.
`Cloud.kill_after` ends the "process" right after the n-th change, as a Lambda that dies there would.
"""

# ruff: noqa: N803 - the fakes' parameters are AWS's own names

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tasks.callback import Desk, waiting_kind
from tasks.protocol import Answer, Job, Status
from tests.unit.tasks.device_fakes import InMemoryGreengrass, InMemoryIot
from tests.unit.tasks.faults import refuse
from tests.unit.tasks.validator import operation_name, problems_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

MODIFIED = datetime(2026, 3, 1, 12, 30, 15, 250000, tzinfo=UTC)
PREFIXES = {"greengrassv2": "greengrass", "stepfunctions": "states"}
S3_ACTIONS = {
    "CopyObject": ("s3:GetObject", "s3:PutObject"),
    "GetObject": ("s3:GetObject",),
    "HeadObject": ("s3:GetObject",),
    "ListObjectsV2": ("s3:ListBucket",),
    "PutObject": ("s3:PutObject",),
}
READS = ("get", "head", "list", "describe")


class Killed(BaseException):
    """The process ended here: nothing after this line ran."""


@dataclass
class Client:
    """A fake behind the face of a boto3 client: checks, notes and counts what is asked of it."""

    service: str
    fake: Any
    cloud: Cloud

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(**request: Any) -> Any:
            operation = operation_name(self.service, method)
            assert problems_of(self.service, operation, request) == []
            self.cloud.calls.append((self.service, operation, request))
            planned = self.cloud.errors.get(operation)
            if planned:
                raise planned.pop(0)
            reply = getattr(self.fake, method)(**request)
            if not method.startswith(READS):
                self.cloud.changed()
            return reply

        return call


@dataclass
class Cloud:
    """The services of one test."""

    now: float = 1_000_000.0
    kill_after: int | None = None
    calls: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    errors: dict[str, list[Exception]] = field(default_factory=dict)
    changes: int = 0
    regions: list[str] = field(default_factory=list)
    """The regions that were asked for by name."""

    def __post_init__(self) -> None:
        self.s3 = InMemoryS3()
        self.sagemaker = InMemorySageMaker()
        self.greengrassv2 = InMemoryGreengrass()
        self.iot = InMemoryIot()
        self.stepfunctions = InMemoryStates()
        self.sns = InMemorySns()
        self.jobs = InMemoryJobs(self)

    def client(
        self, service: str, _usecase: object = None, _run: object = None, *, region: str = ""
    ) -> Client:
        if region:
            self.regions.append(region)
        return Client(service, getattr(self, service), self)

    def desk(self) -> Desk:
        return Desk(
            jobs=self.jobs, states=self.client("stepfunctions"), clock=lambda: self.now, kind=waiting_kind
        )

    def changed(self) -> None:
        self.changes += 1
        if self.kill_after is not None and self.changes > self.kill_after:
            self.kill_after = None
            raise Killed

    def actions(self) -> set[str]:
        """Return the IAM actions that the calls so far have needed."""
        return {action for call in self.calls for action in actions_of(*call)}

    def operations(self) -> list[str]:
        return [operation for _, operation, _ in self.calls]


def actions_of(service: str, operation: str, request: Mapping[str, Any]) -> Iterator[str]:
    """Yield the IAM actions one call needs (AWS service authorization reference)."""
    if service == "s3":
        yield from S3_ACTIONS[operation]
        return
    yield f"{PREFIXES.get(service, service)}:{operation}"
    if "RoleArn" in request and service == "sagemaker":
        yield "iam:PassRole"
    if "Tags" in request:
        yield "sagemaker:AddTags"
    if "tags" in request:
        yield "greengrass:TagResource"


class InMemoryJobs:
    """The jobs table."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.items: dict[str, Job] = {}

    def read(self, job_key: str) -> Job | None:
        return self.items.get(job_key)

    def record(self, job: Job) -> bool:
        return self._put(job, when=job.job_key not in self.items)

    def take_over(self, job: Job, before: Job) -> bool:
        kept = self.items[before.job_key]
        unchanged = (kept.status, kept.token) == (before.status, before.token)
        return self._put(replace(job, stopping=kept.stopping), when=unchanged)

    def mark_done(self, job: Job, answer: Answer) -> bool:
        return self._change(job, Status.PENDING, status=Status.DONE, answer=answer)

    def mark_sent(self, job: Job) -> bool:
        return self._change(job, Status.DONE, status=Status.SENT)

    def mark_stale(self, job: Job, now: int) -> bool:
        known = self.items[job.job_key].stale_at
        return self._change(job, Status.PENDING, stale_at=now if known is None else known)

    def mark_stopping(self, job: Job) -> bool:
        return self._change(job, Status.PENDING, stopping=True)

    def open_jobs(self, *, run_arn: str | None = None, name: str | None = None) -> Iterator[Job]:
        for job in list(self.items.values()):
            if job.status is not Status.SENT and run_arn in (None, job.run.arn) and name in (None, job.name):
                yield job

    def _change(self, job: Job, before: Status, **values: Any) -> bool:
        kept = self.items[job.job_key]
        return self._put(replace(kept, **values), when=(kept.status, kept.token) == (before, job.token))

    def _put(self, job: Job, *, when: bool) -> bool:
        if when:
            self.items[job.job_key] = job
            self.cloud.changed()
        return when


class InMemoryStates:
    """Step Functions: which tokens are waited for, what they were answered, which executions run."""

    def __init__(self) -> None:
        self.waiting: set[str] = set()
        self.answers: dict[str, dict[str, Any]] = {}
        self.beats: list[str] = []
        self.executions: dict[str, str] = {}

    def send_task_success(self, *, taskToken: str, output: str) -> dict[str, Any]:
        return self._answer(taskToken, {"output": output})

    def send_task_failure(self, *, taskToken: str, error: str, cause: str) -> dict[str, Any]:
        return self._answer(taskToken, {"error": error, "cause": cause})

    def send_task_heartbeat(self, *, taskToken: str) -> dict[str, Any]:
        if taskToken not in self.waiting:
            refuse("TaskTimedOut")
        self.beats.append(taskToken)
        return {}

    def describe_execution(self, *, executionArn: str) -> dict[str, Any]:
        if executionArn not in self.executions:
            refuse("ExecutionDoesNotExist")
        return {"status": self.executions[executionArn]}

    def _answer(self, token: str, answer: dict[str, Any]) -> dict[str, Any]:
        if token not in self.waiting:
            refuse("TaskTimedOut")
        self.waiting.remove(token)
        self.answers[token] = answer
        return {}


class InMemorySns:
    """Topics: what they were told. `topics` are those that are there."""

    def __init__(self) -> None:
        self.topics: set[str] = set()
        self.told: list[dict[str, Any]] = []

    def publish(self, *, TopicArn: str, Subject: str, Message: str) -> dict[str, Any]:
        if TopicArn not in self.topics:
            refuse("NotFound")
        self.told.append({"topic": TopicArn, "subject": Subject, "message": Message})
        return {}


class Body(io.BytesIO):
    """A streamed body, as botocore gives one."""


class InMemoryS3:
    """Objects with SHA-256 checksums; `page` bounds a listing's pages."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.page = 3

    def put(self, uri: str, content: bytes) -> str:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.objects[bucket, key] = content
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        return self.objects[bucket, key]

    def put_object(self, *, Bucket: str, Key: str, Body: Any, **options: Any) -> dict[str, Any]:
        if options.get("IfNoneMatch") == "*" and (Bucket, Key) in self.objects:
            refuse("PreconditionFailed", status=412)
        self.objects[Bucket, Key] = Body if isinstance(Body, bytes) else Body.read()
        return {}

    def copy_object(self, *, Bucket: str, Key: str, CopySource: dict[str, str], **_: Any) -> dict[str, Any]:
        self.objects[Bucket, Key] = self._find(CopySource["Bucket"], CopySource["Key"])
        return {}

    def get_object(self, *, Bucket: str, Key: str, Range: str | None = None) -> dict[str, Any]:
        content = self._find(Bucket, Key)
        if Range is None:
            return {"Body": Body(content)}
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        if first >= len(content):
            refuse("InvalidRange", status=416)
        last = min(last, len(content) - 1)
        where = f"bytes {first}-{last}/{len(content)}"
        return {"Body": Body(content[first : last + 1]), "ContentRange": where}

    def head_object(self, *, Bucket: str, Key: str, ChecksumMode: str = "") -> dict[str, Any]:
        if (Bucket, Key) not in self.objects:
            refuse("404", status=404)
        content = self.objects[Bucket, Key]
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        reply = {"ETag": '"abc"', "ContentLength": len(content)}
        return reply | ({"ChecksumSHA256": checksum, "ChecksumType": "FULL_OBJECT"} if ChecksumMode else {})

    def list_objects_v2(self, *, Bucket: str, Prefix: str, ContinuationToken: str = "") -> dict[str, Any]:
        keys = sorted(key for bucket, key in self.objects if bucket == Bucket and key.startswith(Prefix))
        rest = [key for key in keys if key > ContinuationToken]
        shown = rest[: self.page]
        items = [
            {"Key": key, "Size": len(self.objects[Bucket, key]), "LastModified": MODIFIED} for key in shown
        ]
        more = len(rest) > len(shown)
        return {"Contents": items, "IsTruncated": more} | (
            {"NextContinuationToken": shown[-1]} if more else {}
        )

    def _find(self, bucket: str, key: str) -> bytes:
        if (bucket, key) not in self.objects:
            refuse("NoSuchKey", status=404)
        return self.objects[bucket, key]


class InMemorySageMaker:
    """Training, processing and labelling jobs, which a test ends by `finish`."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.created: list[str] = []
        self.stopped: list[str] = []
        self.status = "InProgress"
        """What a new job's status is; Completed lets jobs end at once."""
        self.endings: dict[str, Any] = {}

    def create_training_job(self, **request: Any) -> dict[str, Any]:
        model = (
            f"{request['OutputDataConfig']['S3OutputPath']}/{request['TrainingJobName']}/output/model.tar.gz"
        )
        about = {"TrainingJobStatus": self.status, "ModelArtifacts": {"S3ModelArtifacts": model}}
        return self._create(request["TrainingJobName"], {**request, **about})

    def create_processing_job(self, **request: Any) -> dict[str, Any]:
        return self._create(request["ProcessingJobName"], {**request, "ProcessingJobStatus": self.status})

    def create_labeling_job(self, **request: Any) -> dict[str, Any]:
        output = f"{request['OutputConfig']['S3OutputPath']}/{request['LabelingJobName']}/manifests/output"
        made = {"LabelingJobOutput": {"OutputDatasetS3Uri": f"{output}/output.manifest"}}
        about = {"LabelingJobStatus": self.status, **made}
        return self._create(request["LabelingJobName"], {**request, **about})

    def describe_labeling_job(self, *, LabelingJobName: str) -> dict[str, Any]:
        return self._describe(LabelingJobName)

    def stop_labeling_job(self, *, LabelingJobName: str) -> dict[str, Any]:
        return self._stop(LabelingJobName, "LabelingJobStatus")

    def describe_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:
        return self._describe(TrainingJobName)

    def describe_processing_job(self, *, ProcessingJobName: str) -> dict[str, Any]:
        return self._describe(ProcessingJobName)

    def stop_training_job(self, *, TrainingJobName: str) -> dict[str, Any]:
        return self._stop(TrainingJobName, "TrainingJobStatus")

    def stop_processing_job(self, *, ProcessingJobName: str) -> dict[str, Any]:
        return self._stop(ProcessingJobName, "ProcessingJobStatus")

    def _create(self, name: str, job: dict[str, Any]) -> dict[str, Any]:
        if name in self.jobs:
            refuse("ResourceInUse")
        self.jobs[name] = {**job, **self.endings}
        self.created.append(name)
        return {}

    def _describe(self, name: str) -> dict[str, Any]:
        if name not in self.jobs:
            refuse("ValidationException", message="Requested resource not found.")
        return self.jobs[name]

    def _stop(self, name: str, status: str) -> dict[str, Any]:
        if self._describe(name)[status] != "InProgress":
            refuse("ValidationException", message="The job has ended.")
        self.jobs[name][status] = "Stopped"
        self.stopped.append(name)
        return {}


RUN_ARN = "arn:aws:states:us-east-1:123456789012:execution:cookie-defects:run-1"
USECASE = {
    "id": "cookie-factory",
    "account": "210987654321",
    "region": "us-east-1",
    "role_arn": "arn:aws:iam::210987654321:role/edgepipe",
    "external_id": "edgepipe-cookie-factory",
    "execution_role_arn": "arn:aws:iam::210987654321:role/edgepipe-jobs",
    "data_bucket": "cookie-data",
    "results_bucket": "cookie-results",
    "component_bucket": "cookie-components",
    "optimize_image_uri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/edgepipe-optimize:1",
}
RESULTS = "s3://cookie-results/runs/cookie-defects/run-1"


def payload(kind: str, config: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a handler's payload, as the compiled definition sends it."""
    event = {
        "step": kind,
        "kind": kind,
        "attempt": 0,
        "timeout_seconds": 3600,
        "run": {"id": "run-1", "arn": RUN_ARN, "pipeline": "cookie-defects"},
        "usecase": USECASE,
        "config": dict(config),
        "inputs": {},
        "assets": {},
    }
    return {**event, **changes}


def artifact(kind: str, uri: str, digest: str = "sha256:00", **facts: Any) -> dict[str, Any]:
    """Return an artifact as it stands in an event."""
    return {"type": kind, "uri": uri, "digest": digest, "facts": facts}
