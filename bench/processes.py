"""Whole processes, timed: what a user waits for, from the command to its end."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


class CommandFailedError(Exception):
    """A command that was to be measured did not do its work; the message holds what it said."""


@dataclass(frozen=True, kw_only=True)
class Command:
    """A program with its arguments, and the folder to start it in."""

    words: tuple[str, ...]
    cwd: Path


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One process: seconds on the wall, seconds of CPU, peak resident memory in bytes."""

    wall: float
    cpu: float
    memory: int


def run(command: Command) -> Sample:
    """Run a command to its end. Raises CommandFailedError where it fails."""
    with tempfile.TemporaryFile() as said:
        begin = time.perf_counter()
        child = subprocess.Popen(  # noqa: S603 - the commands are written down in the bench modules
            command.words,
            cwd=command.cwd,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            words = said.read(2000).decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
            message = f"{' '.join(command.words)} ended with {child.returncode}: {words[0][:200]}"
            raise CommandFailedError(message)
    return Sample(wall=wall, cpu=usage.ru_utime + usage.ru_stime, memory=usage.ru_maxrss * 1024)


def _environment() -> dict[str, str]:
    """Return our environment, but let Python keep what it compiled, as it does for a user."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def alternate(commands: Mapping[str, Command], rounds: int) -> dict[str, Sequence[Sample]]:
    """Run every command once a round, so that a busy machine slows all alike; the first round is dropped.

    That first round writes what Python and the file system keep for the next start.
    """
    for command in commands.values():
        run(command)
    found: dict[str, list[Sample]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            found[name].append(run(command))
    return dict(found)
