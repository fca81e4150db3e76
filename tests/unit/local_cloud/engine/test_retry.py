from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.engine import retry
from local_cloud.engine.definition import Retrier

RETRIERS = st.builds(
    Retrier,
    errors=st.just(("E",)),
    interval=st.integers(1, 99_999_999),
    max_attempts=st.integers(0, 99_999_999),
    backoff_rate=st.floats(1, 1000),
    max_delay=st.none() | st.integers(2, 31_622_400),
    jitter=st.sampled_from(["FULL", "NONE"]),
)
CHANCES = st.floats(0, 1, exclude_max=True)


@given(RETRIERS, st.integers(0, 10_000), CHANCES)
def test_a_delay_is_within_its_limits(retrier: Retrier, used: int, chance: float) -> None:
    longest = retry.longest_delay(retrier, used)
    delay = retry.delay(retrier, used, lambda: chance)
    assert 0 <= delay <= longest
    assert retrier.max_delay is None or delay <= retrier.max_delay
    assert retrier.jitter == "FULL" or delay == longest


@given(RETRIERS, st.integers(0, 500))
def test_delays_never_shrink(retrier: Retrier, used: int) -> None:
    assert retry.longest_delay(retrier, used) <= retry.longest_delay(retrier, used + 1)


@pytest.mark.parametrize(
    ("used", "expected"), [(0, 2.0), (1, 4.0), (2, 8.0), (4, 32.0), (5, 60.0), (10_000, 60.0)]
)
def test_delays_double_up_to_their_limit(used: int, expected: float) -> None:
    assert retry.longest_delay(Retrier(errors=("E",), interval=2, max_delay=60), used) == expected


@pytest.mark.parametrize(
    ("names", "error", "expected"),
    [
        (["E"], "E", True),
        (["E"], "F", False),
        (["F", "E"], "E", True),
        (["States.ALL"], "E", True),
        (["States.ALL"], None, True),
        (["States.ALL"], "States.Timeout", True),
        (["States.ALL"], "States.DataLimitExceeded", False),
        (["States.DataLimitExceeded"], "States.DataLimitExceeded", True),
        (["States.ALL"], "States.Runtime", False),
        (["States.Runtime"], "States.Runtime", False),
        (["States.TaskFailed"], "E", True),
        (["States.TaskFailed"], "States.TaskFailed", True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.TaskFailed"], "States.HeartbeatTimeout", False),
        (["States.Timeout"], "States.HeartbeatTimeout", True),
        (["States.HeartbeatTimeout"], "States.Timeout", False),
    ],
)
def test_which_names_cover_which_errors(names: list[str], error: str | None, expected: bool) -> None:
    assert retry.matches(names, error) is expected


def test_the_first_retrier_that_covers_decides() -> None:
    retriers = [Retrier(errors=("A",), max_attempts=1), Retrier(errors=("States.ALL",), max_attempts=9)]
    assert retry.choose(retriers, [0, 0], "A") == 0
    assert retry.choose(retriers, [1, 0], "A") is None
    assert retry.choose(retriers, [1, 0], "B") == 1
    assert retry.choose([], [], "B") is None
