"""One thread tells everything that is late, and nothing that was cleared."""

from __future__ import annotations

import threading
from queue import SimpleQueue

from local_cloud.deadlines import Deadlines

_LAST_SECONDS = 120


def test_what_is_late_is_told_in_the_order_of_the_deadlines() -> None:
    told: SimpleQueue[str] = SimpleQueue()
    deadlines = Deadlines("test-deadlines")
    deadlines.set("never", 1000, lambda: told.put("never"))
    deadlines.set("later", 0.02, lambda: told.put("later"))
    assert told.get(timeout=_LAST_SECONDS) == "later"
    deadlines.set("at once", 0, lambda: told.put("at once"))
    assert told.get(timeout=_LAST_SECONDS) == "at once"
    deadlines.close()
    deadlines.close()
    assert told.empty()
    assert "test-deadlines" not in [thread.name for thread in threading.enumerate()]


def test_what_was_cleared_is_not_told() -> None:
    told: SimpleQueue[str] = SimpleQueue()
    deadlines = Deadlines("test-deadlines")
    deadlines.set("ended", 0.05, lambda: told.put("ended"))
    deadlines.clear("ended")
    deadlines.clear("unknown")
    deadlines.set("late", 0.1, lambda: told.put("late"))
    assert told.get(timeout=_LAST_SECONDS) == "late"
    assert told.empty()
    deadlines.close()


def test_nothing_is_told_after_the_end() -> None:
    deadlines = Deadlines("test-deadlines")
    deadlines.close()
    deadlines.set("late", 0, lambda: None)
    assert "test-deadlines" not in [thread.name for thread in threading.enumerate()]
