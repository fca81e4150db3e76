"""The verb that opens the local cloud to other programs."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from verbs.local import add_state_dir, add_time_scale, environment
from verbs.verb import OK, UsageError, add_verb, readable, say

if TYPE_CHECKING:
    from verbs.verb import Verbs

ACCOUNT = "123456789012"
"""Whose the devices are unless it is said: the account that any keys stand for."""
PORT = 4566
"""What local AWS emulators are usually found at."""


def add(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    words = "serve the local cloud to the AWS CLI and boto3, on 127.0.0.1 only"
    parser = add_verb(verbs, "local", _serve, words, spec=False)
    parser.add_argument("action", choices=("serve",), help="serve until Ctrl-C")
    parser.add_argument("--port", type=int, default=PORT, help="0 is any free one (default: %(default)s)")
    words = "switch on the fleet of virtual devices that this file describes"
    parser.add_argument("--devices", metavar="FILE", type=Path, help=words)
    words = "the account that the devices belong to (default: %(default)s)"
    parser.add_argument("--account", metavar="N", type=_account, default=ACCOUNT, help=words)
    add_time_scale(parser)
    add_state_dir(parser)


def _account(text: str) -> str:
    """Read an account's number, as argparse wants it."""
    if not re.fullmatch(r"[0-9]{12}", text):
        message = f"'{text}' is not an account: it has twelve digits"
        raise argparse.ArgumentTypeError(message)
    return text


def _serve(args: argparse.Namespace) -> int:
    if not 0 <= args.port <= 65_535:
        message = f"--port {args.port} is no port"
        raise UsageError(message)
    if args.devices:
        readable(args.devices)
    with environment("local serve"):
        from local_cloud.fleet import read_fleet
        from local_cloud.serve import Fleet, serve

        devices = read_fleet(args.devices) if args.devices else ()
        fleet = Fleet(account=args.account, devices=devices)
        scale = args.time_scale or 1.0
        serve(args.state_dir, args.port, ready=_say_ready, fleet=fleet, time_scale=scale)
    return OK


def _say_ready(address: str) -> None:
    print(address, flush=True)
    keys = "AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=us-east-1"
    say("serving until Ctrl-C; try in another terminal:")
    say(f"  {keys} aws --endpoint-url {address} stepfunctions list-state-machines")
