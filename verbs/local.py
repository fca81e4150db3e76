"""What the verbs of runs on this machine share: their options, how a run is named, how a table looks."""

from __future__ import annotations

import argparse
import math
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from verbs.verb import EnvironmentLacksError, UsageError, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local_cloud.runs import DamagedRunError, Run

_OURS = ("cli", "verbs", "pipelines", "local_cloud", "tasks", "containers", "edge_components")
RUN_HELP = "a run's id, the beginning of one, or 'last'"


def add_state_dir(parser: argparse.ArgumentParser) -> None:
    """Add --state-dir."""
    words = "where runs, logs and devices are kept (default: .edgepipe)"
    parser.add_argument("--state-dir", metavar="DIR", type=folder, default=Path(".edgepipe"), help=words)


def folder(text: str) -> Path:
    """Read the name of a folder that exists or can, as argparse wants it."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        message = f"'{text}' is a file, not a folder"
        raise argparse.ArgumentTypeError(message)
    return path


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the argument that names a run."""
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)


def add_time_scale(parser: argparse.ArgumentParser) -> None:
    """Add --time-scale."""
    words = "let time pass N times as fast while nothing works: time-outs, waits, heartbeats, bakes"
    parser.add_argument("--time-scale", metavar="N", type=time_scale, default=None, help=words)


def time_scale(text: str) -> float:
    """Read a scale, as argparse wants it."""
    try:
        scale = float(text)
    except ValueError:
        scale = math.nan
    if not 1 <= scale <= 1_000_000:
        message = f"'{text}' is not a number from 1 to 1000000"
        raise argparse.ArgumentTypeError(message)
    return scale


def choose(args: argparse.Namespace) -> Run:
    """Return the run that the arguments name. Raises UsageError."""
    from local_cloud.runs import LAST, UnknownRunError, choose_run, survey

    if args.run == LAST:
        runs, damaged = survey(args.state_dir)
        say_damaged(damaged if runs else ())  # the newest may be one of them
    try:
        return choose_run(args.state_dir, args.run)
    except UnknownRunError as error:
        raise UsageError(str(error)) from error


def say_damaged(errors: Sequence[DamagedRunError]) -> None:
    """Say of each run that cannot be read which it is and what to do."""
    for error in errors:
        say(f"edgepipe: left out {error.folder.name}: {error}")


@contextmanager
def environment(verb: str) -> Iterator[None]:
    """Turn what this machine lacks, and a state folder that another process uses, into one message."""
    from local_cloud.lock import StateFolderError

    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in _OURS:
            raise
        message = f"'{verb}' needs {error.name}, which is not installed: pip install 'edgepipe[local,edge]'"
        raise EnvironmentLacksError(message) from error
    except StateFolderError as error:
        raise EnvironmentLacksError(str(error)) from error


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows under a head, each column as wide as its widest cell."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n"
        for line in lines
    )


def duration(seconds: float) -> str:
    """Return a length of time as people read it: 12.3 s, 4m 05s, 3h 10m, 2d 4h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours < 24 else f"{hours // 24}d {hours % 24}h"
