"""What goes wrong on a virtual device because somebody asked for it, as devices.yaml describes it."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

OFFLINE = "offline"
FLAPPING = "flapping"
SLOW = "slow"
DISK_FULL = "disk-full"
CRASH_IN_INSTALL = "crash-in-install"
ARCHITECTURE_MISMATCH = "architecture-mismatch"
UNHEALTHY = "unhealthy"
KINDS = (OFFLINE, FLAPPING, SLOW, DISK_FULL, CRASH_IN_INSTALL, ARCHITECTURE_MISMATCH, UNHEALTHY)

FOREIGN = {"amd64": "aarch64", "aarch64": "amd64", "arm": "aarch64", "x86": "arm"}
"""What a device of an architecture turns out to be under `architecture-mismatch`."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault; no components means all of them.

    `every` and `lasts` are seconds of the cloud's clock; `delay` and `after`, which hold up or hit programs
    that really run, are seconds of this machine.
    """

    kind: str
    components: tuple[str, ...] = ()
    delay: float = 0.0
    factor: float = 1.0
    times: int | None = None
    every: float = 5.0
    after: float = 5.0
    lasts: float | None = None

    def __post_init__(self) -> None:
        """Refuse a kind that no device knows."""
        if self.kind not in KINDS:
            message = f"there is no fault {self.kind!r}; known are {', '.join(KINDS)}"
            raise ValueError(message)

    def concerns(self, component: str) -> bool:
        """Say whether the fault is about a component."""
        return not self.components or component in self.components

    def document(self) -> dict[str, Any]:
        """Return the fault as plain JSON."""
        return {**asdict(self), "components": list(self.components)}


def read_fault(document: Mapping[str, Any]) -> Fault:
    """Return the fault of what `document` gave."""
    return Fault(**{**document, "components": tuple(document["components"])})


class Faults:
    """The faults of one device as they stand now; safe to use from several threads."""

    def __init__(self, faults: Iterable[Fault] = (), now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._crashes: dict[str, int] = {}
        self.set(faults)

    def set(self, faults: Iterable[Fault]) -> None:
        """Replace all faults; none lifts them all. Times count from now."""
        with self._lock:
            self._faults = tuple(faults)
            self._since = self._now()
            self._crashes.clear()

    @property
    def current(self) -> tuple[Fault, ...]:
        """The faults as they were given."""
        return self._faults

    def find(self, kind: str, component: str | None = None) -> Fault | None:
        """Return the fault of a kind that concerns a component (None: the whole device), if there is one."""
        fitting = (each for each in self._faults if each.kind == kind)
        return next((each for each in fitting if component is None or each.concerns(component)), None)

    def is_offline(self) -> bool:
        """Say whether the device has no connection now."""
        passed = self._now() - self._since
        offline, flapping = self.find(OFFLINE), self.find(FLAPPING)
        away = offline is not None and (offline.lasts is None or passed < offline.lasts)
        return away or (flapping is not None and int(passed / flapping.every) % 2 == 1)

    def changes_by_itself(self) -> bool:
        """Say whether the connection may come or go with nobody asking."""
        offline = self.find(OFFLINE)
        return self.find(FLAPPING) is not None or (offline is not None and offline.lasts is not None)

    def crashes_install(self, component: str) -> bool:
        """Say whether a component's Install step crashes this time, and count it."""
        fault = self.find(CRASH_IN_INSTALL, component)
        if fault is None:
            return False
        with self._lock:
            count = self._crashes[component] = self._crashes.get(component, 0) + 1
        return fault.times is None or count <= fault.times
