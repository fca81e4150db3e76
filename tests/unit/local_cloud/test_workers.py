from __future__ import annotations

import threading
import time

import pytest

from local_cloud.workers import Workers

LONG = 120


@pytest.fixture
def workers() -> Workers:
    return Workers("test")


def run_one(workers: Workers) -> int:
    """Return the identity of the thread that ran a piece of work, once that is done."""
    found: list[int] = []
    workers.start(lambda: found.append(threading.get_ident()))
    wait_until_done(workers)
    return found[0]


def wait_until_done(workers: Workers) -> None:
    limit = time.monotonic() + LONG
    while workers.alive() and time.monotonic() < limit:
        time.sleep(0.001)


def test_a_thread_that_is_done_takes_the_next_work(workers: Workers) -> None:
    assert run_one(workers) == run_one(workers)
    assert workers.join(LONG) == 0


def test_works_run_beside_each_other(workers: Workers) -> None:
    together = threading.Barrier(100, timeout=LONG)
    for _ in range(100):
        workers.start(lambda: _ignore(together.wait()))
    assert workers.join(LONG) == 0
    assert not together.broken


def test_join_leaves_no_thread(workers: Workers) -> None:
    before = set(threading.enumerate())
    for _ in range(3):
        workers.start(lambda: None)
    assert workers.join(LONG) == 0
    run_one(workers)
    assert workers.join(LONG) == 0
    assert set(threading.enumerate()) <= before


def test_join_counts_what_is_not_done(workers: Workers) -> None:
    ends = threading.Event()
    workers.start(lambda: _ignore(ends.wait()))
    assert workers.join(0.01) == 1
    ends.set()
    assert workers.join(LONG) == 0


def test_killed_work_ends_and_its_thread_with_it(workers: Workers) -> None:
    began = threading.Event()

    def hang() -> None:
        while True:
            began.set()

    work = workers.start(hang)
    assert began.wait(LONG)
    workers.kill(work)
    assert workers.join(LONG) == 0
    assert run_one(workers)


def test_a_kill_after_the_end_hits_nobody(workers: Workers) -> None:
    first = workers.start(lambda: None)
    wait_until_done(workers)
    workers.kill(first)
    assert run_one(workers)
    assert workers.join(LONG) == 0


def test_work_does_not_count_its_own_thread(workers: Workers) -> None:
    found: list[int] = []
    workers.start(lambda: found.append(len(workers.alive())))
    assert workers.join(LONG) == 0
    assert found == [0]


def _ignore(_value: object) -> None:
    """Make a call something that returns nothing."""
