"""What a run's handlers and jobs have written to CloudWatch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from operations.session import ask
from pipelines import platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.runs import Run
    from operations.session import Aws, Client
    from pipelines.progress import Step
    from pipelines.usecase import UseCase

_JOBS = {"label": "LabelingJobs", "train": "TrainingJobs", "compile": "ProcessingJobs"}
_ABSENT = "ResourceNotFoundException"


def read(aws: Aws, run: Run, usecase: UseCase, step_id: str | None) -> Iterator[str]:
    """Yield a run's log lines, step by step: handlers' within the step's time, jobs' by their names.

    Two runs that are in the same kind of step at once share a handler's log: its lines are of both.
    """
    for step in run.steps:
        if step.started and step_id in (None, step.id):
            function = platform.function_name(step.kind)
            if step.kind == "custom":
                function = platform.custom_function_name(run.pipeline, step.id)
            yield from _lines(aws.client("logs"), step, run, f"/aws/lambda/{function}")
            if step.kind in _JOBS:
                group = f"/aws/sagemaker/{_JOBS[step.kind]}"
                yield from _lines(aws.enter(usecase).client("logs"), step, run, group)


def _lines(logs: Client, step: Step, run: Run, group: str) -> Iterator[str]:
    request: dict[str, Any] = {"logGroupName": group, "startTime": _milliseconds(step.started)}
    request["endTime"] = _milliseconds(step.ended or run.now) + 60_000
    prefix = _job_prefix(step, run) if "/sagemaker/" in group else None
    while True:
        reply = ask(logs.filter_log_events, _ABSENT, **request)
        for event in reply["events"] if reply else ():
            if prefix is None or event["logStreamName"].startswith(prefix):
                when = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
                yield f"{when:%H:%M:%S} {step.id}: {event['message'].rstrip()}"
        if not reply or not reply.get("nextToken"):
            return
        request["nextToken"] = reply["nextToken"]


def _job_prefix(step: Step, run: Run) -> str:
    """Return what the names of a step's jobs begin with."""
    from pipelines.policies import job_prefix

    return job_prefix(run.pipeline, step.id)


def _milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0
