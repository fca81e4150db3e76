"""Which retrier answers an error, and how long it waits: pure.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
`States.Timeout` names heartbeat timeouts too, and `States.HeartbeatTimeout` only them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.engine.errors import ALL, DATA_LIMIT, HEARTBEAT_TIMEOUT, RUNTIME, TASK_FAILED, TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from local_cloud.engine.definition import Retrier

LONGEST_DELAY = 31_622_400.0
"""Seconds: the largest MaxDelaySeconds, and longer than an execution may live."""
_UNCAUGHT = {ALL: {DATA_LIMIT}, TASK_FAILED: {DATA_LIMIT, TIMEOUT, HEARTBEAT_TIMEOUT}}


def matches(names: Sequence[str], error: str | None) -> bool:
    """Tell whether an `ErrorEquals` covers an error; nothing covers States.Runtime."""
    return error != RUNTIME and any(_covers(name, error) for name in names)


def _covers(name: str, error: str | None) -> bool:
    if name in _UNCAUGHT:
        return error == name or error not in _UNCAUGHT[name]
    return name == error or (name == TIMEOUT and error == HEARTBEAT_TIMEOUT)


def choose(retriers: Sequence[Retrier], used: Sequence[int], error: str | None) -> int | None:
    """Return the position of the first retrier that covers `error`, or None if it has no attempt left.

    `used` counts the retries that each has made; a later retrier never stands in for an earlier one.
    """
    for position, retrier in enumerate(retriers):
        if matches(retrier.errors, error):
            return position if used[position] < retrier.max_attempts else None
    return None


def longest_delay(retrier: Retrier, used: int) -> float:
    """Return the seconds before a retrier's next attempt, before jitter."""
    limit = LONGEST_DELAY if retrier.max_delay is None else float(retrier.max_delay)
    try:
        return min(retrier.interval * retrier.backoff_rate**used, limit)
    except OverflowError:
        return limit


def delay(retrier: Retrier, used: int, chance: Callable[[], float]) -> float:
    """Return the seconds to wait; `chance` gives numbers in [0, 1) and is asked only for FULL jitter."""
    longest = longest_delay(retrier, used)
    return longest * chance() if retrier.jitter == "FULL" else longest
