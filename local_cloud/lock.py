"""One process at a time drives a state folder; the operating system frees the lock when its holder dies."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO

FILE_NAME = "lock"
PATIENCE_SECONDS = 0.5
"""Longer than `is_held` holds the lock for its look."""
_PAUSE_SECONDS = 0.01


class StateFolderError(Exception):
    """A state folder cannot be used; the message says why and what to do."""


class InUseError(StateFolderError):
    """Another process drives the state folder; the message names it and says what to do."""


@contextmanager
def held(state_dir: Path) -> Iterator[None]:
    """Hold the folder's lock; raises InUseError while another process does."""
    state_dir.mkdir(parents=True, exist_ok=True)
    with (state_dir / FILE_NAME).open("a+", encoding="utf-8") as file:
        if not _take(file):
            raise InUseError(_describe(file, state_dir))
        file.truncate(0)
        json.dump({"pid": os.getpid(), "command": " ".join(sys.argv[1:3])}, file)
        file.flush()
        yield
        file.truncate(0)


def is_held(state_dir: Path) -> bool:
    """Say whether some process drives the folder now."""
    try:
        with (state_dir / FILE_NAME).open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _take(file: TextIO) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_SECONDS)
        else:
            return True


def _describe(file: TextIO, state_dir: Path) -> str:
    file.seek(0)
    try:
        holder = json.loads(file.read())
        who = f"process {holder['pid']} (edgepipe {holder['command']})"
    except (ValueError, KeyError, TypeError):  # it has not written its name yet
        who = "another process"
    return f"{who} is using {state_dir}: wait for it to end, or name another folder with --state-dir"
