"""What has to end by a time, watched by one thread however much it is."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Deadlines:
    """Tells what is late; every method is safe to call from any thread. Its own begins when it is needed."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._late: dict[object, tuple[float, Callable[[], object]]] = {}
        self._wakes = math.inf
        self._closed = False
        self._thread: threading.Thread | None = None

    def set(self, key: object, seconds: float, tell: Callable[[], object]) -> None:
        """Call `tell`, which must be short, unless `key` is cleared within `seconds`."""
        at = time.monotonic() + seconds
        with self._changed:
            self._late[key] = at, tell
            if at < self._wakes and not self._closed:
                self._wakes = at
                self._changed.notify()
                self._begin()

    def clear(self, key: object) -> None:
        """Forget what has ended; nothing if it is not known."""
        with self._changed:
            self._late.pop(key, None)

    def close(self) -> None:
        """Tell nothing more and end the thread; may be repeated."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name=self._name, daemon=True)
            self._thread.start()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                for key in [key for key, (at, _) in self._late.items() if at <= now]:
                    self._late.pop(key)[1]()
                # The thread looks when the first deadline of now has come, although most are cleared by then.
                self._wakes = min((at for at, _ in self._late.values()), default=math.inf)
                self._changed.wait(None if self._wakes == math.inf else self._wakes - now)
