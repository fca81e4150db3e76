"""What the protocol talks to, simulated: the jobs table, a service whose jobs run, Step Functions.

Every method that a process calls goes through `Scheduler.call`. What breaks a promise of the protocol is
noted in `Verdict.broken`, with the time, so that a seed shows where to look.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tasks.callback import Description
from tasks.errors import CapacityError, JobFailedError
from tasks.protocol import Answer, Job, Status
from tests.unit.tasks.faults import refuse, service_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.simulation.scheduler import Scheduler
    from tests.simulation.steps import Run

LIVE = ("InProgress", "Stopping")
STOPPING_SECONDS = 20.0


def throttled() -> Exception:
    """Return what a service says that is asked too often."""
    error: Exception = service_error("ThrottlingException")
    return error


@dataclass
class Verdict:
    """The promises that were broken, in words."""

    broken: list[str] = field(default_factory=list)

    def note(self, what: str) -> None:
        if what not in self.broken:
            self.broken.append(what)


class SimulatedTable:
    """The jobs table; its writes are conditional and take effect at one moment."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.items: dict[str, Job] = {}
        self._call = scheduler.call

    def read(self, job_key: str) -> Job | None:
        return self._call("read", self.items.get, job_key)

    def record(self, job: Job) -> bool:
        return self._call("record", lambda: self._put(job, when=job.job_key not in self.items))

    def take_over(self, job: Job, before: Job) -> bool:
        return self._call("take over", self._take_over, job, before)

    def mark_done(self, job: Job, answer: Answer) -> bool:
        return self._call("done", self._change, job, Status.PENDING, status=Status.DONE, answer=answer)

    def mark_sent(self, job: Job) -> bool:
        return self._call("sent", self._change, job, Status.DONE, status=Status.SENT)

    def mark_stale(self, job: Job, now: int) -> bool:
        known = self.items[job.job_key].stale_at
        return self._call(
            "stale", self._change, job, Status.PENDING, stale_at=now if known is None else known
        )

    def mark_stopping(self, job: Job) -> bool:
        return self._call("stopping", self._change, job, Status.PENDING, stopping=True)

    def open_jobs(self, *, run_arn: str | None = None, name: str | None = None) -> Iterator[Job]:
        return iter(self._call("query", self._open, run_arn, name))

    def _open(self, run_arn: str | None, name: str | None) -> list[Job]:
        jobs = [job for job in self.items.values() if job.status is not Status.SENT]
        return [job for job in jobs if run_arn in (None, job.run.arn) and name in (None, job.name)]

    def _is(self, job: Job, status: Status) -> bool:
        kept = self.items[job.job_key]
        return (kept.status, kept.token) == (status, job.token)

    def _take_over(self, job: Job, before: Job) -> bool:
        # As the real table does, which leaves the note that the job is being stopped.
        stopping = self.items[job.job_key].stopping
        return self._put(replace(job, stopping=stopping), when=self._is(before, before.status))

    def _change(self, job: Job, before: Status, **values: Any) -> bool:
        return self._put(replace(self.items[job.job_key], **values), when=self._is(job, before))

    def _put(self, job: Job, *, when: bool) -> bool:
        if when:
            self.items[job.job_key] = job
        return when


@dataclass
class RunningJob:
    """A job of the service."""

    name: str
    run: str
    created: float
    status: str = "InProgress"
    ended: float | None = None


