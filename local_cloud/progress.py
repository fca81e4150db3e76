"""How a terminal shows the steps of a run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pipelines.progress import Step, plain_cause, read_steps, render_step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

__all__ = ["Step", "Terminal", "plain_cause", "read_steps", "render_step"]


class Terminal:
    """Prints each step once when it ends; on a terminal the running step's line is kept up to date."""

    def __init__(self, stream: TextIO, *, live: bool) -> None:
        self._stream = stream
        self._live = live
        self.asking = False
        """Whether a question stands on the last line, which must not be wiped."""
        self._printed: set[str] = set()

    def show(self, steps: Sequence[Step], now: datetime) -> None:
        """Print the line of each step that has ended since the last call."""
        for step in steps:
            if step.ended and step.id not in self._printed:
                self._printed.add(step.id)
                self.print(render_step(step, now))
        running = next((step for step in steps if step.status == "RUNNING"), None)
        if self._live and running and not self.asking:
            self._write(f"\r\x1b[K{render_step(running, now)}")

    def ask(self, question: str) -> None:
        """Put a question on a line of its own and leave it open for the answer."""
        self._write(f"{self._wipe}{question}")
        self.asking = True

    def print(self, text: str) -> None:
        """Print a line of its own; a live line is wiped first."""
        self._write(f"{self._wipe}{text}\n")

    def _write(self, text: str) -> None:
        """Write at once; a reader that has gone, as with `| head`, does not end the run."""
        try:
            self._stream.write(text)
            self._stream.flush()
        except BrokenPipeError:
            with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), self._stream.fileno())

    @property
    def _wipe(self) -> str:
        return "\r\x1b[K" if self._live else ""
