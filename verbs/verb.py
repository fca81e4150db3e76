"""What every verb shares: how it is added to the command line, how it ends, what it writes."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

OK, FAILED, USAGE, SPEC_INVALID, CHANGES, ENVIRONMENT, BUG, INTERRUPTED = 0, 1, 2, 3, 4, 5, 70, 130


class UsageError(Exception):
    """What was asked for cannot be done as asked."""


class EnvironmentLacksError(Exception):
    """This machine lacks something that the verb needs."""


class Help(argparse.HelpFormatter):
    """Help as wide as the terminal, asked without shutil, whose archives' modules are slow to import."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    with contextlib.suppress(ValueError, KeyError):
        return int(os.environ["COLUMNS"]) or 80
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    return 80


class Verbs:
    """The verbs that follow a word of the command line. Where one is asked for, the others are names only.

    To add every verb's options takes as long as to compile a spec.
    """

    def __init__(self, parser: argparse.ArgumentParser, metavar: str, *, asked: str = "") -> None:
        self._added = parser.add_subparsers(metavar=metavar, required=True)
        self._asked = asked
        self.known: dict[str, Any] = {}

    def add(self, name: str, words: str, about: str | None = None) -> Any:  # noqa: ANN401 - a parser, or what stands for one
        """Add a verb and return its parser; where another is asked for, what takes options and keeps none."""
        if self._asked in ("", name):
            self.known[name] = self._added.add_parser(
                name, help=words, description=about, allow_abbrev=False, formatter_class=Help
            )
        else:
            self.known[name] = _Unasked()
        return self.known[name]


class _Unasked:
    """Stands for the parser of a verb that is not asked for."""

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        return lambda *_args, **_words: self


def add_verb(
    verbs: Verbs, name: str, verb: Callable[[argparse.Namespace], int], words: str, *, spec: bool = True
) -> argparse.ArgumentParser:
    """Add a verb that takes a spec or not; `words` is its help and, as a sentence, its description."""
    parser: argparse.ArgumentParser = verbs.add(name, words, f"{words[0].upper()}{words[1:]}.")
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


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add --output."""
    parser.add_argument("--output", choices=("text", "json"), default="text", help="(default: text)")


def write_json(value: Any) -> None:  # noqa: ANN401 - any JSON
    """Write data as JSON to stdout, at once."""
    print(json.dumps(value, indent=2), flush=True)


def assignment(text: str) -> tuple[str, str]:
    """Read NAME=VALUE, as argparse wants it."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        message = f"'{text}' is not NAME=VALUE"
        raise argparse.ArgumentTypeError(message)
    return name, value
