"""The verbs of runs on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from verbs.verb import EnvironmentLacksError, UsageError, add_verb, assignment, readable

if TYPE_CHECKING:
    import argparse

    from verbs.verb import Verbs

_OURS = ("cli", "verbs", "pipelines", "local_cloud", "tasks", "containers", "edge_components")


def add(verbs: Verbs) -> None:
    """Add the verbs to the command line."""
    _add_run(verbs)


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
    words = "where runs, logs and devices are kept (default: .edgepipe)"
    parser.add_argument("--state-dir", metavar="DIR", type=Path, default=Path(".edgepipe"), help=words)
    parser.add_argument(
        "--output", choices=("text", "json"), default="text", help="json prints the run's record to stdout"
    )
    for verb in ("approve", "reject"):
        parser.add_argument(
            f"--{verb}", metavar="STEP", action="append", default=[], help=f"{verb} a step that would ask"
        )
    parser.add_argument("--serve", action="store_true", help="keep the device answering until Ctrl-C")


def _run(args: argparse.Namespace) -> int:
    params = dict(args.params)
    if len(params) < len(args.params):
        message = "a parameter is given twice"
        raise UsageError(message)
    if both := set(args.approve) & set(args.reject):
        message = f"--approve and --reject both name {', '.join(sorted(both))}"
        raise UsageError(message)
    answers = {**dict.fromkeys(args.approve, True), **dict.fromkeys(args.reject, False)}
    readable(args.spec)
    try:
        from local_cloud.run import UnavailableError, run_spec
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in _OURS:
            raise
        message = f"'run' needs {error.name}, which is not installed: pip install 'edgepipe[local,edge]'"
        raise EnvironmentLacksError(message) from error
    try:
        return run_spec(
            args.spec,
            params=params,
            state_dir=args.state_dir,
            output=args.output,
            serve=args.serve,
            answers=answers,
        )
    except UnavailableError as error:
        raise EnvironmentLacksError(str(error)) from error
