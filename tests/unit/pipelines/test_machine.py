"""A definition read back is what was emitted; what is none is refused, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import changes, cost, machine, policies
from pipelines.changes import Version
from pipelines.machine import MachineError
from tests.unit.pipelines.specs import COMPILE, MODEL, build

PARAMS = "  epochs: {type: integer, default: 3}\n  kind: {type: string, default: ml.g4dn.xlarge}\n"
TRAIN = (
    '  train: {script: train.py, framework: {name: sklearn, version: "1"}, instance: "${{ params.kind }}"}\n'
)


def read(steps: str = MODEL, params: str = "") -> machine.Machine:
    return machine.parse(build(steps, params).definition)


def test_tasks_know_their_step_kind_and_how_often_they_run() -> None:
    found = read(MODEL + COMPILE)
    assert [(task.step, task.kind, task.handler, task.times) for task in found.tasks] == [
        ("label", "label", "label", 1),
        ("transform", "transform", "transform", 1),
        ("train", "train", "train", 1),
        ("compile", "compile", "compile", 2),
        ("", "", "judge", 1),
    ]
    assert found.pipeline == "cookies"
    assert list(found.steps()) == ["label", "transform", "train", "compile"]


def test_a_run_counts_its_states_and_those_of_each_iteration() -> None:
    one, two = (
        read(f"{MODEL}  compile: {{targets: [{targets}]}}\n")
        for targets in ("x86_64-cpu", "x86_64-cpu, arm64-cpu")
    )
    without = read(MODEL)
    # A Map, its judgement, and for each target one task.
    assert one.transitions - without.transitions == 3
    assert two.transitions - one.transitions == 1


def test_a_long_pipeline_is_no_deep_one() -> None:
    steps = "".join(
        f'  l{number}: {{uses: label, method: folders, dataset: "s3://bucket/x/", labels: [a, b]}}\n'
        for number in range(200)
    )
    assert 202 <= read(steps).transitions <= 203


def test_a_parameter_alone_has_its_default() -> None:
    found = read(MODEL[: MODEL.index("  train:")] + TRAIN, PARAMS)
    assert found.default("{% $params.kind %}") == "ml.g4dn.xlarge"
    assert found.default("{% $params.epochs %}") == 3
    assert found.default("{% $params.none %}") == "{% $params.none %}"
    assert found.default("ml.m5.large") == "ml.m5.large"


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "3", '"a"', "{}", '{"States": 3}', '{"States": {"Start": {}}}', "[" * 100_000),
        json.dumps({"StartAt": "Start", "States": {"Start": {"Type": "Pass", "Next": "Start"}}}),
    ],
)
def test_what_is_no_definition_is_refused(text: str) -> None:
    with pytest.raises(MachineError, match="edgepipe compile"):
        machine.parse(text)


def test_a_circle_is_refused() -> None:
    circle = json.loads(build(MODEL).definition)
    circle["States"]["train"]["Next"] = "label"
    with pytest.raises(MachineError):
        machine.parse(json.dumps(circle))


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [
        "null",
        "true",
        "0",
        "-1",
        "1e9",
        '""',
        '"x"',
        "[]",
        "{}",
        '["a"]',
        '{"a": 1}',
        "[[]]",
        '{"Type": "Map"}',
    ]
).map(json.loads)


@given(st.data())
def test_a_damaged_definition_gives_an_answer_or_one_error(data: st.DataObject) -> None:
    good = build(MODEL + COMPILE)
    document = json.loads(good.definition)
    for _ in range(data.draw(st.integers(1, 3))):
        place = document
        while isinstance(place, dict | list) and place:
            key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            if data.draw(st.booleans()) or not isinstance(place[key], dict | list) or not place[key]:
                place[key] = data.draw(JUNK)
                break
            place = place[key]
    try:
        damaged = machine.parse(json.dumps(document))
    except MachineError:
        return
    assert policies.render(policies.derive(damaged))
    assert cost.estimate(damaged, {}).total >= 0
    whole = machine.parse(good.definition)
    changes.compare_states(whole, damaged)
    changes.find_reruns(Version(machine=damaged), Version(machine=whole))
