"""The callback protocol keeps its promises under every trouble drawn, and each safeguard is needed for it."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import combinations, product
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pytest

from tests.simulation.safeguards import REMOVALS, Removal
from tests.simulation.scenario import Scenario, draw, simulate
from tests.simulation.scheduler import Faults

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = 100_000
CHUNK = 2_500
ENOUGH = 6_000
"""Seeds within which the loss of any safeguard shows; most show within the first ten."""

SCENES = {
    "a success that an event tells": Scenario(seed=1),
    "a failure, then a success": Scenario(seed=2, endings=("Capacity", "Completed"), lengths=(100.0, 100.0)),
    "an end that no event tells": Scenario(seed=3, lost_events=1.0),
    "a job that ends at once": Scenario(seed=4, lengths=(0.0,)),
    "a run that is aborted": Scenario(seed=5, aborted=(90.0,), lengths=(1000.0,)),
    "a run that fails and is redriven": Scenario(
        seed=7, endings=("Failed", "Completed"), lengths=(40.0, 60.0), redriven=(200.0,)
    ),
    "a run that is aborted and redriven": Scenario(
        seed=6, aborted=(30.0,), redriven=(200.0,), lengths=(400.0, 60.0)
    ),
    "a run that is redriven while its job is being stopped": Scenario(
        seed=7, aborted=(30.0,), redriven=(45.0,), lengths=(400.0, 60.0)
    ),
}


def broken(seeds: range) -> list[str]:
    """Return what went wrong, each with the command that shows it."""
    return [
        f"{what}: python -m tests.simulation {seed}"
        for seed in seeds
        for what in simulate(draw(seed))[0].broken
    ]


def test_the_protocol_keeps_its_promises() -> None:
    assert broken(range(1_500)) == []


@pytest.mark.soak
def test_the_protocol_keeps_its_promises_for_long() -> None:
    chunks = [range(start, start + CHUNK) for start in range(0, SEEDS, CHUNK)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        found = [each for part in pool.map(broken, chunks) for each in part]
    assert found == []


def test_one_seed_is_one_story() -> None:
    one, other = (simulate(draw(27), traced=True)[1].trace for _ in range(2))
    assert one == other
    assert len(one) > 50


def deaths(scene: Scenario) -> list[tuple[int, str]]:
    """Return every point at which a process of the undisturbed scene can die."""
    verdict, scheduler = simulate(scene)
    assert verdict.broken == []
    return list(product(range(scheduler.calls), ("before", "after")))


def dying(scene: Scenario, *points: tuple[int, str]) -> Scenario:
    return replace(scene, faults=Faults(crash_at=dict(points)))


def failures(scene: Scenario, plans: Iterator[tuple[tuple[int, str], ...]]) -> list[str]:
    return [f"{plan}: {what}" for plan in plans for what in simulate(dying(scene, *plan))[0].broken]


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_a_death_before_or_after_any_call_is_made_up_for(scene: Scenario) -> None:
    points = deaths(scene)
    assert len(points) > 20
    assert failures(scene, ((point,) for point in points)) == []


@pytest.mark.soak
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES)
def test_any_two_deaths_are_made_up_for(scene: Scenario) -> None:
    pairs = ((one, other) for one, other in combinations(deaths(scene), 2) if one[0] != other[0])
    assert failures(scene, pairs) == []


@pytest.mark.parametrize("removal", REMOVALS, ids=lambda removal: removal.name)
def test_every_safeguard_is_needed(removal: Removal) -> None:
    with removal.applied():
        shown = next((seed for seed in range(ENOUGH) if simulate(draw(seed))[0].broken), None)
    assert shown is not None, f"{ENOUGH} seeds went well without '{removal.name}': who needs it?"
