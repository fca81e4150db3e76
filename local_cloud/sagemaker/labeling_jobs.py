"""A labelling job's record, the thread that waits for its labels, and the list of such jobs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from moto.sagemaker.exceptions import ValidationError

from local_cloud.sagemaker.jobs import Outcome, judge
from local_cloud.sagemaker.records import JobRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from local_cloud.clock import CloudClock
    from local_cloud.sagemaker.annotation import LabelingWork
    from local_cloud.sagemaker.requests import Request

LOOK_SECONDS = 0.2
_PAGE = 100
_COUNTERS = ("TotalLabeled", "HumanLabeled", "MachineLabeled", "FailedNonRetryableError", "Unlabeled")


class LabelingRecord(JobRecord):
    """A labelling job as DescribeLabelingJob tells it."""

    kind = "Labeling"
    due: float | None = None
    """When its tasks expire, in seconds since the epoch by the cloud's clock; known once it has begun."""

    def __init__(self, request: Request, *, name: str, arn: str) -> None:
        super().__init__(request, name=name, arn=arn)
        self._status = "Initializing"
        self._state["LabelCounters"] = dict.fromkeys(_COUNTERS, 0)
        digest = hashlib.sha256(f"{arn} {self.creation_time}".encode()).hexdigest()
        self._state["JobReferenceCode"] = digest[:20]

    @property
    def response_object(self) -> dict[str, Any]:
        """The answer of DescribeLabelingJob."""
        with self._lock:
            return {**super().response_object, "Tags": list(self.tags)}

    def expire_at(self, moment: float) -> float:
        """Note when tasks expire, unless that was noted before; return when they do."""
        with self._lock:
            if self.due is None:
                self.due = moment
                self.keep(self)
            return self.due

    def show(self, counters: Mapping[str, int]) -> None:
        """Note how far the labels are; the job is under way."""
        with self._lock:
            if counters != self._state["LabelCounters"] or self._status == "Initializing":
                status = "InProgress" if self._status == "Initializing" else self._status
                self._change(status, "", {"LabelCounters": dict(counters)})

    def ask_to_stop(self) -> None:
        """Note that the job is being stopped."""
        with self._lock:
            if self._status in {"Initializing", "InProgress"}:
                self._change("Stopping", "", {})

    def end(self, status: str, *, secondary: str | None = None, **fields: object) -> None:
        """Note how the job ended; later changes are ignored."""
        with self._lock:
            self._change(status, "", fields)

    def summary(self) -> dict[str, Any]:
        """Return the job as a row of ListLabelingJobs."""
        found, task = self.response_object, self.request["HumanTaskConfig"]
        kept = (
            "LabelingJobName",
            "LabelingJobArn",
            "CreationTime",
            "LastModifiedTime",
            "LabelingJobStatus",
            "LabelCounters",
            "FailureReason",
            "LabelingJobOutput",
            "InputConfig",
        )
        functions = {
            "PreHumanTaskLambdaArn": task["PreHumanTaskLambdaArn"],
            **task["AnnotationConsolidationConfig"],
        }
        return {
            **{key: found[key] for key in kept if key in found},
            "WorkteamArn": task["WorkteamArn"],
            **functions,
        }


class LabelingJob:
    """A labelling job and the thread that takes its answers up; nothing works while it waits for people."""

    def __init__(
        self,
        work: LabelingWork,
        record: LabelingRecord,
        *,
        clock: CloudClock,
        ended: Callable[[JobRecord], None],
    ) -> None:
        self._labels = work
        self._record = record
        self._clock = clock
        self._ended = ended
        self._stop = threading.Event()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"job {record.name}", daemon=True)

    def start(self) -> None:
        """Begin, or go on where an earlier process stood."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the job to end with the labels that there are; it does so soon after."""
        self._record.ask_to_stop()
        self._stop.set()

    def leave(self) -> None:
        """Let the job go without an end: it goes on when the cloud opens again."""
        self._left.set()
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait until the job has ended, or was let go."""
        self._thread.join(seconds)

    def _run(self) -> None:
        if self._record.status == "Stopping":
            self._stop.set()
        outcome = judge(self._carry_out, self._labels.log)
        if self._left.is_set():
            return
        with self._clock.working():
            self._labels.clean()
            self._record.end(outcome.status, secondary=outcome.secondary, **outcome.fields)
            self._ended(self._record)

    def _carry_out(self) -> Outcome:
        with self._clock.working():
            self._labels.prepare(self._stop.is_set)
        status, expired = self._await_labels()
        with self._clock.working():
            if self._left.is_set():
                return Outcome(status="Stopped")
            return Outcome(status=status, fields=self._labels.consolidate(expired=expired))

    def _await_labels(self) -> tuple[str, bool]:
        """Take answers up until there are all; return the status that the job ends with, and if for time."""
        deadline = self._record.expire_at(self._clock.now() + self._labels.max_seconds)
        while not self._stop.is_set():
            counters = self._labels.counters()
            self._record.show(counters)
            if counters["Unlabeled"] == 0:
                return "Completed", False
            if self._labels.wants_stop(counters["TotalLabeled"]):
                return "Stopped", False
            if self._clock.now() > deadline:
                return "Completed", True
            self._stop.wait(LOOK_SECONDS)
        return "Stopped", False


def list_jobs(records: Iterable[LabelingRecord], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Answer ListLabelingJobs: what passes the filters, in order, a page at a time."""
    rows = [record.summary() for record in records if _passes(record, asked)]
    field = {"Name": "LabelingJobName", "Status": "LabelingJobStatus"}.get(
        asked.get("SortBy", ""), "CreationTime"
    )
    descending = asked.get("SortOrder") == "Descending"
    rows.sort(key=lambda row: (row[field], row["LabelingJobName"]), reverse=descending)
    first = _place(asked.get("NextToken"))
    last = first + int(asked.get("MaxResults") or _PAGE)
    more = {"NextToken": base64.b64encode(str(last).encode()).decode()} if last < len(rows) else {}
    return {"LabelingJobSummaryList": rows[first:last], **more}


def _passes(record: LabelingRecord, asked: Mapping[str, Any]) -> bool:
    made, changed = (each.replace(tzinfo=UTC) for each in (record.creation_time, record.last_modified_time))
    return (
        asked.get("StatusEquals") in (None, record.status)
        and str(asked.get("NameContains") or "") in record.name
        and _between(made, asked.get("CreationTimeAfter"), asked.get("CreationTimeBefore"))
        and _between(changed, asked.get("LastModifiedTimeAfter"), asked.get("LastModifiedTimeBefore"))
    )


def _between(moment: datetime, after: object, before: object) -> bool:
    return (after is None or moment > _moment(after)) and (before is None or moment < _moment(before))


def _moment(value: object) -> datetime:
    """Read a time as moto hands it on: parsed, or as the request has it."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromtimestamp(float(str(value)), UTC)


def _place(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.b64decode(token, validate=True))
    except (binascii.Error, ValueError) as error:
        raise ValidationError(
            message="The NextToken is not one that ListLabelingJobs has returned."
        ) from error
