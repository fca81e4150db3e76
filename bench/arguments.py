"""The command line that every bench module shares."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench.peer_environment import PeersMissingError
from bench.processes import CommandFailedError
from bench.report import render

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.report import Table


def main(program: str, measures: Sequence[Callable[[int], Table]], argv: Sequence[str] | None = None) -> int:
    """Measure, print the tables and return 0; 5 where this machine lacks what it takes."""
    parser = argparse.ArgumentParser(prog=program, description="Ratios against named peers, in one run.")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="(default: text)")
    parser.add_argument("--rounds", type=_rounds, default=9, help="how often, 7 or more (default: 9)")
    args = parser.parse_args(argv)
    try:
        print(render([measure(args.rounds) for measure in measures], args.output))
    except (PeersMissingError, CommandFailedError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 5
    return 0


def _rounds(text: str) -> int:
    if not text.isdigit() or int(text) < 7:
        message = f"'{text}' is not a whole number of 7 or more: fewer runs say too little"
        raise argparse.ArgumentTypeError(message)
    return int(text)
