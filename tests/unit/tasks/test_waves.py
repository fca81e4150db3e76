"""waves: what a wave comes to, device by device, and how an IoT job is paced."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks import waves
from tasks.rollout import DeviceState
from tasks.waves import PLAIN, Health, Verdict, judge

MODEL = "com.example.model"
GOOD = Health(core="HEALTHY", components={MODEL: "RUNNING"})
SICK = Health(core="HEALTHY", components={MODEL: "ERRORED"})
NAMES = ("DONE", "FAILED", "QUEUED", "IN_PROGRESS")


def states(*names: str, since: float = 100.0) -> dict[str, DeviceState]:
    told = {"DONE": "COMPLETED"}
    return {
        f"d{number}": DeviceState(status=told.get(name, name), reason="", since=since)
        for number, name in enumerate(names)
    }


def health(*each: Health) -> dict[str, Health]:
    return {f"d{number}": one for number, one in enumerate(each)}


CASES: list[tuple[dict[str, Any], tuple[str, ...], tuple[Health, ...], float, list[str] | None]] = [
    # settings, how the devices stand, their health, the time, the devices at fault (None: the wave goes on)
    ({}, ("DONE", "DONE"), (), 100, []),
    ({}, ("DONE", "QUEUED"), (), 100, None),
    ({}, ("QUEUED", "FAILED"), (), 100, ["d1"]),
    ({"abort_percent": 50}, ("DONE", "FAILED", "QUEUED"), (), 100, None),
    ({"abort_percent": 50}, ("DONE", "FAILED", "DONE"), (), 100, []),
    ({"abort_percent": 50}, ("FAILED", "FAILED", "QUEUED"), (), 100, ["d0", "d1"]),
    ({"bake_seconds": 60}, ("DONE",), (GOOD,), 159, None),
    ({"bake_seconds": 60}, ("DONE",), (GOOD,), 160, []),
    ({"bake_seconds": 60}, ("DONE", "DONE"), (GOOD, SICK), 101, ["d1"]),
    ({"bake_seconds": 60, "max_error_rate": 0.5}, ("DONE", "DONE"), (GOOD, SICK), 101, None),
    ({"max_error_rate": 0.5}, ("DONE", "DONE"), (SICK, SICK), 101, ["d0", "d1"]),
    ({"models_ready": True}, ("DONE",), (Health(core="HEALTHY", components={}),), 101, ["d0"]),
    ({"models_ready": True}, ("DONE",), (GOOD,), 101, []),
]


@pytest.mark.parametrize(("settings", "names", "seen", "now", "bad"), CASES)
def test_what_a_wave_comes_to(
    settings: dict[str, Any],
    names: tuple[str, ...],
    seen: tuple[Health, ...],
    now: float,
    bad: list[str] | None,
) -> None:
    verdict = judge(replace(PLAIN, **settings), states(*names), health(*seen), component=MODEL, now=now)
    assert (None if verdict is None else sorted(verdict.bad)) == bad


@given(
    names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=12),
    percent=st.none() | st.integers(min_value=1, max_value=100),
    bake=st.integers(min_value=0, max_value=100),
)
def test_a_wave_is_never_good_while_a_device_is_not_done_and_ends_when_all_are(
    names: list[str], percent: int | None, bake: int
) -> None:
    wave = replace(PLAIN, abort_percent=percent, bake_seconds=bake)
    early = judge(wave, states(*names), {}, component=MODEL, now=0)
    late = judge(wave, states(*names), {}, component=MODEL, now=10_000)
    waiting = any(name in ("QUEUED", "IN_PROGRESS") for name in names)
    assert not (waiting and late == Verdict())
    assert waiting or late is not None
    assert early is None or early == late


@pytest.mark.parametrize(
    ("rate", "abort", "devices", "expected"),
    [
        (None, None, 5, {}),
        (50, None, 5, {"jobExecutionsRolloutConfig": {"maximumPerMinute": 50}}),
        (None, 10, 200, (10.0, 10)),
        (None, 10, 4, (10.0, 4)),
        (None, 100, 7, (100.0, 1)),
        (None, 33, 50, (33.0, 4)),
    ],
)
def test_an_iot_job_is_paced(rate: int | None, abort: int | None, devices: int, expected: Any) -> None:
    made = waves.job_configuration(replace(PLAIN, rate_per_minute=rate, abort_percent=abort), devices)
    if not isinstance(expected, tuple):
        assert made == expected
        return
    (criteria,) = made["abortConfig"]["criteriaList"]
    assert (criteria["thresholdPercentage"], criteria["minNumberOfExecutedThings"]) == expected
    assert (criteria["failureType"], criteria["action"]) == ("ALL", "CANCEL")
