"""How a deployment reaches a thing group: so many devices a minute, until too many of them have failed.

Facts: AWS IoT Greengrass V2 API reference, DeploymentIoTJobConfiguration and its members.
What it does not do: time-outs of a device's execution and exponential rates, which are refused.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .refusals import InvalidError, not_emulated

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from local_cloud.clock import CloudClock

    from .device import Device
    from .planning import Order

MINUTE_SECONDS = 60.0
MAX_PER_MINUTE = 1000
_FAILURES = {"FAILED": {"FAILED"}, "REJECTED": {"REJECTED"}, "TIMED_OUT": {"TIMED_OUT"}}
_OVER = ("SUCCEEDED", "COMPLETED", "FAILED", "REJECTED", "TIMED_OUT", "CANCELED")
_FAILURES["ALL"] = {"FAILED", "REJECTED", "TIMED_OUT"}


@dataclass(frozen=True, kw_only=True)
class Limit:
    """A deployment is cancelled when this share of the devices that are done, `minimum` or more, failed."""

    failures: frozenset[str]
    percent: float
    minimum: int

    def is_reached(self, statuses: Sequence[str]) -> bool:
        """Say whether devices that ended so are too many failures."""
        failed = sum(status in self.failures for status in statuses)
        return len(statuses) >= self.minimum and failed * 100 >= self.percent * len(statuses) and failed > 0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How a deployment goes out; `per_minute` is None for all devices at once."""

    per_minute: int | None = None
    limits: tuple[Limit, ...] = ()


def parse_pace(document: Mapping[str, Any], target: str) -> Pace:
    """Read an iotJobConfiguration; raises InvalidError for what is wrong or not emulated."""
    if not document:
        return Pace()
    if ":thinggroup/" not in target:
        what = "iotJobConfiguration of a thing"
        raise not_emulated(what, "leave it out, or deploy to a thing group")
    rate = document.get("jobExecutionsRolloutConfig") or {}
    for field, given in (("timeoutConfig", document), ("exponentialRate", rate)):
        if given.get(field):
            what = f"iotJobConfiguration: {field}"
            raise not_emulated(what, "leave it out")
    per_minute = rate.get("maximumPerMinute")
    if per_minute is not None and not 1 <= per_minute <= MAX_PER_MINUTE:
        message = f"maximumPerMinute must be between 1 and {MAX_PER_MINUTE}, not {per_minute}"
        raise InvalidError(message)
    criteria = (document.get("abortConfig") or {}).get("criteriaList") or ()
    return Pace(per_minute=per_minute, limits=tuple(_parse_limit(each) for each in criteria))


def _parse_limit(document: Mapping[str, Any]) -> Limit:
    kind, action = document.get("failureType"), document.get("action")
    percent, minimum = document.get("thresholdPercentage", 0), document.get("minNumberOfExecutedThings", 0)
    if kind not in _FAILURES or action != "CANCEL" or not 0 < percent <= 100 or minimum < 1:
        message = (
            f"abortConfig.criteriaList: each has failureType {', '.join(_FAILURES)}, action CANCEL, "
            f"thresholdPercentage up to 100 and minNumberOfExecutedThings from 1, not {dict(document)}"
        )
        raise InvalidError(message)
    return Limit(failures=frozenset(_FAILURES[kind]), percent=float(percent), minimum=int(minimum))


class Rollout:
    """One deployment on its way; `is_active` says whether it still counts, `cancel` ends it.

    `statuses` says how it went on the devices that had it in an earlier life.
    """

    def __init__(
        self,
        order: Order,
        pace: Pace,
        *,
        is_active: Callable[[], bool],
        cancel: Callable[[], object],
        statuses: Mapping[str, str],
        clock: CloudClock,
    ) -> None:
        self._order = order
        self._pace = pace
        self._is_active = is_active
        self._cancel = cancel
        self._lock = threading.Lock()
        self._waiting: threading.Thread | None = None
        self._statuses = {thing: status for thing, status in statuses.items() if status in _OVER}
        self._clock = clock
        self._closed = threading.Event()

    def start(self, devices: Sequence[Device]) -> None:
        """Hand the deployment to the first devices now and to the others minute by minute."""
        count = self._pace.per_minute or len(devices)
        for device in devices[:count]:
            device.submit(self._order)
        if devices[count:]:
            self._continue_later(devices[count:])

    def hear(self, thing: str, status: str) -> None:
        """Take note of how a device ended, and cancel the deployment at its limit."""
        with self._lock:
            self._statuses[thing] = status
            statuses = list(self._statuses.values())
        if self._is_active() and any(limit.is_reached(statuses) for limit in self._pace.limits):
            self._cancel()

    def close(self) -> None:
        """Reach no further device."""
        self._closed.set()
        with self._lock:
            waiting, self._waiting = self._waiting, None
        if waiting:
            waiting.join()

    def _continue_later(self, devices: Sequence[Device]) -> None:
        due = self._clock.now() + MINUTE_SECONDS

        def go_on() -> None:
            while not self._closed.is_set() and (left := due - self._clock.now()) > 0:
                self._clock.wait(self._closed, left)
            if not self._closed.is_set() and self._is_active():
                self.start(devices)

        with self._lock:
            self._waiting = threading.Thread(target=go_on, name="rollout", daemon=True)
            self._waiting.start()
