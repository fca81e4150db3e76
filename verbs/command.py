"""The command line: each verb imports its own module when it is called.

Data goes to stdout, words to stderr. Exit codes: 0 done, 1 the run or its gate failed, 2 wrong usage, 3 the
spec has mistakes, 4 `plan` found changes, 5 something is missing on this machine, 70 a bug in edgepipe, 130
interrupted.
"""

from __future__ import annotations

import argparse
import errno
import io
import os
import sys
from typing import TYPE_CHECKING

from verbs import aws, labels, leftovers, local_serve, looks, runs, specs, usecases
from verbs.verb import (
    BUG,
    ENVIRONMENT,
    INTERRUPTED,
    OK,
    SPEC_INVALID,
    USAGE,
    EnvironmentLacksError,
    Help,
    UsageError,
    Verbs,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MACHINE_FAULTS = frozenset(
    {
        errno.EACCES,
        errno.EPERM,
        errno.ENOSPC,
        errno.EROFS,
        errno.EDQUOT,
        errno.EMFILE,
        errno.ENFILE,
        errno.EADDRINUSE,
    }
)
"""What an operating system says when the machine, not edgepipe, is at fault."""
_DISK_FAULTS = frozenset({3, 5, 8, 10, 11, 13, 14, 26})
"""SQLite's PERM, BUSY, READONLY, IOERR, CORRUPT, FULL, CANTOPEN and NOTADB."""


def run(words: Sequence[str], *, begin: Callable[[], None]) -> int:
    """Run the command line and return its exit code; whatever happens, no traceback reaches the terminal.

    `begin` is called when a verb begins, which Ctrl-C then ends by KeyboardInterrupt.
    """
    _write_utf8()
    code = OK
    try:
        args = parser_of(words[0] if words else "").parse_args(words)
        code = _guard(args.verb, args, begin)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has gone, as with `| head`. Python would fail once more when it flushes at exit.
        for stream in (sys.stdout, sys.stderr):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    return code


def _guard(
    verb: Callable[[argparse.Namespace], int], args: argparse.Namespace, begin: Callable[[], None]
) -> int:
    """Call a verb and turn what it raises into one message and an exit code."""
    try:
        begin()
        return verb(args)
    except KeyboardInterrupt:
        say("edgepipe: interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as error:
        code = _exit_code(error)
        if code == BUG:
            return _report_bug(error)
        say(str(error) if code == SPEC_INVALID else f"edgepipe: {_words(error)}")
        return code


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"a database of the state folder: {error}" if _is_disk_fault(error) else str(error)


def _exit_code(error: Exception) -> int:
    from local_cloud.lock import StateFolderError
    from pipelines.assets import AssetError
    from pipelines.diagnostics import RequestError, SpecError
    from pipelines.parameters import ParameterError

    if isinstance(error, SpecError):
        return SPEC_INVALID
    if isinstance(error, UsageError | RequestError | ParameterError | AssetError):
        return USAGE
    broken_machine = isinstance(error, OSError) and error.errno in _MACHINE_FAULTS
    lacking = isinstance(error, EnvironmentLacksError | StateFolderError)
    return ENVIRONMENT if broken_machine or lacking or _is_disk_fault(error) else BUG


def _is_disk_fault(error: Exception) -> bool:
    """Say whether a database of the state folder cannot be read or written as the machine stands."""
    import sqlite3

    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(error, sqlite3.DatabaseError) and code is not None and code & 0xFF in _DISK_FAULTS


def parser_of(asked: str) -> argparse.ArgumentParser:
    """Return the parser of one verb; of all where the word is none, or where the verb writes of them all."""
    parser, verbs = _build(asked)
    return parser if asked in verbs.known and asked != "completion" else _build("")[0]


def _build(asked: str) -> tuple[argparse.ArgumentParser, Verbs]:
    parser = argparse.ArgumentParser(
        prog="edgepipe",
        description="Compile a YAML pipeline into AWS Step Functions, and run it on this machine.",
        allow_abbrev=False,
        formatter_class=Help,
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    verbs = Verbs(parser, "VERB", asked=asked)
    for group in (specs, runs, labels, looks, leftovers, aws, usecases, local_serve):
        group.add(verbs)
    parser.set_defaults(parser=parser)
    return parser, verbs


def _report_bug(error: Exception) -> int:
    """Keep the traceback in a file and say where; EDGEPIPE_DEBUG=1 shows it."""
    import tempfile
    import traceback

    text = "".join(traceback.format_exception(error))
    if os.environ.get("EDGEPIPE_DEBUG"):
        say(text)
    with tempfile.NamedTemporaryFile(
        "w", prefix="edgepipe-bug-", suffix=".txt", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    summary = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    say(f"edgepipe has a bug: {summary}. Please report it with the file {file.name}")
    return BUG


def _write_utf8() -> None:
    """Write the same bytes everywhere: UTF-8 and plain newlines, whatever the locale is."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")


class _Version(argparse.Action):
    """Prints the version; finds it only when asked, because importlib.metadata is slow to import."""

    def __init__(self, option_strings: Sequence[str], dest: str, **kwargs: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help=kwargs.get("help"))

    def __call__(self, parser: argparse.ArgumentParser, *_args: object) -> None:
        from importlib.metadata import version

        print(f"edgepipe {version('edgepipe')}")
        parser.exit()
