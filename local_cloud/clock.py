"""Time as the local cloud sees it: passed in, so that tests need not wait and days can pass in seconds."""

from __future__ import annotations

import math
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_SHORTEST_WAIT = 0.005
"""Seconds of this machine: a scaled wait looks no more often than this."""


class Clock(Protocol):
    """Tells the time and waits; every method is safe to call from any thread."""

    def now(self) -> float:
        """Return seconds since the epoch."""

    def wait(self, event: threading.Event, seconds: float | None) -> None:
        """Return when `event` is set or `seconds` have passed, or earlier; None waits for the event alone."""


class CloudClock(Clock, Protocol):
    """The clock of a whole cloud, which knows when something really works."""

    def hurrying(self) -> AbstractContextManager[None]:
        """Let time pass faster, by the clock's scale, for the length of a block: somebody follows a run."""

    def working(self) -> AbstractContextManager[None]:
        """Let time run as fast as it is for the length of a block: a program takes the time that it takes."""

    def allow(self, seconds: float) -> None:
        """Let at most `seconds` from now on pass before the next call; who calls wakes that often."""


class SystemClock:
    """The machine's clock, `scale` times as fast whatever goes on."""

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._start = time.time()

    def now(self) -> float:
        """Return seconds since the epoch, counted faster from the clock's making on."""
        return self._start + (time.time() - self._start) * self._scale

    def wait(self, event: threading.Event, seconds: float | None) -> None:
        """Wait for `event`, at most `seconds` of this clock."""
        event.wait(None if seconds is None else min(seconds / self._scale, threading.TIMEOUT_MAX))

    @contextmanager
    def hurrying(self) -> Iterator[None]:
        """Run the block; this clock's pace is always the same."""
        yield

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run the block; this clock's pace is always the same."""
        yield

    def allow(self, seconds: float) -> None:
        """Change nothing: this clock waits for nobody."""


class ScaledClock:
    """A clock that runs `scale` times as fast inside `hurrying`, but for while something works there.

    So a time-out of a day still leaves a day to a program, three days of waiting pass in seconds, and none
    pass while a cloud opens. It begins at `start` (seconds since the epoch), or now where that is later.
    """

    def __init__(self, scale: float, *, start: float = 0.0) -> None:
        self._scale = scale
        self._lock = threading.Lock()
        self._at = max(start, time.time())
        self._since = time.monotonic()
        self._limit = math.inf
        self._works = self._hurries = 0

    def now(self) -> float:
        """Return seconds since the epoch, as far as they have passed here."""
        with self._lock:
            return self._now()

    def wait(self, event: threading.Event, seconds: float | None) -> None:
        """Wait for `event`, at most `seconds` of this clock; less when something worked meanwhile."""
        if seconds is None:
            event.wait()
        else:
            event.wait(min(max(seconds / self._scale, _SHORTEST_WAIT), threading.TIMEOUT_MAX))

    @contextmanager
    def hurrying(self) -> Iterator[None]:
        """Run the block with time faster while nothing works."""
        self._count(hurries=1)
        try:
            yield
        finally:
            self._count(hurries=-1)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Run the block with time as fast as it is."""
        self._count(works=1)
        try:
            yield
        finally:
            self._count(works=-1)

    def allow(self, seconds: float) -> None:
        """Let at most `seconds` from now on pass before the next call."""
        with self._lock:
            self._settle()
            self._limit = self._at + seconds

    def _count(self, *, works: int = 0, hurries: int = 0) -> None:
        with self._lock:
            self._settle()
            self._works += works
            self._hurries += hurries

    def _settle(self) -> None:
        self._at, self._since = self._now(), time.monotonic()

    def _now(self) -> float:
        pace = self._scale if self._hurries and not self._works else 1.0
        return min(self._at + (time.monotonic() - self._since) * pace, max(self._limit, self._at))


def moment(seconds: float) -> datetime:
    """Return the UTC time of `seconds` since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def timestamp(seconds: float) -> str:
    """Return ISO 8601 with milliseconds and `Z`, as the context object has it."""
    return moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
