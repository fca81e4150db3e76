"""The failure handler: what every failed run goes through. It stops the run's jobs and writes failure.json.

It never raises: whatever goes wrong here would only hide why the run failed. What it could not do it returns,
and the sweeper stops what is left.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from tasks import aws, callback, s3
from tasks.event import Output, Run, UseCase, parse_run, parse_usecase
from tasks.fields import Fields
from tasks.locations import Location

if TYPE_CHECKING:
    from tasks.callback import Desk

ACTIONS = (
    *aws.ACTIONS,
    *s3.WRITE_ACTIONS,
    "dynamodb:Query",
    # An approval is closed in its record; every other job is stopped where it runs.
    "dynamodb:UpdateItem",
    "greengrass:CancelDeployment",
    "greengrass:ListDeployments",
    # CancelDeployment acts on IoT jobs and shadows in the caller's name.
    "iot:CancelJob",
    "iot:DeleteThingShadow",
    "iot:DescribeJob",
    "iot:DescribeThing",
    "iot:DescribeThingGroup",
    "iot:GetThingShadow",
    "iot:UpdateJob",
    "iot:UpdateThingShadow",
    "sagemaker:StopLabelingJob",
    "sagemaker:StopProcessingJob",
    "sagemaker:StopTrainingJob",
)


def handler(payload: Mapping[str, Any], _context: object) -> Output:
    """Stop the open jobs of `payload`'s run and record its failure.

    Returns {"failure", "stopped": job names, "problems": what could not be done}.
    """
    problems: list[str] = []
    done = _attempt(lambda: record_failure(payload, callback.open_desk(), problems), problems)
    failure = payload.get("failure") if isinstance(payload, Mapping) else None
    return {"failure": failure, "stopped": done or [], "problems": problems}


def record_failure(payload: Mapping[str, Any], desk: Desk, problems: list[str]) -> list[str]:
    """Do what `handler` does, with the desk given; return the names of the stopped jobs."""
    event = Fields(payload, "event")
    run, usecase = parse_run(event.child("run")), parse_usecase(event.child("usecase"))
    stopped = stop_jobs(run, desk, problems)
    failure = event.child("failure", {}).values
    _attempt(lambda: write_failure(run, usecase, failure), problems)
    return stopped


def stop_jobs(run: Run, desk: Desk, problems: list[str]) -> list[str]:
    """Stop every open job of a run; what cannot be stopped is noted in `problems`."""
    stopped = []
    for job in desk.jobs.open_jobs(run_arn=run.arn):
        kind = desk.kind(job.kind)
        before = len(problems)
        _attempt(lambda kind=kind, job=job: kind.stop(job), problems)  # type: ignore[misc]  # mypy cannot infer a lambda's defaults
        if len(problems) == before:
            stopped.append(job.name)
    return stopped


def write_failure(run: Run, usecase: UseCase, failure: Mapping[str, Any]) -> None:
    """Write the run's failure.json; the same bytes however often."""
    location = Location(bucket=usecase.results_bucket, key=f"runs/{run.pipeline}/{run.id}/failure.json")
    text = json.dumps({"run": run.as_json(), "failure": dict(failure)}, indent=2, sort_keys=True).encode()
    s3.write_bytes(aws.client("s3", usecase, run), location, text, content_type="application/json")


def _attempt(do: Callable[[], Any], problems: list[str]) -> Any:  # noqa: ANN401 - passes a result on
    """Return what `do` returns; an error is noted in `problems`, and nothing is returned."""
    try:
        return do()
    except Exception as error:  # this is the last handler: an error of its own must not hide the run's
        problems.append(f"{type(error).__name__}: {error}")
        return None
