"""Runs on AWS: finding, reading, stopping, redriving and answering them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from operations.console import run_url
from operations.errors import OperationError, error_code, error_message
from operations.session import ask
from pipelines import machine, platform, progress
from pipelines.states import REFUSED, START

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from operations.session import Aws, Caller
    from operations.versions import Machines
    from pipelines.progress import Step

ARN = re.compile(
    r"arn:[a-z-]+:states:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):execution:(?P<machine>[^:]+):(?P<run>[^:]+)"
)
_ABSENT = "ExecutionDoesNotExist"
_LOOKED_THROUGH = 1000
"""How many of the newest runs are looked through for the beginning of a name."""
_OPEN = ("RUNNING", "PENDING_REDRIVE")
_PREFIX = platform.machine_name("")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution as it stood at `now`."""

    arn: str
    pipeline: str
    usecase: str
    status: str
    started: datetime
    now: datetime
    steps: Sequence[Step]
    error: str | None
    cause: str | None

    @property
    def name(self) -> str:
        """Return the run's name."""
        return self.arn.rsplit(":", 1)[1]

    @property
    def open(self) -> bool:
        """Say whether it may still change by itself."""
        return self.status in _OPEN

    def as_json(self) -> dict[str, Any]:
        """Return what `--output json` prints; the names are those of a local run's record."""
        return {
            "run_id": self.name,
            "arn": self.arn,
            "pipeline": self.pipeline,
            "status": self.status,
            "seconds": round((self.now - self.started).total_seconds(), 3),
            "steps": {step.id: self._step(step) for step in self.steps},
            "failure": {"error": self.error, "message": self.cause} if self.error else None,
            "url": run_url(self.arn),
        }

    def render(self) -> str:
        """Return the run as lines for a person."""
        head = f"{self.name}  {self.status}  {(self.now - self.started).total_seconds():.1f} s"
        lines = [head, *(progress.render_step(step, self.now) for step in self.steps)]
        failure = [f"  {self.error}: {self.cause}"] if self.error else []
        return "\n".join([*lines, *failure, f"  {run_url(self.arn)}"])

    def _step(self, step: Step) -> dict[str, Any]:
        return {
            "status": step.status,
            "seconds": round(step.seconds(self.now), 3),
            "attempts": step.attempts,
            "outputs": step.outputs,
        }


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One line of `runs`."""

    arn: str
    pipeline: str
    status: str
    started: datetime
    stopped: datetime | None

    @property
    def run_id(self) -> str:
        """Return the run's name."""
        return self.arn.rsplit(":", 1)[1]

    def as_json(self) -> dict[str, Any]:
        """Return what `--output json` prints."""
        stopped = self.stopped.isoformat() if self.stopped else None
        return {**vars(self), "run_id": self.run_id, "started": self.started.isoformat(), "stopped": stopped}

    def render(self) -> str:
        """Return the run as one line."""
        return f"{self.started:%Y-%m-%d %H:%M:%S}  {self.status:<10} {self.run_id}"


def find(machines: Machines, run: str) -> str:
    """Return the ARN of a run named by its ARN, its name or how that begins. Raises OperationError."""
    named = ARN.fullmatch(run)
    if named:
        if named["account"] != machines.account or named["region"] != machines.region:
            message = (
                f"{run} is in {named['region']} of account {named['account']}, and these credentials are of "
                f"{machines.region} of {machines.account}: use its --profile and --region"
            )
            raise OperationError(message)
        return run
    if run == "last" and (newest := recent(machines, None, limit=1)):
        return newest[0].arn
    for pipeline in sorted(_pipelines(machines), key=len, reverse=True):
        if run.startswith(f"{pipeline}-"):
            arn = machines.run_arn(pipeline, run)
            if ask(machines.client.describe_execution, _ABSENT, executionArn=arn):
                return arn
    begun = [each for each in recent(machines, None, limit=_LOOKED_THROUGH) if each.run_id.startswith(run)]
    if len(begun) == 1:
        return begun[0].arn
    if begun:
        listed = ", ".join(each.run_id for each in begun[:5])
        message = f"'{run}' begins the names of {len(begun)} runs: {listed}; give more of the one you mean"
        raise OperationError(message)
    message = (
        f"there is no run '{run}' in {machines.region} of account {machines.account}: "
        "`edgepipe runs --aws` lists them"
    )
    raise OperationError(message)


def read(machines: Machines, arn: str) -> Run:
    """Read a run with all its steps. Raises OperationError where it is not there."""
    found = _describe(machines, arn)
    definition = machines.client.describe_state_machine_for_execution(executionArn=arn)["definition"]
    described = machine.parse(definition)
    pages = machines.client.get_paginator("get_execution_history").paginate(executionArn=arn)
    events = (event for page in pages for event in page["events"])
    steps = progress.read_steps(events, {step: tasks[0].kind for step, tasks in described.steps().items()})
    return Run(
        arn=arn,
        pipeline=described.pipeline,
        usecase=str(described.document["States"][START]["Assign"]["usecase"]["id"]),
        status=found["status"],
        started=found["startDate"],
        now=found.get("stopDate") or datetime.now(UTC),
        steps=[_settle(step, found["status"]) for step in steps],
        error=found.get("error"),
        cause=progress.plain_cause(found.get("cause")),
    )


def recent(machines: Machines, pipeline: str | None, *, limit: int, status: str | None = None) -> list[Entry]:
    """List the newest runs of a pipeline, or of all, newest first; only those that stand as `status` says."""
    names = [pipeline] if pipeline else list(_pipelines(machines))
    found = [entry for name in names for entry in _entries(machines, name, limit, status)]
    return sorted(found, key=lambda entry: entry.started, reverse=True)[:limit]


