"""Runs edgepipe in a process that dies at the journal's next write: `python -m tests.functional.killed ...`.

The first word says when: `after` dies right after the first write of its life, `before` right before the
second, when the effect has happened and its answer is not kept; `after=N` and `before=N` do so around write N
and the one that follows it. The second word is a file that gets one line for each write. The other words are
edgepipe's.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cli
from local_cloud.engine.runs import Runs

if TYPE_CHECKING:
    from collections.abc import Callable

WRITES = ("add", "append", "settle")


class Count:
    """The writes of this life."""

    def __init__(self, when: str, path: Path) -> None:
        self._lock = threading.Lock()
        self._last = int(when.partition("=")[2] or 1)
        self._before = when.startswith("before")
        self._path = path
        self._done = 0

    def around(self, name: str, write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*words: Any, **named: Any) -> Any:
            with self._lock:
                if self._before and self._done == self._last:
                    die()
                result = write(*words, **named)
                with self._path.open("a") as file:
                    file.write(f"{name}\n")
                self._done += 1
                if not self._before and self._done == self._last:
                    die()
            return result

        return counted


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(when: str, path: str, *words: str) -> int:
    count = Count(when, Path(path))
    for name in WRITES:
        setattr(Runs, name, count.around(name, getattr(Runs, name)))
    return cli.main(words)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
