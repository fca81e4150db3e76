"""How many scripts of all devices may begin at once: a fleet shares the processors of one machine."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

PLACES = 4 * (os.cpu_count() or 1)
HOLD_SECONDS = 3.0
"""A script that lasts longer gives its place to the next: it may wait for something that is yet to start."""
_LOOK_SECONDS = 0.1


class Gate:
    """Lets so many through at a time; safe to use from any thread."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = places
        self._changed = threading.Condition()
        self._inside: dict[object, float] = {}

    def enter(self, is_wanted: Callable[[], bool], hold_seconds: float = HOLD_SECONDS) -> object:
        """Wait for a place and return what `leave` takes; stops waiting when it is no longer wanted.

        The place is free again after `hold_seconds`, also when nobody left it.
        """
        place = object()
        with self._changed:
            while is_wanted() and self._is_full():
                self._changed.wait(_LOOK_SECONDS)
            self._inside[place] = time.monotonic() + hold_seconds
        return place

    def leave(self, place: object) -> None:
        """Give a place back; again does nothing."""
        with self._changed:
            if self._inside.pop(place, None) is not None:
                self._changed.notify()

    def _is_full(self) -> bool:
        now = time.monotonic()
        self._inside = {place: until for place, until in self._inside.items() if until > now}
        return len(self._inside) >= self._places
