"""What every verb shares: how it is added to the command line, how it ends, what it writes."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

OK, FAILED, USAGE, SPEC_INVALID, CHANGES, ENVIRONMENT, BUG, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130


class UsageError(Exception):
    """What was asked for cannot be done as asked."""


class EnvironmentLacksError(Exception):
    """This machine lacks something that the verb needs."""


def add_verb(
    verbs: Verbs, name: str, verb: Callable[[argparse.Namespace], int], words: str, *, spec: bool = True
) -> argparse.ArgumentParser:
    """Add a verb that takes a spec or not; `words` is its help and, as a sentence, its description."""
    parser = verbs.add_parser(
        name, help=words, description=f"{words[0].upper()}{words[1:]}.", allow_abbrev=False
    )
    if spec:
        parser.add_argument("spec", metavar="SPEC", type=Path, help="the pipeline's YAML file")
    parser.set_defaults(verb=verb)
    return parser


def say(text: str) -> None:
    """Write words for a person, which go to stderr."""
    print(text, file=sys.stderr)


def readable(spec: Path) -> Path:
    """Return the path of a file that can be read. Raises UsageError."""
    try:
        spec.open("rb").close()
    except OSError as error:
        message = f"cannot read {spec}: {error.strerror}"
        raise UsageError(message) from error
    return spec


def emit(text: str, output: Path | None) -> None:
    """Write data to a file or to stdout."""
    if output is None:
        sys.stdout.write(text)
        return
    try:
        output.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        message = f"cannot write {output}: {error.strerror}"
        raise EnvironmentLacksError(message) from error


def assignment(text: str) -> tuple[str, str]:
    """Read NAME=VALUE, as argparse wants it."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        message = f"'{text}' is not NAME=VALUE"
        raise argparse.ArgumentTypeError(message)
    return name, value
