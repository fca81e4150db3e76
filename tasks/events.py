"""EventBridge events that say a job or its run may have ended: hints, which lead to the sweeper's same look.

Nothing in an event is believed but which job to look at, and that only if account and region are the job's,
or the run's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tasks import callback, entry, sweeper

if TYPE_CHECKING:
    from tasks.callback import Desk
    from tasks.event import Output
    from tasks.protocol import Job

ACTIONS = sweeper.ACTIONS

JOB_NAMES = {
    "SageMaker Training Job State Change": "TrainingJobName",
    "SageMaker Processing Job State Change": "ProcessingJobName",
}
"""Detail type → the field of the detail with the job's name."""
LABELING = "SageMaker Ground Truth Labeling Job State Change"
DEPLOYMENTS = "Greengrass V2 Effective Deployment Status Change"
RUNS = "Step Functions Execution Status Change"


def run(payload: Mapping[str, Any]) -> Output:
    """Settle the open jobs that an event is about."""
    return settle_event(payload, callback.open_desk())


handler = entry.guarded(run)


def settle_event(payload: Mapping[str, Any], desk: Desk) -> Output:
    """Do what `run` does, with the desk given; returns how many jobs were looked at."""
    count = 0
    for job in find_jobs(payload, desk):
        # Only the end of a run makes it worth asking; a redrive may have begun it anew since.
        alive = payload["detail-type"] != RUNS or sweeper.is_running(desk, job.run.arn)
        callback.settle(job, desk, run_alive=alive)
        count += 1
    return {"settled": count}


def find_jobs(payload: Mapping[str, Any], desk: Desk) -> Iterator[Job]:
    """Yield the open jobs that an event may concern: none for an event of another kind, account or region."""
    kind = payload.get("detail-type")
    detail = payload.get("detail")
    place = (payload.get("account"), payload.get("region"))
    if kind == RUNS and isinstance(detail, Mapping):
        run = str(detail.get("executionArn"))
        yield from desk.jobs.open_jobs(run_arn=run) if _place(run) == place else ()
        return
    if kind in JOB_NAMES and isinstance(detail, Mapping):
        candidates = desk.jobs.open_jobs(name=str(detail.get(JOB_NAMES[kind])))
    elif kind == LABELING:
        candidates = desk.jobs.open_jobs(name=_labeling_job(payload.get("resources")))
    elif kind == DEPLOYMENTS:
        # The event names a deployment's id; only Greengrass knows which job that is, and deployments are few.
        candidates = (job for job in desk.jobs.open_jobs() if job.type == "deployment")
    else:
        return
    for job in candidates:
        if (job.usecase.account, job.usecase.region) == place:
            yield job


def _labeling_job(resources: object) -> str:
    """Return the job that an event is about: its detail holds the status alone."""
    first = str(resources[0]) if isinstance(resources, list) and resources else ""
    return first.rpartition(":labeling-job/")[2]


def _place(run_arn: str) -> tuple[str, ...]:
    """Return the account and the region of a run: arn:aws:states:<region>:<account>:execution:..."""
    return tuple(run_arn.split(":")[4:2:-1])
