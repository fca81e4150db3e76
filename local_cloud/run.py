"""`edgepipe run`, `resume` and `stop`: one pipeline on this machine, from its spec to a model on a device."""

from __future__ import annotations

import gc
import json
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from local_cloud import interrupts
from local_cloud.approvals import Approvals, check_answers
from local_cloud.clock import ScaledClock, SystemClock
from local_cloud.labelling.notices import Notices
from local_cloud.labelling.oracle import Oracle, keep_oracle, read_oracle
from local_cloud.labelling.sheets import Sheets
from local_cloud.plan import Plan, UnavailableError, plan_run, read_plan, write_plan
from local_cloud.progress import Terminal
from local_cloud.record import Record, render_summary
from local_cloud.requests import Requests
from local_cloud.runs import find_run
from pipelines.parameters import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local_cloud.clock import CloudClock
    from local_cloud.cloud import LocalCloud
    from local_cloud.drive import LocalRun

__all__ = ["Options", "UnavailableError", "resume_run", "run_spec", "stop_run"]

EXIT_CODES = {"SUCCEEDED": 0, "ABORTED": 130}
EXIT_FAILED = 1


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a run is driven: `answers` says yes or no to approve steps before they ask.

    With `serve` the device keeps answering until Ctrl-C. A `time_scale` of None is 1, or what the run had.
    """

    output: Literal["text", "json"] = "text"
    serve: bool = False
    answers: Mapping[str, bool] = field(default_factory=dict)
    time_scale: float | None = None
    devices: Path | None = None
    """The file that describes the fleet, if not the devices.yaml beside the spec."""
    oracle: Path | None = None
    """The file whose labels stand for people's."""


def run_spec(spec: Path, *, params: Mapping[str, str], state_dir: Path, options: Options) -> int:
    """Run a spec in the local cloud and return the exit code: 0 succeeded, 1 failed, 130 interrupted.

    Progress goes to stderr, the summary or (`output` json) the run's record to stdout.
    Raises SpecError, ParameterError or UnavailableError before anything is started, and InUseError when
    another process drives the state folder.
    """
    scale = options.time_scale or 1.0
    plan = plan_run(spec, params=params, state_dir=state_dir, time_scale=scale, devices=options.devices)
    check_answers(options.answers, plan.approvals)
    return _drive(plan, options, begin=True)


def resume_run(state_dir: Path, run_id: str, options: Options) -> int:
    """Go on with a run whose process has ended before it, or redrive one that failed or was stopped.

    Steps that have ended are not run again. Returns and raises what `run_spec` does.
    """
    plan = read_plan(state_dir / "runs" / run_id)
    check_answers(options.answers, plan.approvals)
    if options.time_scale is not None:
        plan = replace(plan, time_scale=options.time_scale)
    return _drive(plan, options, begin=False)


def stop_run(state_dir: Path, run_id: str) -> Record:
    """Abort a run that no process drives, with its jobs, and return its record."""
    plan = read_plan(state_dir / "runs" / run_id)
    terminal = Terminal(sys.stderr, live=False)
    with interrupts.raised(), _opened(plan) as cloud:
        run = _local_run(cloud, plan, terminal, {}, attended=False)
        record = run.abort()
    gc.freeze()
    return record


def _drive(plan: Plan, options: Options, *, begin: bool) -> int:
    terminal = Terminal(sys.stderr, live=sys.stderr.isatty())
    oracle = _oracle(plan, options.oracle)
    with interrupts.raised(), _opened(plan) as cloud:
        terminal.print(plan.run_id)
        if oracle:
            keep_oracle(cloud.store, plan.run_id, oracle)
        if begin:
            write_plan(plan)
        record = _local_run(cloud, plan, terminal, options.answers, attended=True).execute()
        _report(record, options.output, terminal)
        if options.serve and record.status == "SUCCEEDED":
            terminal.print("the device answers until you press Ctrl-C")
            with interrupts.noted() as stop:
                stop.wait()
    gc.freeze()  # the interpreter's last collection would walk all service models: more than a second
    return EXIT_CODES.get(record.status, EXIT_FAILED)


def _oracle(plan: Plan, path: Path | None) -> Oracle | None:
    """Read what stands for people; raises ParameterError, also where nobody is asked."""
    if path is not None and not plan.labelled:
        message = "--oracle answers for people, and no step of the pipeline has `method: ground-truth`"
        raise ParameterError(message)
    return None if path is None else read_oracle(path)


@contextmanager
def _opened(plan: Plan) -> Iterator[LocalCloud]:
    """Open the cloud, its clock going on where the run's stood."""
    with ExitStack() as stack:
        with uncollected():
            # Here, because moto's import would delay every message about the spec.
            from local_cloud.cloud import local_cloud

            opened = local_cloud(plan.state_dir, region=plan.usecase.region, clock=_clock(plan))
            cloud = stack.enter_context(opened)
        yield cloud


@contextmanager
def uncollected() -> Iterator[None]:
    """Import in the block: Python's collector would look through everything again and again meanwhile."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _clock(plan: Plan) -> CloudClock:
    if plan.time_scale == 1:
        return SystemClock()
    before = find_run(plan.state_dir, plan.run_id)
    return ScaledClock(plan.time_scale, start=before.updated.timestamp() if before else 0.0)


def _local_run(
    cloud: LocalCloud, plan: Plan, terminal: Terminal, answers: Mapping[str, bool], *, attended: bool
) -> LocalRun:
    from local_cloud.drive import LocalRun  # imports boto3

    requests = Requests(cloud.store, plan.run_id)
    where = "" if str(plan.state_dir) == ".edgepipe" else f" --state-dir {plan.state_dir}"
    approvals = Approvals(
        how=f"edgepipe approve{where} {plan.run_id}",
        answers=answers,
        requests=requests,
        terminal=terminal,
        stdin=sys.stdin if attended and sys.stdin and sys.stdin.isatty() else None,
    )
    labels = Notices(
        run_id=plan.run_id,
        how=f"edgepipe label{where} {plan.run_id}",
        sheets=Sheets(cloud.store),
        terminal=terminal,
    )
    return LocalRun(
        cloud=cloud, plan=plan, terminal=terminal, approvals=approvals, requests=requests, labels=labels
    )


def _report(record: Record, output: str, terminal: Terminal) -> None:
    summary = render_summary(record)
    if output == "json":
        terminal.print(summary)
    with suppress(BrokenPipeError):  # a reader that has gone does not change how the run ended
        print(json.dumps(record.document(), indent=2) if output == "json" else summary, flush=True)
    if record.failure:
        terminal.print(record.failure.render())
