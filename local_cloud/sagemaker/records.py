"""What SageMaker remembers of a job and tells when asked; moto's lists and tags read these records too."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.core.utils import utcnow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from local_cloud.sagemaker.requests import Request

ENDED = frozenset({"Completed", "Failed", "Stopped"})

TRAINING_MESSAGES = {
    "Starting": "Waiting for a free place on this machine",
    "Downloading": "Downloading input data",
    "Training": "Training script in progress",
    "Uploading": "Uploading generated training model",
    "Stopping": "Stopping the training job",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "The job ran as long as its StoppingCondition allows",
}


def _keep_nothing(_record: JobRecord) -> None:
    """Let a change be forgotten with the process."""


class JobRecord:
    """One job's state; every method may be called from any thread."""

    kind: str
    """Training or Processing, as in the API's field names."""
    keep: Callable[[JobRecord], None] = staticmethod(_keep_nothing)
    """Called with each change, before anybody can see it."""
    used = 0.0
    """For how many seconds its program has run, as far as has been noted: in earlier processes too."""

    def __init__(self, request: Request, *, name: str, arn: str) -> None:
        self.name = name
        self.arn = arn
        self.tags = list(request.get("Tags") or [])
        self.creation_time = self.last_modified_time = utcnow()
        self.request = {key: value for key, value in request.items() if key != "Tags"}
        self._state: dict[str, Any] = {}
        self._status = "InProgress"
        self._lock = threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process can make the record from."""
        with self._lock:
            return {name: value for name, value in vars(self).items() if name not in {"_lock", "keep"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the record from what was kept."""
        vars(self).update(state, _lock=threading.RLock())

    @property
    def status(self) -> str:
        """InProgress, Stopping, Completed, Failed or Stopped."""
        with self._lock:
            return self._status

    @property
    def response_object(self) -> dict[str, Any]:
        """The answer of the job's Describe call."""
        with self._lock:
            return {
                **self.request,
                **self._state,
                f"{self.kind}JobArn": self.arn,
                f"{self.kind}JobStatus": self._status,
                "CreationTime": self.creation_time,
                "LastModifiedTime": self.last_modified_time,
            }

    def use(self, seconds: float) -> None:
        """Note that the program has run for so long again."""
        with self._lock:
            self.used += seconds
            self.keep(self)

    def ask_to_stop(self) -> None:
        """Note that the job is being stopped."""
        with self._lock:
            if self._status == "InProgress":
                self._change("Stopping", "Stopping", {})

    def enter(self, phase: str, **fields: object) -> None:
        """Note what the job does now: Starting, Downloading, Training, Uploading."""
        with self._lock:
            self._change(self._status, phase, fields)

    def end(self, status: str, *, secondary: str | None = None, **fields: object) -> None:
        """Note how the job ended; later changes are ignored."""
        with self._lock:
            started = self._state.get(f"{self.kind}StartTime", self.creation_time)
            times = {f"{self.kind}StartTime": started, f"{self.kind}EndTime": utcnow()}
            self._change(status, secondary or status, {**times, **fields})

    def _change(self, status: str, phase: str, fields: Mapping[str, object]) -> None:
        if self._status in ENDED:
            return
        self._status = status
        self._state.update(fields)
        self.last_modified_time = utcnow()
        self._note(phase)
        self.keep(self)

    def _note(self, phase: str) -> None:
        """Keep the phase, where the API shows it."""


class TrainingRecord(JobRecord):
    """A training job; moto reads the snake-case names."""

    kind = "Training"

    def __init__(self, request: Request, *, name: str, arn: str) -> None:
        super().__init__(request, name=name, arn=arn)
        self.training_job_name = name
        self._transitions: list[dict[str, Any]] = []
        self._note("Starting")

    @property
    def training_job_status(self) -> str:
        """The status under moto's name."""
        return self.status

    @property
    def training_end_time(self) -> datetime | None:
        """When the job ended."""
        return self._state.get("TrainingEndTime")

    def _note(self, phase: str) -> None:
        now = utcnow()
        if self._transitions:
            self._transitions[-1]["EndTime"] = now
        entry = {"Status": phase, "StartTime": now, "StatusMessage": TRAINING_MESSAGES[phase]}
        self._transitions.append(entry)
        self._state["SecondaryStatus"] = phase
        self._state["SecondaryStatusTransitions"] = [dict(transition) for transition in self._transitions]


class ProcessingRecord(JobRecord):
    """A processing job; moto reads the snake-case names."""

    kind = "Processing"

    def __init__(self, request: Request, *, name: str, arn: str) -> None:
        super().__init__(request, name=name, arn=arn)
        self.processing_job_name = name

    @property
    def processing_job_status(self) -> str:
        """The status under moto's name."""
        return self.status

    @property
    def processing_end_time(self) -> datetime | None:
        """When the job ended."""
        return self._state.get("ProcessingEndTime")


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The account and region in which a job runs."""

    account: str
    region: str

    @classmethod
    def of(cls, arn: str) -> Owner:
        """Return whose job an ARN names."""
        return cls(account=arn.split(":")[4], region=arn.split(":")[3])

    def arn(self, kind: str, name: str) -> str:
        """Return a job's ARN; `kind` is training-job or processing-job."""
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{kind}/{name}"
