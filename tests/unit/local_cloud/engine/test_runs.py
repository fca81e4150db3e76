"""The engine's file: what comes at once is kept together, and the log is moved into the file beside it."""

from __future__ import annotations

import sqlite3
import threading
import time
from typing import TYPE_CHECKING

import pytest

from local_cloud.engine import checkpoints
from local_cloud.engine.runs import Batch, Runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRITERS = 20
_LAST_SECONDS = 120


class Slow(Runs):
    """Keeps its first batch when it is told to, and may fail to."""

    def __init__(self, path: Path | None, error: BaseException | None = None) -> None:
        super().__init__(path)
        self.entered, self.go = threading.Event(), threading.Event()
        self.written: list[int] = []
        self._error = error

    def _insert(self, batch: Batch) -> None:
        first = not self.entered.is_set()
        self.entered.set()
        assert self.go.wait(_LAST_SECONDS)
        if first and self._error is not None:
            raise self._error
        super()._insert(batch)
        self.written.append(len(batch))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Give a file's path, and see that no thread of ours outlives its use."""
    yield tmp_path / "runs.db"
    assert "checkpoints" not in [thread.name for thread in threading.enumerate()]


def gather(runs: Slow) -> list[BaseException]:
    """Append entries of many executions while the first one's is being written; return what was raised."""
    raised: list[BaseException] = []

    def append(number: int) -> None:
        try:
            runs.append(number, 0, f"entry {number}")
        except ValueError as error:
            raised.append(error)

    threads = [threading.Thread(target=append, args=(number,)) for number in range(WRITERS)]
    threads[0].start()
    assert runs.entered.wait(_LAST_SECONDS)
    for thread in threads[1:]:
        thread.start()
    limit = time.monotonic() + _LAST_SECONDS
    while len(runs._batch) < WRITERS and time.monotonic() < limit:
        time.sleep(0.01)
    runs.go.set()
    for thread in threads:
        thread.join()
    return raised


def test_entries_that_come_while_another_is_written_are_kept_together(place: Path) -> None:
    runs = Slow(place)
    assert gather(runs) == []
    assert [runs.entries(number) for number in range(WRITERS)] == [[f"entry {n}"] for n in range(WRITERS)]
    assert runs.written == [WRITERS]
    runs.close()


def test_a_writer_that_fails_does_not_lose_the_entries_of_the_others(place: Path) -> None:
    runs = Slow(place, error=ValueError("killed"))
    assert [str(error) for error in gather(runs)] == ["killed"]
    assert [runs.entries(number) for number in range(1, WRITERS)] == [
        [f"entry {n}"] for n in range(1, WRITERS)
    ]
    runs.close()


def test_the_log_is_moved_into_the_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "COMMITS", 5)
    runs = Runs(place)
    before = place.stat().st_size
    limit = time.monotonic() + _LAST_SECONDS
    for number in range(100_000):
        runs.append(1, number, "x" * 1000)
        if place.stat().st_size > before + 10_000 or time.monotonic() > limit:
            break
    assert place.stat().st_size > before + 10_000
    runs.close()
    runs.close()
    with sqlite3.connect(place) as connection:
        assert connection.execute("select count(*) from entries").fetchone()[0] == number + 1
    connection.close()
