"""The threads that one emulated service started, so that closing it leaves none running."""

from __future__ import annotations

import ctypes
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Killed(BaseException):
    """Thrown into a thread that has to end: its process would have been killed."""


class Workers:
    """Starts daemon threads and remembers the living ones."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()

    def start(self, run: Callable[[], None]) -> threading.Thread:
        """Run `run` in a thread of its own."""
        thread = threading.Thread(target=self._run, args=(run,), name=self._name, daemon=True)
        with self._lock:  # whoever joins must not find it before it has started
            self._threads.add(thread)
            thread.start()
        return thread

    def join(self, seconds: float) -> int:
        """Wait for all threads together at most `seconds`; return how many still run."""
        limit = time.monotonic() + seconds
        for thread in self.alive():
            thread.join(max(0.0, limit - time.monotonic()))
        return len(self.alive())

    def alive(self) -> list[threading.Thread]:
        """Return the threads that run now, the caller's excepted."""
        with self._lock:
            return [thread for thread in self._threads if thread is not threading.current_thread()]

    def _run(self, run: Callable[[], None]) -> None:
        try:
            run()
        except Killed:
            return
        finally:
            with self._lock:
                self._threads.discard(threading.current_thread())


def kill(thread: threading.Thread) -> None:
    """Raise `Killed` in a thread at its next line of Python; a call that blocks in C ends first."""
    if thread.ident is not None:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(Killed))
