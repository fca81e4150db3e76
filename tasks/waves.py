"""One wave of a rollout: what it may reach at once, how long it is watched, and when it has gone wrong. Pure.

    deploying ──(every device is done)──> baking ──(the bake is over)──> verified

A wave without a bake is verified as soon as its devices are done. What is known from Greengrass is whether
devices and components are healthy; rates of wrong or failed inferences are known only where devices upload
their results, and are no part of this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tasks.rollout import FAILED, SUCCEEDED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.fields import Fields
    from tasks.rollout import DeviceState

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}"
SICK = frozenset({"ERRORED", "BROKEN"})
"""The states of a component that has failed (Greengrass API reference, InstalledComponent)."""
MAX_PER_MINUTE = 1000
"""What an IoT job's rollout takes as maximumPerMinute (Greengrass V2 service model)."""


@dataclass(frozen=True, kw_only=True)
class Wave:
    """The settings of one wave.

    `max_error_rate` is the share of devices, 0 to 1, that may be unhealthy; `abort_percent` the share of the
    wave's devices, 1 to 100, whose failure ends it: without one, the first failure does.
    """

    name: str
    bake_seconds: int
    models_ready: bool
    max_error_rate: float | None
    rate_per_minute: int | None
    abort_percent: int | None

    @property
    def watches(self) -> bool:
        """Say whether the devices' health counts."""
        return self.bake_seconds > 0 or self.models_ready or self.max_error_rate is not None


PLAIN = Wave(
    name="",
    bake_seconds=0,
    models_ready=False,
    max_error_rate=None,
    rate_per_minute=None,
    abort_percent=None,
)
"""What a deployment without waves is held to: every device takes it."""


@dataclass(frozen=True, kw_only=True)
class Health:
    """A core device as it reports itself: HEALTHY or not, and its components, name → lifecycle state."""

    core: str
    components: Mapping[str, str]

    @property
    def problem(self) -> str:
        """Return what is wrong with the device, in a few words; nothing for a healthy one."""
        sick = [f"{name} is {state}" for name, state in sorted(self.components.items()) if state in SICK]
        if self.core != "HEALTHY":
            sick.insert(0, f"the device is {self.core}")
        return f"reports that {', '.join(sick)}" if sick else ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a wave comes to: `bad` names each device at fault and why, `what` says what they failed to do."""

    what: str = ""
    bad: Mapping[str, str] = field(default_factory=dict)


def parse_wave(wave: Fields) -> Wave:
    """Return the settings of an event's `config.wave`; raises TaskInputError naming the wrong field."""
    verify = wave.child("verify", {})
    ready = verify.values.get("models_ready", False)
    if not isinstance(ready, bool):
        verify.refuse("models_ready", "must be true or false")
    share = verify.number("max_error_rate") if verify.has("max_error_rate") else None
    if share is not None and not 0 <= share <= 1:
        verify.refuse("max_error_rate", "must be a share from 0 to 1")
    return Wave(
        name=wave.text("name", pattern=NAME),
        bake_seconds=wave.integer("bake_seconds", 0),
        models_ready=ready,
        max_error_rate=share,
        rate_per_minute=_bounded(wave, "rate_per_minute", MAX_PER_MINUTE),
        abort_percent=_bounded(wave, "abort_percent", 100),
    )


def job_configuration(wave: Wave, devices: int) -> dict[str, Any]:
    """Return the iotJobConfiguration under which a group of so many devices is reached.

    The percentage counts from the first number of devices on of which it can be one: the first failure of a
    large group is not 100 percent of it. Smaller groups are held to it when they are judged.
    """
    configuration: dict[str, Any] = {}
    if wave.rate_per_minute:
        configuration["jobExecutionsRolloutConfig"] = {"maximumPerMinute": wave.rate_per_minute}
    if wave.abort_percent:
        criteria = {
            "failureType": "ALL",
            "action": "CANCEL",
            "thresholdPercentage": float(wave.abort_percent),
            "minNumberOfExecutedThings": max(1, min(devices, math.ceil(100 / wave.abort_percent))),
        }
        configuration["abortConfig"] = {"criteriaList": [criteria]}
    return configuration


def judge(
    wave: Wave, states: Mapping[str, DeviceState], health: Mapping[str, Health], *, component: str, now: float
) -> Verdict | None:
    """Return what the wave comes to, or None while it goes on; `health` covers the devices that took it.

    A bake begins when the last device is done, by Greengrass's clock.
    """
    failed = {name: _failure(state) for name, state in states.items() if state.status in FAILED}
    if len(failed) * 100 >= max(1, (wave.abort_percent or 0) * len(states)):
        return Verdict(what="did not take", bad=failed)
    if not all(state.ended for state in states.values()):
        return None
    sick = {name: each.problem for name, each in health.items() if each.problem}
    if len(sick) > (wave.max_error_rate or 0) * len(health):
        return Verdict(what="did not stay healthy under", bad=sick)
    done = max((state.since for state in states.values() if state.status in SUCCEEDED), default=0.0)
    if now < done + wave.bake_seconds:
        return None
    idle = _without_model(health, component) if wave.models_ready else {}
    return Verdict(what="do not run the model of", bad=idle) if idle else Verdict()


def _without_model(health: Mapping[str, Health], component: str) -> dict[str, str]:
    states = {name: each.components.get(component, "not installed") for name, each in health.items()}
    return {name: f"reports {component} as {state}" for name, state in states.items() if state != "RUNNING"}


def _failure(state: DeviceState) -> str:
    return f"is {state.status}: {state.reason or 'the device gave no reason'}"


def _bounded(wave: Fields, key: str, most: int) -> int | None:
    if not wave.has(key):
        return None
    value = wave.integer(key, minimum=1)
    if value > most:
        wave.refuse(key, f"must be {most} or less")
    return value
