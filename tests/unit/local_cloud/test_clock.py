"""The scaled clock: days pass while nothing works, and no faster than they are while something does."""

from __future__ import annotations

import math
import threading
import time

import pytest

from local_cloud.clock import ScaledClock, SystemClock
from local_cloud.rules import silence

DAY = 86_400.0


def until(clock: ScaledClock, moment: float) -> None:
    deadline = time.monotonic() + 60
    while clock.now() < moment:
        assert time.monotonic() < deadline, "time does not pass"
        clock.wait(threading.Event(), moment - clock.now())


def test_days_pass_while_nothing_works() -> None:
    clock = ScaledClock(DAY)
    with clock.hurrying():
        until(clock, time.time() + 3 * DAY)


def test_time_is_not_scaled_before_a_run_is_followed_nor_after_it() -> None:
    clock = ScaledClock(DAY)
    time.sleep(0.01)
    assert clock.now() == pytest.approx(time.time(), abs=60)
    with clock.hurrying():
        until(clock, time.time() + DAY)
    begun, really = clock.now(), time.monotonic()
    time.sleep(0.01)
    assert clock.now() - begun == pytest.approx(time.monotonic() - really, abs=60)


def test_time_is_not_scaled_while_something_works() -> None:
    clock = ScaledClock(DAY)
    with clock.hurrying(), clock.working(), clock.working():
        begun, really = clock.now(), time.monotonic()
        time.sleep(0.05)
        passed = clock.now() - begun
        assert passed == pytest.approx(time.monotonic() - really, abs=1)
    with clock.hurrying():
        until(clock, begun + DAY)


def test_time_waits_for_who_must_look() -> None:
    clock = ScaledClock(DAY * 1000)
    begun = clock.now()
    clock.allow(60)
    allowed = clock.now() + 60
    with clock.hurrying():
        until(clock, begun + 60)
        time.sleep(0.01)
        assert clock.now() <= allowed
        clock.allow(60)
        clock.allow(math.inf)
        until(clock, allowed + DAY)


def test_a_clock_goes_on_where_another_stood() -> None:
    later = time.time() + 10 * DAY
    assert ScaledClock(1.0, start=later).now() >= later
    assert ScaledClock(1.0, start=0.0).now() == pytest.approx(time.time(), abs=60)


def test_the_machines_own_clock_needs_no_leave() -> None:
    clock = SystemClock()
    clock.allow(0)
    with clock.hurrying(), clock.working():
        assert clock.now() == pytest.approx(time.time(), abs=60)


@pytest.mark.parametrize(
    ("definition", "seconds"),
    [("{}", 405), ('{"HeartbeatSeconds": 900, "x": {"HeartbeatSeconds":100}}', 45)],
)
def test_the_sweeper_wakes_twice_in_the_shortest_heartbeat(definition: str, seconds: float) -> None:
    assert silence(definition) == pytest.approx(seconds)
