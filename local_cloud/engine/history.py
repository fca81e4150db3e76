"""The events of an execution, as GetExecutionHistory gives them.

Facts: https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
States that a stop or a failed sibling interrupts leave no `…Aborted` event of their own, except the
iterations of a Map.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, NamedTuple

from local_cloud.clock import Clock, moment
from local_cloud.engine.errors import RUNTIME, Failure
from local_cloud.engine.payload import encode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from local_cloud.engine.expression import Json
    from local_cloud.engine.journal import Ledger

MAX_EVENTS = 25_000
DEFAULT_PAGE, MAX_PAGE = 100, 1000
_DATA = frozenset({"input", "output", "parameters", "assignedVariables"})


class Event(NamedTuple):
    """One event, plain JSON as it is; `details` hold strings, numbers and small objects."""

    id: int
    previous: int
    at: float
    kind: str
    place: str
    """Names the event and no other of its execution, the same when it is resumed; empty for its end."""
    details: Mapping[str, Json]

    def render(self, *, with_data: bool) -> dict[str, Json]:
        """Return the API's shape."""
        event = {
            "id": self.id,
            "previousEventId": self.previous,
            "timestamp": moment(self.at),
            "type": self.kind,
        }
        details = {key: value for key, value in self.details.items() if with_data or key not in _DATA}
        return {**event, _details_name(self.kind): details} if self.details else event


class History:
    """The events of one execution; every method is safe to call from any thread."""

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self._clock, self._ledger = clock, ledger
        self._lock = threading.Lock()
        self._events = [Event(*record) for record in ledger.earlier]
        self._known = {event.place: event.id for event in self._events if event.place}
        self._closed = False

    @property
    def size(self) -> int:
        """Return how many events there are."""
        return len(self._events)

    def add(self, place: str, kind: str, previous: int, details: Mapping[str, Json]) -> int:
        """Record an event once and return its id; raises Failure when the execution has too many."""
        with self._lock:
            if place in self._known:
                return self._known[place]
            if self._closed:
                return previous
            # The last place is kept for the event that ends the execution.
            if len(self._events) >= MAX_EVENTS - 1:
                cause = f"The execution reached the maximum number of history events ({MAX_EVENTS})."
                raise Failure(RUNTIME, cause)
            return self._append(place, kind, previous, details)

    def close(self, kind: str, details: Mapping[str, Json]) -> None:
        """Record the last event; later ones are dropped."""
        with self._lock:
            if not self._closed:
                self._append("", kind, len(self._events), details)
                self._closed = True

    def page(
        self, *, start: int = 0, limit: int = 0, newest_first: bool = False, with_data: bool = True
    ) -> tuple[list[dict[str, Json]], int | None]:
        """Return events from a position on, and the position after them (None at the end)."""
        with self._lock:
            events = list(self._events)
        ordered = events[::-1] if newest_first else events
        end = start + (limit or DEFAULT_PAGE)
        return render(ordered[start:end], with_data=with_data), end if end < len(ordered) else None

    def _append(self, place: str, kind: str, previous: int, details: Mapping[str, Json]) -> int:
        known = {key: value for key, value in details.items() if value is not None}
        event = Event(len(self._events) + 1, previous, self._clock.now(), kind, place, known)
        self._events.append(event)
        self._ledger.note(event)
        return event.id


def render(events: Sequence[Event], *, with_data: bool = True) -> list[dict[str, Json]]:
    """Return events in the API's shape."""
    return [event.render(with_data=with_data) for event in events]


class Trail:
    """One line of events, each following the one before; branches start their own."""

    def __init__(self, history: History, last: int = 0) -> None:
        self._history = history
        self._last = last
        self._lock = threading.Lock()

    def add(self, place: str, kind: str, **details: Json) -> None:
        """Record the next event; `place` and `kind` together name it."""
        with self._lock:
            self._last = self._history.add(f"{place}/{kind}", kind, self._last, details)

    def fork(self) -> Trail:
        """Return a trail that starts here."""
        return Trail(self._history, self._last)


def entered(name: str, text: str) -> dict[str, Json]:
    """Return the details of `…StateEntered`."""
    return {"name": name, "input": text, "inputDetails": {"truncated": False}}


def exited(name: str, text: str, assigned: Mapping[str, Json]) -> dict[str, Json]:
    """Return the details of `…StateExited`."""
    details: dict[str, Json] = {"name": name, "output": text, "outputDetails": {"truncated": False}}
    if assigned:
        details["assignedVariables"] = {name: encode(value) for name, value in assigned.items()}
        details["assignedVariablesDetails"] = {"truncated": False}
    return details


def _details_name(kind: str) -> str:
    for suffix in ("StateEntered", "StateExited"):
        if kind.endswith(suffix):
            return f"s{suffix[1:]}EventDetails"
    return f"{kind[0].lower()}{kind[1:]}EventDetails"
