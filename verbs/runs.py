"""The verbs that begin, resume, stop and answer runs on this machine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from verbs import local
from verbs.verb import (
    FAILED,
    OK,
    EnvironmentLacksError,
    UsageError,
    add_output,
    add_verb,
    assignment,
    readable,
    say,
    write_json,
)

if TYPE_CHECKING:
    import argparse

    from local_cloud.run import Options
    from local_cloud.runs import Run
    from verbs.verb import Verbs

_STOP_SECONDS = 60.0
_LOOK_SECONDS = 0.1


def add(verbs: Verbs) -> None:
    """Add the verbs to the command line."""
    _add_run(verbs)
    _add_resume(verbs)
    parser = add_verb(verbs, "stop", _stop, "end a run, its jobs and its devices' work", spec=False)
    local.add_run(parser)
    local.add_state_dir(parser)
    add_output(parser)
    for name, words in (("approve", "say yes to a step that asks"), ("reject", "say no to a step that asks")):
        _add_answer(verbs, name, words)


def _add_run(verbs: Verbs) -> None:
    parser = add_verb(verbs, "run", _run, "run a pipeline on this machine, without AWS")
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        dest="params",
        action="append",
        type=assignment,
        default=[],
        help="a parameter's value; for a dataset, a folder on this machine will do",
    )
    words = "the fleet of virtual devices (default: devices.yaml beside the spec, if there is one)"
    parser.add_argument("--devices", metavar="FILE", type=Path, help=words)
    _add_driving(parser)


def _add_resume(verbs: Verbs) -> None:
    words = "go on with a run whose process ended, or that failed, was stopped or timed out"
    parser = add_verb(verbs, "resume", _resume, words, spec=False)
    parser.description = (
        "Go on with a run whose process was killed, or take up one that failed, was stopped or timed out at "
        "the step where it stood. Steps that have ended are not run again. Spec, data and jobs' scripts stay "
        "those of the run; the functions of its custom steps are read anew."
    )
    local.add_run(parser)
    _add_driving(parser)


def _add_driving(parser: argparse.ArgumentParser) -> None:
    local.add_state_dir(parser)
    words = "json prints the run's record to stdout"
    parser.add_argument("--output", choices=("text", "json"), default="text", help=words)
    for verb in ("approve", "reject"):
        words = f"{verb} a step that would ask"
        parser.add_argument(f"--{verb}", metavar="STEP", action="append", default=[], help=words)
    words = "a file whose labels stand for people's, where a step has `method: ground-truth`"
    parser.add_argument("--oracle", metavar="FILE", type=Path, help=words)
    local.add_time_scale(parser)
    parser.add_argument("--serve", action="store_true", help="keep the device answering until Ctrl-C")


def _add_answer(verbs: Verbs, name: str, words: str) -> None:
    parser = add_verb(verbs, name, _answer, words, spec=False)
    local.add_run(parser)
    parser.add_argument("step", metavar="STEP", help="the step that asks, or will ask")
    parser.add_argument("--comment", default="", help="kept with the answer")
    parser.set_defaults(approved=name == "approve")
    local.add_state_dir(parser)
    add_output(parser)


def _run(args: argparse.Namespace) -> int:
    params = dict(args.params)
    if len(params) < len(args.params):
        message = "a parameter is given twice"
        raise UsageError(message)
    answers = _answers(args)
    readable(args.spec)
    if args.devices:
        readable(args.devices)
    with local.environment("run"):
        from local_cloud.run import UnavailableError, run_spec

        options = _options(args, answers)
        try:
            return run_spec(args.spec, params=params, state_dir=args.state_dir, options=options)
        except UnavailableError as error:
            raise EnvironmentLacksError(str(error)) from error


def _resume(args: argparse.Namespace) -> int:
    answers = _answers(args)
    run = local.choose(args)
    if run.status == "SUCCEEDED":
        message = f"{run.run_id} has succeeded; there is nothing to resume. Its record: {run.folder}/run.json"
        raise UsageError(message)
    with local.environment("resume"):
        from local_cloud.run import resume_run

        return resume_run(args.state_dir, run.run_id, _options(args, answers))


def _options(args: argparse.Namespace, answers: dict[str, bool]) -> Options:
    from local_cloud.run import Options

    if args.oracle:
        readable(args.oracle)
    return Options(
        output=args.output,
        serve=args.serve,
        answers=answers,
        time_scale=args.time_scale,
        devices=getattr(args, "devices", None),
        oracle=args.oracle,
    )


def _answers(args: argparse.Namespace) -> dict[str, bool]:
    if both := set(args.approve) & set(args.reject):
        message = f"--approve and --reject both name {', '.join(sorted(both))}"
        raise UsageError(message)
    return {**dict.fromkeys(args.approve, True), **dict.fromkeys(args.reject, False)}


def _stop(args: argparse.Namespace) -> int:
    run = local.choose(args)
    _require_open(run)
    if run.status == "RUNNING":
        run = _ask_to_stop(args, run)
    else:
        with local.environment("stop"):
            from local_cloud.run import stop_run
            from local_cloud.runs import find_run

            stop_run(args.state_dir, run.run_id)
            run = find_run(args.state_dir, run.run_id) or run
    still = run.status == "RUNNING"
    say(f"{run.run_id}: {'asked to stop, and still at it' if still else run.status}")
    if args.output == "json":
        write_json(run.row())
    return FAILED if still else OK


def _ask_to_stop(args: argparse.Namespace, run: Run) -> Run:
    from local_cloud.requests import leave_stop
    from local_cloud.runs import find_run

    leave_stop(args.state_dir, run.run_id)
    deadline = time.monotonic() + _STOP_SECONDS
    while run.status == "RUNNING" and time.monotonic() < deadline:
        time.sleep(_LOOK_SECONDS)
        run = find_run(args.state_dir, run.run_id) or run
    return run


def _answer(args: argparse.Namespace) -> int:
    from local_cloud.approvals import Decision, user_name
    from local_cloud.requests import leave_answer

    run = local.choose(args)
    _require_open(run)
    _require_asking(run, args.step)
    decision = Decision(approved=args.approved, comment=args.comment, by=user_name())
    leave_answer(args.state_dir, run.run_id, args.step, decision)
    word = "approved" if args.approved else "rejected"
    how = f"`edgepipe resume {run.run_id}` takes it up" if run.status != "RUNNING" else "the run takes it up"
    say(f"{run.run_id}: step '{args.step}' {word}; {how}")
    if args.output == "json":
        said = {"run_id": run.run_id, "step": args.step, "approved": args.approved, "comment": args.comment}
        write_json(said)
    return OK


def _require_open(run: Run) -> None:
    from local_cloud.runs import FINAL

    if run.status in FINAL:
        message = f"{run.run_id} has ended already: {run.status}"
        raise UsageError(message)


def _require_asking(run: Run, step: str) -> None:
    from pipelines.diagnostics import did_you_mean

    if step not in run.approvals:
        near = did_you_mean(step, run.approvals)
        there = f"those that ask: {', '.join(run.approvals)}" if run.approvals else "no step of it asks"
        hint = f" {near}" if near else ""
        message = f"{run.run_id} has no approve step '{step}'; {there}.{hint}"
        raise UsageError(message)
    status = run.document.get("steps", {}).get(step, {}).get("status", "PENDING")
    if status not in {"PENDING", "RUNNING"}:
        message = f"step '{step}' of {run.run_id} has been answered: {status}"
        raise UsageError(message)