def stop(machines: Machines, caller: Caller, arn: str) -> str:
    """Stop a run and say so; one that has ended stays as it is. The sweeper stops its jobs."""
    status = _describe(machines, arn)["status"]
    if status not in _OPEN:
        return f"the run has ended already: {status}"
    machines.client.stop_execution(executionArn=arn, error="Stopped", cause=f"stopped by {caller.arn}")
    return "stopped; the sweeper ends its jobs within a minute or two"


def redrive(aws: Aws, machines: Machines, arn: str) -> str:
    """Go on with a run at the step in which it ended, with its own definition and input; say which that is.

    Raises OperationError for a run that cannot be redriven, or not yet.
    """
    run, name = read(machines, arn), arn.rsplit(":", 1)[1]
    if obstacle := _obstacle(aws, machines, run):
        message = f"{name} {obstacle}"
        raise OperationError(message)
    try:
        machines.client.redrive_execution(executionArn=arn)
    except Exception as error:
        if error_code(error) not in ("ExecutionNotRedrivable", _ABSENT):
            raise
        message = (
            f"{name} cannot be redriven: {error_message(error)}. A run that did not succeed can for 14 days; "
            "start another with `edgepipe submit PIPELINE --force-new NAME`"
        )
        raise OperationError(message) from error
    steps = ", ".join(f"'{step.id}'" for step in run.steps if step.status in ("FAILED", "ABORTED"))
    return f"redriven: {name} goes on at step {steps or 'where it ended'}"


def _obstacle(aws: Aws, machines: Machines, run: Run) -> str | None:
    """Return why redriving a run would lead nowhere, and what to do; None where nothing is in the way.

    A job that the sweeper still stops would be adopted, and fail the run again when it has stopped.
    """
    if run.open:
        return f"is {run.status}: `edgepipe watch {run.name} --aws` follows it"
    if run.status == "SUCCEEDED":
        return "has succeeded: there is nothing to redrive"
    if _last_entered(machines, run.arn) == REFUSED:
        return f"was refused ({run.cause}): submit it with other parameters"
    open_jobs = _open_desk(aws).jobs.open_jobs(run_arn=run.arn)
    if count := sum(job.kind != "approve" for job in open_jobs):
        return f"waits for {count} of its jobs to end: redrive it again in a minute or two"
    return None


def _describe(machines: Machines, arn: str) -> Mapping[str, Any]:
    """Return what Step Functions says of a run. Raises OperationError where it is not there."""
    found: Mapping[str, Any] | None = ask(machines.client.describe_execution, _ABSENT, executionArn=arn)
    if found is None:
        message = f"there is no run {arn}"
        raise OperationError(message)
    return found


def _last_entered(machines: Machines, arn: str) -> str:
    """Return the state that a run entered last."""
    newest = machines.client.get_execution_history(executionArn=arn, reverseOrder=True, maxResults=10)
    entered = (each.get("stateEnteredEventDetails", {}).get("name") for each in newest["events"])
    return next(filter(None, entered), "")


def answer(aws: Aws, caller: Caller, arn: str, step: str, *, approved: bool, comment: str) -> str:
    """Answer an approval in the caller's name. Raises OperationError where nothing waits for it."""
    from tasks import approval

    desk = _open_desk(aws)
    waiting = [each.step for each in approval.open_approvals(arn, desk)]
    if step not in waiting or not approval.answer(
        arn, step, approved=approved, by=caller.arn, comment=comment, desk=desk
    ):
        listed = f"it waits for {', '.join(waiting)}" if waiting else "it waits for nobody"
        message = f"the run does not wait for an answer to '{step}': {listed}"
        raise OperationError(message)
    return f"{'approved' if approved else 'rejected'} '{step}' as {caller.arn}"


def approvals(aws: Aws, arn: str) -> list[str]:
    """Return the steps of a run that wait for an answer."""
    from tasks import approval

    return [each.step for each in approval.open_approvals(arn, _open_desk(aws))]


def _open_desk(aws: Aws) -> Any:  # noqa: ANN401 - a tasks.callback.Desk, which is imported late
    import time

    from tasks.callback import Desk, waiting_kind
    from tasks.jobs import JobTable

    table = JobTable(dynamodb=aws.client("dynamodb"), table=platform.JOBS_TABLE)
    return Desk(jobs=table, states=aws.client("stepfunctions"), clock=time.time, kind=waiting_kind)


def _settle(step: Step, status: str) -> Step:
    """End a step that the history leaves open though its run is over, as a time-out of all does."""
    over = status not in (*_OPEN, "SUCCEEDED")
    return replace(step, status="ABORTED") if over and step.status == "RUNNING" else step


def _pipelines(machines: Machines) -> Iterator[str]:
    for page in machines.client.get_paginator("list_state_machines").paginate():
        names = (each["name"] for each in page["stateMachines"])
        yield from (name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX))


def _entries(machines: Machines, pipeline: str, limit: int, status: str | None) -> Iterator[Entry]:
    reply: Mapping[str, Any] | None = ask(
        machines.client.list_executions,
        "StateMachineDoesNotExist",
        stateMachineArn=machines.arn(pipeline),
        maxResults=min(limit, 1000),
        **({"statusFilter": status} if status else {}),
    )
    for each in reply["executions"] if reply else ():
        yield Entry(
            arn=each["executionArn"],
            pipeline=pipeline,
            status=each["status"],
            started=each["startDate"],
            stopped=each.get("stopDate"),
        )
