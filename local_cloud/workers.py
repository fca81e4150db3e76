"""The threads of one emulated service: reused, because a new one takes longer than a small task's work.

Closing the service leaves none of them running.
"""

from __future__ import annotations

import ctypes
import threading
import time
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_IDLE = 64
"""Threads that wait for work; more end when theirs has ended."""


class Killed(BaseException):
    """Thrown into a thread that has to end: its process would have been killed."""


class Work:
    """Something that a thread runs."""

    def __init__(self, run: Callable[[], None]) -> None:
        self.run = run
        self.thread: _Worker | None = None
        self.killed = False

    def goes_on(self) -> bool:
        """Tell whether another thread than the caller's runs it, or is about to."""
        thread = self.thread
        return thread is not None and thread.is_alive() and thread is not threading.current_thread()


class Workers:
    """Runs work in daemon threads and knows what is not done."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._threads: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._most_idle = MAX_IDLE
        self._works: set[Work] = set()

    def start(self, run: Callable[[], None]) -> Work:
        """Run `run` in a thread that runs nothing else meanwhile."""
        work = Work(run)
        with self._lock:
            work.thread = self._idle.pop() if self._idle else self._begin()
            self._works.add(work)
        work.thread.box.put(work)
        return work

    def kill(self, work: Work) -> None:
        """Raise `Killed` at the work's next line of Python; a call that blocks in C ends first."""
        with self._lock:
            if work in self._works and work.thread is not None:
                work.killed = True
                raised = ctypes.py_object(Killed)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(work.thread.ident or 0), raised)

    def join(self, seconds: float) -> int:
        """Wait for all work at most `seconds`; return how much is not done. No idle thread is left."""
        limit = time.monotonic() + seconds
        with self._lock:
            idle, self._idle, self._most_idle = self._idle, [], 0
            threads = [thread for thread in self._threads if thread is not threading.current_thread()]
        for worker in idle:
            worker.box.put(None)
        for thread in threads:
            thread.join(max(0.0, limit - time.monotonic()))
        return len(self.alive())

    def alive(self) -> list[Work]:
        """Return the work that is not done, the caller's excepted."""
        with self._lock:
            return [work for work in self._works if work.goes_on()]

    def _begin(self) -> _Worker:
        worker = _Worker(self._name, self._next)
        self._threads.add(worker)
        worker.start()
        return worker

    def _next(self, worker: _Worker, done: Work, *, failed: bool) -> bool:
        """Take note that work is done; return whether its thread may wait for more."""
        with self._lock:
            self._works.discard(done)
            # What was thrown into a thread may arrive late, so a killed one gets nothing more to do.
            stays = not (failed or done.killed) and len(self._idle) < self._most_idle
            if stays:
                self._idle.append(worker)
            else:
                self._threads.discard(worker)
            return stays


class _Worker(threading.Thread):
    """A thread with a box in which it finds its next work, or None to end."""

    def __init__(self, name: str, proceed: Callable[..., bool]) -> None:
        super().__init__(name=name, daemon=True)
        self.box: SimpleQueue[Work | None] = SimpleQueue()
        self._proceed = proceed

    def run(self) -> None:
        try:
            self._work()
        except Killed:
            return

    def _work(self) -> None:
        stays = True
        while stays and (work := self.box.get()) is not None:
            done = False
            try:
                work.run()
                done = True
            finally:
                stays = self._proceed(self, work, failed=not done)
