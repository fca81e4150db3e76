"""Moves what is committed from SQLite's log into the file, in a thread of its own.

SQLite does so inside every thousandth commit or so and waits for the disk there, which takes milliseconds
that an answer would wait for. A commit is as durable before it as after it.
Facts: https://www.sqlite.org/wal.html#ckpt
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

COMMITS = 250
"""How many commits make a checkpoint due."""
BACKSTOP_PAGES = 20_000
"""How long the log may become before a commit has to wait after all: 80 MB."""


class Checkpoints:
    """The checkpoints of one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._commits = 0
        self._due = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def note(self) -> None:
        """Count a commit; who calls holds the file's lock."""
        self._commits += 1
        if self._commits % COMMITS == 0:
            self._due.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="checkpoints", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread; may be repeated."""
        self._closed = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
            connection.execute("pragma synchronous = normal")
            while self._due.wait() and not self._closed:
                self._due.clear()
                connection.execute("pragma wal_checkpoint(passive)")
