"""What an execution has come to: the one seam between the interpreter and the world, and its memory.

The interpreter is deterministic apart from what passes through a journal: results of tasks, tokens, the
time, random numbers, deadlines. Each has a key made of the path of its state's visit, such as
`compile#0@0/[1]/compile: target#0@0/outcome`. A journal that keeps the answers turns a second run of the
interpreter into a resumption of the first.

An answer that nobody outside has seen may be lost with the process, because asking again does no harm. So
answers and events are gathered, and `keep` writes them in one transaction: before a service is called,
before a wait, before events are shown, when a branch ends, and before who answers a token is told that the
answer counts. What a called function came to is kept with the next of these: nothing happens in between.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Protocol

from local_cloud.engine.errors import Cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from local_cloud.engine.expression import Json

_ENCODER = json.JSONEncoder(separators=(",", ":"))


class Journal(Protocol):
    """Remembers answers by key; safe to call from any thread."""

    def once(self, key: str, effect: Callable[[], Json]) -> Json:
        """Return the answer under `key`, else that of `effect`, which the next `keep` keeps.

        The answer is plain JSON. An `effect` that raises leaves no answer.
        """

    def recall(self, key: str) -> Json | None:
        """Return the answer that an earlier process left under `key`, or None."""

    def put(self, key: str, answer: Json) -> None:
        """Keep an answer now; raises Cancelled if the execution has ended."""

    def keep(self) -> None:
        """Return when everything answered so far is kept; raises Cancelled if the execution has ended."""


class Ledger:
    """The journal of one execution, with its events, over a place that keeps texts."""

    def __init__(self, write: Callable[[str], None], entries: Iterable[str] = ()) -> None:
        self._write = write
        self._buffer, self._writing = threading.Lock(), threading.Lock()
        self._answers: dict[str, Json] = {}
        self._events: list[Json] = []
        self._closed = False
        self.recalled: dict[str, Json] = {}
        """The answers of earlier processes."""
        self.earlier: list[Json] = []
        """The events of earlier processes, as `note` was given them."""
        for entry in entries:
            read = json.loads(entry)
            self.recalled.update(read["answers"])
            self.earlier.extend(read["events"])

    def once(self, key: str, effect: Callable[[], Json]) -> Json:
        """Return the answer of an earlier process, else that of `effect`."""
        if key in self.recalled:
            return self.recalled[key]
        answer = effect()
        with self._buffer:
            self._answers[key] = answer
        return answer

    def recall(self, key: str) -> Json | None:
        """Return the answer of an earlier process, or None."""
        return self.recalled.get(key)

    def put(self, key: str, answer: Json) -> None:
        """Keep an answer now; raises Cancelled if the execution has ended."""
        with self._buffer:
            self._answers[key] = answer
        self.keep()

    def note(self, event: Json) -> None:
        """Gather an event."""
        with self._buffer:
            self._events.append(event)

    def keep(self) -> None:
        """Write what was gathered; raises Cancelled after `close`."""
        # Who comes while another writes finds its own answers written, or writes those of all who wait.
        with self._writing:
            if self._closed:
                raise Cancelled
            if (entry := self._take()) is not None:
                self._write(entry)

    def close(self, write: Callable[[str | None], None]) -> None:
        """Let `write` keep what is left, together with what ends the journal; nothing is kept after it."""
        with self._writing:
            if not self._closed:
                write(self._take())
                self._closed = True

    def _take(self) -> str | None:
        with self._buffer:
            answers, events = self._answers, self._events
            if not answers and not events:
                return None
            self._answers, self._events = {}, []
        return _ENCODER.encode({"answers": answers, "events": events})