class SimulatedJobs:
    """A service such as SageMaker: jobs that run for a while and end; also the kind that judges them."""

    def __init__(self, scheduler: Scheduler, verdict: Verdict) -> None:
        self.jobs: dict[str, RunningJob] = {}
        self.lengths: Callable[[str], tuple[float, str]] = lambda _run: (0.0, "Completed")
        """Draws how long a run's next job takes and how it ends."""
        self.on_end: Callable[[RunningJob], object] = lambda _job: None
        self.unreachable: set[str] = set()
        """The runs whose account cannot be asked now."""
        self._scheduler = scheduler
        self._verdict = verdict

    def create(self, job: Job) -> None:
        """Create or adopt, as a waiting kind's `Work.create` does."""
        self._scheduler.call(f"create {job.name[-4:]}", self._create, job)

    def describe(self, job: Job, _now: int) -> Description | None:
        found = self._scheduler.call("describe", self._find, job)
        if found is None:
            return None
        return Description(
            ended=found.status not in LIVE, detail={"name": found.name, "status": found.status}
        )

    def outcome(self, detail: Any, _job: Job) -> dict[str, Any]:
        if detail["status"] == "Completed":
            return {"model": detail["name"]}
        raise (CapacityError if detail["status"] == "Capacity" else JobFailedError)(detail["name"])

    def stop(self, job: Job) -> None:
        self._scheduler.call("stop", self._stop, job)

    def live(self) -> list[RunningJob]:
        """Return the jobs that have not ended."""
        return [job for job in self.jobs.values() if job.status in LIVE]

    def _create(self, job: Job) -> None:
        if job.name in self.jobs:
            return
        if any(other.run == job.run.arn for other in self.live()):
            self._verdict.note("a step has two jobs at once")
        made = RunningJob(name=job.name, run=job.run.arn, created=self._scheduler.now)
        self.jobs[job.name] = made
        seconds, status = self.lengths(made.run)
        self._scheduler.at(seconds, lambda: self._end(made, status))

    def _find(self, job: Job) -> RunningJob | None:
        if job.run.arn in self.unreachable:
            refuse("AccessDenied")
        return self.jobs.get(job.name)

    def _stop(self, job: Job) -> None:
        found = self._find(job)
        if found and found.status == "InProgress":
            found.status = "Stopping"
            self._scheduler.say(f"job {found.name[-4:]} is being stopped")
            self._scheduler.at(STOPPING_SECONDS, lambda: self._end(found, "Stopped"))

    def _end(self, job: RunningJob, status: str) -> None:
        if job.status in LIVE and (job.status == "InProgress" or status == "Stopped"):
            job.status, job.ended = status, self._scheduler.now
            self._scheduler.say(f"job {job.name[-4:]} ends: {status}")
            self.on_end(job)


class SimulatedStates:
    """The part of Step Functions that the protocol calls; the runs themselves are `steps.Run`."""

    def __init__(self, scheduler: Scheduler, jobs: SimulatedJobs, verdict: Verdict) -> None:
        self.runs: dict[str, Run] = {}
        self._told: set[str] = set()
        self._scheduler = scheduler
        self._jobs = jobs
        self._verdict = verdict

    def send_task_success(self, **request: str) -> dict[str, Any]:
        return self._scheduler.call("success", self._succeed, request["taskToken"], request["output"])

    def send_task_failure(self, **request: str) -> dict[str, Any]:
        given = (request["taskToken"], request["error"], request["cause"])
        return self._scheduler.call("failure", self._fail, *given)

    def send_task_heartbeat(self, **request: str) -> dict[str, Any]:
        return self._scheduler.call("heartbeat", lambda: self._waiting(request["taskToken"]).beat())

    def describe_execution(self, **request: str) -> dict[str, Any]:
        return self._scheduler.call(
            "describe run", lambda: {"status": self.runs[request["executionArn"]].status}
        )

    def _succeed(self, token: str, output: str) -> dict[str, Any]:
        run = self._waiting(token)
        job = self._jobs.jobs.get(json.loads(output)["model"])
        if job is None or (job.run, job.status) != (run.arn, "Completed"):
            self._verdict.note("a run was told of a success that none of its jobs had")
        return run.succeed()

    def _fail(self, token: str, error: str, cause: str) -> dict[str, Any]:
        run = self._waiting(token)
        if cause in self._told:
            self._verdict.note("a run was told twice of the same failed job")
        told = self._jobs.jobs.get(cause)
        if told is not None and told.status == "Stopped":
            self._verdict.note("a run was told that its job failed, which was stopped by ourselves")
        self._told.update({cause} & self._jobs.jobs.keys())
        statuses = {job.status for job in self._jobs.jobs.values() if job.run == run.arn}
        if error in ("JobFailedError", "CapacityError") and not statuses & {"Failed", "Capacity", "Stopped"}:
            self._verdict.note("a run was told of a failure that none of its jobs had")
        return run.fail(error)

    def _waiting(self, token: str) -> Run:
        run = next((run for run in self.runs.values() if run.token == token), None)
        if run is None:
            refuse("TaskTimedOut")
        return run
