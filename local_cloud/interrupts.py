"""Ctrl-C and SIGTERM: both mean stop, and while an execution is followed both wait for the right moment."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def raised() -> Iterator[None]:
    """Raise KeyboardInterrupt for SIGTERM too, so that a stopped CI job leaves nothing behind either."""

    def interrupt(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    with _handling(interrupt):
        yield


@contextmanager
def noted() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and SIGTERM set; nothing is torn out of what it is doing."""
    stop = threading.Event()

    def note(_signal: int, _frame: object) -> None:
        stop.set()

    with _handling(note):
        yield stop


@contextmanager
def _handling(handler: Callable[[int, Any], None]) -> Iterator[None]:
    before = [(number, signal.signal(number, handler)) for number in SIGNALS]
    try:
        yield
    finally:
        for number, old in before:
            signal.signal(number, old)
