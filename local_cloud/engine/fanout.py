"""Runs the branches of a Parallel or the iterations of a Map; the first to fail ends the others at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from local_cloud.engine.errors import Cancelled, Expired, Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local_cloud.engine.expression import Json
    from local_cloud.engine.gate import Gate
    from local_cloud.engine.visit import Frame, Visit
    from local_cloud.workers import Workers


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One branch or iteration."""

    place: str
    run: Callable[[Frame], Json]
    item: Mapping[str, Json] | None = None
    """`Index` and `Value` of an iteration."""
    name: str = ""
    """The Map's name, for the events of an iteration."""


def run_branches(
    workers: Workers, visit: Visit, branches: Sequence[Branch], limit: int, kind: Literal["Map", "Parallel"]
) -> list[Json]:
    """Return the branches' results in order, at most `limit` running at once; raises the first failure."""
    frame = visit.frame
    gate = frame.gate.child()
    crew = Crew(frame=frame, gate=gate, branches=branches, keep=visit.journal.keep)
    try:
        crew.work(workers, limit)
    except Failure:
        visit.add(f"{kind}StateFailed")
        raise
    except (Cancelled, Expired):
        visit.add(f"{kind}StateAborted")
        raise
    finally:
        gate.close()
        frame.gate.drop(gate)
    visit.add(f"{kind}StateSucceeded")
    return crew.results


class Crew:
    """Threads that take branches in order until none is left or one has failed.

    What a thread's branches have come to is kept when it ends: others may go on for days.
    """

    def __init__(
        self, *, frame: Frame, gate: Gate, branches: Sequence[Branch], keep: Callable[[], None]
    ) -> None:
        self.results: list[Json] = [None] * len(branches)
        self._frame, self._gate, self._branches, self._keep = frame, gate, branches, keep
        self._next = iter(range(len(branches)))
        self._lock = threading.Lock()
        self._working = 0
        self._finished = threading.Event()
        self._error: BaseException | None = None

    def work(self, workers: Workers, limit: int) -> None:
        """Run all branches; raises what the first failed one raised."""
        self._working = min(limit, len(self._branches))
        for _ in range(self._working):
            workers.start(self._take_branches)
        if self._working:
            self._frame.gate.wait(self._finished, None)
        if self._error is not None:
            raise self._error

    def _take_branches(self) -> None:
        try:
            while (position := self._take()) is not None:
                self.results[position] = self._run(self._branches[position])
            self._keep()
        except BaseException as error:
            self._fail(error)
        finally:
            self._leave()

    def _take(self) -> int | None:
        with self._lock:
            return None if self._error is not None else next(self._next, None)

    def _run(self, branch: Branch) -> Json:
        frame = self._frame.inner(branch.place, self._gate, branch.item)
        if branch.item is None:
            return branch.run(frame)
        event = {"name": branch.name, "index": branch.item["Index"]}
        frame.trail.add(branch.place, "MapIterationStarted", **event)
        # An iteration that failed before a redrive is taken up again, and may fail again.
        again = f"{branch.place}+{frame.facts.redrives}" if frame.facts.redrives else branch.place
        try:
            result = branch.run(frame)
        except Failure:
            frame.trail.add(again, "MapIterationFailed", **event)
            raise
        except Cancelled:
            frame.trail.add(again, "MapIterationAborted", **event)
            raise
        frame.trail.add(branch.place, "MapIterationSucceeded", **event)
        return result

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error
        self._gate.close()

    def _leave(self) -> None:
        with self._lock:
            self._working -= 1
            last = self._working == 0
        if last:
            self._finished.set()
