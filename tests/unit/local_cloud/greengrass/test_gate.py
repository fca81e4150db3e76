"""gate: so many at a time, no longer than they may hold on, and nobody waits who is not wanted."""

from __future__ import annotations

import threading

from local_cloud.greengrass.gate import Gate

LONG = 3600.0


def wanted() -> bool:
    return True


def test_a_place_that_is_left_is_given_on() -> None:
    gate = Gate(places=1)
    first = gate.enter(wanted, LONG)
    entered = threading.Event()

    def enter() -> None:
        gate.enter(wanted, LONG)
        entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.wait(0.2)
    gate.leave(first)
    gate.leave(first)
    assert entered.wait(60)
    thread.join()


def test_a_place_that_is_held_too_long_is_given_on() -> None:
    gate = Gate(places=1)
    gate.enter(wanted, 0.05)
    gate.enter(wanted, LONG)


def test_who_is_no_longer_wanted_does_not_wait() -> None:
    gate = Gate(places=1)
    gate.enter(wanted, LONG)
    gate.enter(lambda: False, LONG)
