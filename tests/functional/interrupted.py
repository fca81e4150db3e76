"""Runs edgepipe, which gets Ctrl-C in its Nth import: `python -m tests.functional.interrupted N ...`."""

from __future__ import annotations

import runpy
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec

CLI = Path(__file__).parents[2] / "cli.py"


class Interrupter:
    """Counts the modules that are looked for from edgepipe's first one on, and interrupts at one of them."""

    def __init__(self, fatal: int) -> None:
        self._left = fatal
        self._counts = False

    def find_spec(self, name: str, _path: Sequence[str] | None, _target: object = None) -> ModuleSpec | None:
        self._counts |= name == "verbs"
        self._left -= self._counts
        if self._counts and self._left == 0:
            signal.raise_signal(signal.SIGINT)
        return None


if __name__ == "__main__":
    fatal, *sys.argv[1:] = sys.argv[1:]
    sys.meta_path.insert(0, Interrupter(int(fatal)))
    runpy.run_path(str(CLI), run_name="__main__")
