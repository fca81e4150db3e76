"""The verb that removes what old runs left on this machine."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING

from verbs import local
from verbs.verb import OK, add_output, add_verb, say, write_json

if TYPE_CHECKING:
    from local_cloud.leftovers import Leftovers
    from verbs.verb import Verbs


def add(verbs: Verbs) -> None:
    """Add the verb to the command line."""
    words = "remove what runs left that ended long ago, and objects that nothing names any more"
    parser = add_verb(verbs, "gc", _gc, words, spec=False)
    parser.description = (
        "Remove old runs that have ended, and damaged ones: their folders, histories, jobs, objects and "
        "calls in handlers' logs. Runs that can go on stay; so do components and devices."
    )
    words = "only runs that began so long ago, such as 12h, 7d or 0m (default: 30d)"
    parser.add_argument("--older-than", metavar="AGE", type=_age, default="30d", help=words)
    words = "spare the N newest runs, however old (default: 0)"
    parser.add_argument("--keep", metavar="N", type=_number, default=0, help=words)
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    local.add_state_dir(parser)
    add_output(parser)


def _age(text: str) -> int:
    from pipelines.configs import seconds

    if not re.fullmatch(r"[0-9]{1,6}[smhd]", text):
        message = f"'{text}' is not an age such as 90s, 30m, 12h or 7d"
        raise argparse.ArgumentTypeError(message)
    return seconds(text)


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", text):
        message = f"'{text}' is not a number from 0 up"
        raise argparse.ArgumentTypeError(message)
    return int(text)


def _gc(args: argparse.Namespace) -> int:
    if not args.state_dir.is_dir():
        say(f"there is no state folder {args.state_dir}")
        return OK
    if args.dry_run:
        found, size = _find(args)
    else:
        from local_cloud.leftovers import remove_leftovers
        from local_cloud.lock import held

        with local.environment("gc"), held(args.state_dir):
            found, size = _find(args)
            remove_leftovers(args.state_dir, found)
    _report(args, found, size)
    return OK


def _find(args: argparse.Namespace) -> tuple[Leftovers, int]:
    from datetime import UTC, datetime, timedelta

    from local_cloud.leftovers import find_leftovers

    before = datetime.now(UTC) - timedelta(seconds=args.older_than)
    found = find_leftovers(args.state_dir, before=before, keep=args.keep)
    return found, found.size


def _report(args: argparse.Namespace, found: Leftovers, size: int) -> None:
    runs = list(found.runs)
    objects = sum(len(keys) for keys in found.objects.values())
    if args.output == "json":
        document = {"dry_run": args.dry_run, "runs": runs, "objects": objects, "bytes": size}
        write_json(document)
    else:
        sys.stdout.write("".join(f"{run}\n" for run in runs))
    what = f"{len(runs)} runs, {objects} objects, {size / 1_000_000:.1f} MB"
    say(f"would remove {what}" if args.dry_run else f"removed {what}")
