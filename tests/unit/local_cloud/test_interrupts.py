"""What a signal does, before, while and after an execution is followed."""

from __future__ import annotations

import os
import signal

import pytest

from local_cloud import interrupts


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_signal_is_raised(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.raised():
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", interrupts.SIGNALS)
def test_a_noted_signal_interrupts_nothing_and_is_raised_again_afterwards(number: signal.Signals) -> None:
    with pytest.raises(KeyboardInterrupt), interrupts.raised():  # noqa: PT012 - the order is what is tested
        with interrupts.noted() as stop:
            assert not stop.is_set()
            os.kill(os.getpid(), number)
            assert stop.wait(5)
        os.kill(os.getpid(), number)


def test_the_handlers_of_before_come_back() -> None:
    before = [signal.getsignal(number) for number in interrupts.SIGNALS]
    with interrupts.raised(), interrupts.noted():
        pass
    assert [signal.getsignal(number) for number in interrupts.SIGNALS] == before
