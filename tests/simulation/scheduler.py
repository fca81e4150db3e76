"""Simulated time and processes: every call of a service is a point where others run, or the caller dies.

A process is a greenlet, so that the protocol's own code runs unchanged; one seed gives one interleaving.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from tasks.protocol import HANDLER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from random import Random

T = TypeVar("T")


class Killed(BaseException):
    """The process died here: nothing after this line ran."""


@dataclass(frozen=True, kw_only=True)
class Faults:
    """How services and processes misbehave while the trouble lasts; all shares are of calls, 0 to 1."""

    crash: float = 0.0
    throttle: float = 0.0
    latency: float = 0.0
    """The longest that one call takes, in seconds; most take far less."""
    until: float = 0.0
    """When the trouble ends."""
    crash_at: Mapping[int, str] = field(default_factory=dict)
    """Deaths at given calls, counted from 0 over all processes: `before` or `after` the call."""


@dataclass(kw_only=True)
class Process:
    """One running Lambda."""

    name: str
    started: float
    died: bool = False
    late: bool = False
    """Whether it died because its time was up."""
    stumbled: bool = False
    """Whether a call of it failed."""


class Scheduler:
    """The clock and the processes of one simulation."""

    def __init__(self, random: Random, faults: Faults, fault: Callable[[], Exception]) -> None:
        self.now = 1_000_000.0
        self.calls = 0
        self.trace: list[str] = []
        """What happened, for who looks into a failed seed; kept only when asked for."""
        self.traced = False
        self._random = random
        self._faults = faults
        self._fault = fault
        self._numbers = count()
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._processes: dict[greenlet, Process] = {}
        self._main = getcurrent()

    def clock(self) -> float:
        """Return the time, seconds since the epoch."""
        return self.now

    def at(self, delay: float, do: Callable[[], object]) -> None:
        """Call `do` after `delay` seconds."""
        heapq.heappush(self._queue, (self.now + delay, next(self._numbers), do))

    def spawn(self, name: str, body: Callable[[], T], done: Callable[[Process, T | None], object]) -> None:
        """Run `body` as a process now; then call `done` with what it returned (None if it died)."""
        process = Process(name=name, started=self.now)

        def live() -> None:
            result = None
            try:
                result = body()
            except Killed:
                process.died = True
            del self._processes[getcurrent()]
            done(process, result)

        made = greenlet(live, parent=self._main)
        self._processes[made] = process
        self.at(0, made.switch)

    def run(self, until: float, over: Callable[[], bool]) -> None:
        """Let everything happen until a time, or until `over` says that nothing more can."""
        while self._queue and self._queue[0][0] <= until and not over():
            self.now, _, do = heapq.heappop(self._queue)
            do()
        self._queue.clear()
        for each in list(self._processes):
            each.throw(GreenletExit)

    def call(self, name: str, do: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Make one call of a service: it takes time, may fail, and its caller may die before or after it."""
        process = self._processes[getcurrent()]
        self._pause()
        number, self.calls = self.calls, self.calls + 1
        self._note(process, number, name)
        self._die(process, number, "before")
        if self._troubled() and self._random.random() < self._faults.throttle:
            process.stumbled = True
            raise self._fault()
        try:
            return do(*arguments, **named)
        finally:
            self._die(process, number, "after")

    def _pause(self) -> None:
        if self._faults.latency:
            self.at(self._random.random() ** 8 * self._faults.latency, getcurrent().switch)
            self._main.switch()

    def _die(self, process: Process, number: int, side: str) -> None:
        overdue = self.now - process.started > HANDLER_SECONDS
        struck = self._troubled() and self._faults.crash and self._random.random() < self._faults.crash / 2
        if overdue or struck or self._faults.crash_at.get(number) == side:
            process.late = overdue
            self._note(process, number, f"dies {side}")
            raise Killed

    def _troubled(self) -> bool:
        return self.now < self._faults.until

    def _note(self, process: Process, number: int, what: str) -> None:
        if self.traced:
            self.trace.append(f"{self.now - 1_000_000:9.1f} {number:4d} {process.name}: {what}")

    def say(self, what: str) -> None:
        """Note something that no process did."""
        if self.traced:
            self.trace.append(f"{self.now - 1_000_000:9.1f}      {what}")
