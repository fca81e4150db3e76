"""The FailureReason of a job whose program ended badly, made from the end of its log.

The shape is the SageMaker training toolkit's: `AlgorithmError: ExecuteUserScriptError: ExitCode n
ErrorMessage "..." Command "..."`.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from local_cloud.sagemaker.errors import JobFailedError, algorithm_error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_TAIL_BYTES = 16_384
_MESSAGE_LENGTH = 700
_COMMAND_LENGTH = 200
_TRACEBACK = "Traceback (most recent call last):"


def render_script_error(code: int, tail: str, command: Sequence[str]) -> JobFailedError:
    """Return the failure of a user's script that exited with `code` after writing `tail`."""
    message = last_words(tail)[:_MESSAGE_LENGTH]
    shown = " ".join(command)[:_COMMAND_LENGTH]
    return algorithm_error(
        f'ExecuteUserScriptError: {describe_exit(code)} ErrorMessage "{message}" Command "{shown}"'
    )


def describe_exit(code: int) -> str:
    """Say how a program ended: `ExitCode 1`, or the signal that killed it."""
    if code >= 0:
        return f"ExitCode {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = ", perhaps for want of memory" if name == "SIGKILL" else ""
    return f"ExitCode {code} (killed by {name}{hint})"


def last_words(tail: str) -> str:
    """Return the exception that ends a log, or its last line where it does not end in a traceback."""
    lines = [line.rstrip() for line in tail.splitlines() if line.strip()]
    if not lines:
        return "the program wrote nothing"
    if _TRACEBACK not in lines:
        return lines[-1].strip()
    last = len(lines) - lines[::-1].index(_TRACEBACK)
    ending = next((at for at in range(last, len(lines)) if not lines[at].startswith(" ")), len(lines) - 1)
    return " ".join(line.strip() for line in lines[ending:])


def read_tail(log: Path) -> str:
    """Return the end of a log file; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            return file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
