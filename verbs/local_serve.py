"""The verb that opens the local cloud to other programs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verbs.local import add_state_dir, environment
from verbs.verb import OK, UsageError, add_verb, say

if TYPE_CHECKING:
    import argparse

    from verbs.verb import Verbs

PORT = 4566
"""What local AWS emulators are usually found at."""


def add(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    words = "serve the local cloud to the AWS CLI and boto3, on 127.0.0.1 only"
    parser = add_verb(verbs, "local", _serve, words, spec=False)
    parser.add_argument("action", choices=("serve",), help="serve until Ctrl-C")
    parser.add_argument("--port", type=int, default=PORT, help="0 is any free one (default: %(default)s)")
    add_state_dir(parser)


def _serve(args: argparse.Namespace) -> int:
    if not 0 <= args.port <= 65_535:
        message = f"--port {args.port} is no port"
        raise UsageError(message)
    with environment("local serve"):
        from local_cloud.serve import serve

        serve(args.state_dir, args.port, ready=_say_ready)
    return OK


def _say_ready(address: str) -> None:
    print(address, flush=True)
    say(f"serving; try: aws --endpoint-url {address} stepfunctions list-state-machines (Ctrl-C ends it)")
