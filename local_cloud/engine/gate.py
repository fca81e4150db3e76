"""Every wait of the engine: ends with its event, its time, its execution's time, or a stop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from local_cloud.engine.errors import Cancelled, Expired, Suspended

if TYPE_CHECKING:
    from local_cloud.clock import Clock


def earliest(*times: float | None) -> float | None:
    """Return the first of the given times; None is never."""
    return min((time for time in times if time is not None), default=None)


class Gate:
    """What ends together: an execution, or the branches of one Map or Parallel inside it.

    Closing a gate ends at once all waits below it, its children's included.
    """

    def __init__(self, clock: Clock, *, deadline: float | None = None) -> None:
        self._clock = clock
        self._deadline = deadline
        self._lock = threading.Lock()
        self._closed: type[Cancelled] | None = None
        self._waiting: set[threading.Event] = set()
        self._children: set[Gate] = set()

    def child(self) -> Gate:
        """Return a gate that closes with this one, or alone."""
        gate = Gate(self._clock, deadline=self._deadline)
        with self._lock:
            self._children.add(gate)
            closed = self._closed
        if closed is not None:
            gate.close(suspend=closed is Suspended)
        return gate

    def drop(self, child: Gate) -> None:
        """Forget a child whose work has ended."""
        with self._lock:
            self._children.discard(child)

    def close(self, *, suspend: bool = False) -> None:
        """End every wait with `Cancelled` (or `Suspended`), now and from now on."""
        with self._lock:
            self._closed = self._closed or (Suspended if suspend else Cancelled)
            waiting, children = list(self._waiting), list(self._children)
        for event in waiting:
            event.set()
        for child in children:
            child.close(suspend=suspend)

    def check(self) -> None:
        """Raise Cancelled after a close, Expired after the execution's deadline."""
        if self._closed is not None:
            raise self._closed
        if self._deadline is not None and self._clock.now() >= self._deadline:
            raise Expired

    def wait(self, done: threading.Event, until: float | None) -> bool:
        """Wait for `done`; return False if `until` (epoch seconds) came first."""
        self._enter(done)
        try:
            return self._wait(done, until)
        finally:
            with self._lock:
                self._waiting.discard(done)

    def sleep(self, until: float) -> None:
        """Wait for a time."""
        self.wait(threading.Event(), until)

    def _enter(self, done: threading.Event) -> None:
        with self._lock:
            if self._closed is not None:
                raise self._closed
            self._waiting.add(done)

    def _wait(self, done: threading.Event, until: float | None) -> bool:
        limit = earliest(until, self._deadline)
        while True:
            self._clock.wait(done, None if limit is None else max(0.0, limit - self._clock.now()))
            if self._closed is not None:
                raise self._closed
            if done.is_set():
                return True
            self.check()
            if until is not None and self._clock.now() >= until:
                return False
