"""Time as the engine sees it: passed in, so that tests need not wait and time can be scaled."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits; every method is safe to call from any thread."""

    def now(self) -> float:
        """Return seconds since the epoch."""

    def wait(self, event: threading.Event, seconds: float | None) -> None:
        """Return when `event` is set or `seconds` have passed; None waits for the event alone."""


class SystemClock:
    """The machine's clock, `scale` times as fast."""

    def __init__(self, scale: float = 1.0) -> None:
        self._scale = scale
        self._start = time.time()

    def now(self) -> float:
        """Return seconds since the epoch, counted faster from the clock's making on."""
        return self._start + (time.time() - self._start) * self._scale

    def wait(self, event: threading.Event, seconds: float | None) -> None:
        """Wait for `event`, at most `seconds` of this clock."""
        event.wait(None if seconds is None else min(seconds / self._scale, threading.TIMEOUT_MAX))


def moment(seconds: float) -> datetime:
    """Return the UTC time of `seconds` since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def timestamp(seconds: float) -> str:
    """Return ISO 8601 with milliseconds and `Z`, as the context object has it."""
    return moment(seconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
