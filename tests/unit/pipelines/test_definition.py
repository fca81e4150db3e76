from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import definition
from pipelines.definition import DefinitionError, markers, substitute
from tests.unit.pipelines.specs import COMPILE, MODEL, build


@given(st.text())
def test_a_value_comes_back_as_it_is(value: str) -> None:
    text = json.dumps({"a": "x${name}y", "b": "${other}"})
    assert json.loads(substitute(text, {"name": value, "other": "${name}"})) == {
        "a": f"x{value}y",
        "b": "${name}",
    }


def test_every_missing_value_is_named() -> None:
    with pytest.raises(DefinitionError, match="without a value: a, c"):
        substitute("${c} ${a} ${b}", {"b": ""})


def test_markers_are_sorted_and_single() -> None:
    assert markers("${b} ${a} ${b} $c ${D}") == ("a", "b")


def test_a_substituted_definition_has_no_marker_left() -> None:
    compiled = build(MODEL + COMPILE)
    text = substitute(compiled.definition, dict.fromkeys(compiled.markers, "x"))
    assert markers(text) == ()
    assert json.loads(text)["QueryLanguage"] == "JSONata"


def machine(**states: Any) -> dict[str, Any]:
    return {"Comment": "x", "QueryLanguage": "JSONata", "StartAt": "a", "States": states}


END = {"Type": "Pass", "Next": "z"}


@pytest.mark.parametrize(
    ("problem", "found"),
    [
        ("does not exist", machine(a={"Type": "Pass", "Next": "b"})),
        ("does not exist", machine(a={"Type": "Choice", "Choices": [{"Next": "b"}], "Default": "a"})),
        ("never reached", machine(a=END, b=END)),
        ("needs either Next or End", machine(a={"Type": "Pass"})),
        ("longer than 80", {"StartAt": "a" * 81, "States": {"a" * 81: END}}),
        ("has no TimeoutSeconds", machine(a={"Type": "Task", "End": True})),
        (
            "heartbeat",
            machine(
                a={
                    "Type": "Task",
                    "TimeoutSeconds": 5,
                    "HeartbeatSeconds": 5,
                    "Retry": [],
                    "Catch": [],
                    "End": True,
                }
            ),
        ),
        ("unbalanced", machine(a={**END, "Output": "x {% y"})),
        ("unbalanced", machine(a={**END, "Output": {"k %}": 1}})),
        ("unbalanced", machine(a={**END, "Output": ["{% a %} {% b %}"]})),
        ("begins no marker", machine(a={**END, "Output": "${X}"})),
        ("used twice", machine(a={**END, "Type": "Map", "ItemProcessor": machine(a=END)})),
    ],
)
def test_a_broken_definition_is_noticed(problem: str, found: dict[str, Any]) -> None:
    assert [each for each in definition.check(found) if problem in each]


def test_a_sound_definition_has_no_problem() -> None:
    sound = machine(
        a={**END, "Assign": {"y": 1}}, z={"Type": "Succeed", "Output": {"x": "{% $y %}", "z": "${marker}"}}
    )
    assert definition.check(sound) == []
    assert "bytes" in definition.check(sound, "x" * 2_000_000)[0]
