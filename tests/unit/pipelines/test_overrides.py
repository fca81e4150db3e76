"""What the machine says about a run's parameters, evaluated as Step Functions would."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines import parameters
from tests.unit.pipelines.specs import LABEL, build
from tests.unit.pipelines.test_expressions import fill, states

PARAMS = """  epochs: {type: integer, default: 30, minimum: 1, maximum: 99}
  rate: {type: number, default: 0.5, minimum: 0.1}
  spot: {type: boolean, default: false}
  note: {type: string}
  data: {type: s3uri, default: "s3://bucket/x/"}
  in: {type: list, default: [a, b]}
"""


def wrong(given: Any, params: str = PARAMS) -> list[str]:
    """Return what Start assigns to `$wrong` for a run's input."""
    found: list[str] = fill(states(LABEL, params)["Start"]["Assign"]["wrong"], states={"input": given})
    return list(found)


GOOD = {"note": "x"}


@pytest.mark.parametrize(
    "given",
    [
        GOOD,
        {**GOOD, "epochs": 1, "rate": 1, "spot": True, "data": "s3://other/y", "in": []},
        {**GOOD, "epochs": 99, "rate": 0.1, "in": ["a", 1, True]},
        {"note": ""},
    ],
)
def test_good_parameters_are_let_through(given: dict[str, Any]) -> None:
    assert wrong({"params": given}) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"epochs": "3"}, "'epochs' must be a whole number of at least 1 and at most 99"),
        ({"epochs": 1.5}, "'epochs' must be a whole number of at least 1 and at most 99"),
        ({"epochs": 0}, "'epochs' must be a whole number of at least 1 and at most 99"),
        ({"epochs": 100}, "'epochs' must be a whole number of at least 1 and at most 99"),
        ({"epochs": None}, "'epochs' must be a whole number of at least 1 and at most 99"),
        ({"epochs": [3]}, "'epochs' must be a whole number of at least 1 and at most 99"),
        ({"rate": 0}, "'rate' must be a number of at least 0.1"),
        ({"rate": {"a": 1}}, "'rate' must be a number of at least 0.1"),
        ({"spot": "true"}, "'spot' must be true or false"),
        ({"note": 3}, "'note' must be text"),
        ({"data": "/tmp"}, "'data' must be an S3 address such as s3://bucket/prefix/"),
        ({"data": 1}, "'data' must be an S3 address such as s3://bucket/prefix/"),
        ({"in": "a,b"}, "'in' must be a list"),
        ({"epoch": 3}, "there is no parameter epoch"),
    ],
)
def test_a_wrong_parameter_is_named(given: dict[str, Any], message: str) -> None:
    assert wrong({"params": {**GOOD, **given}}) == [message]


@pytest.mark.parametrize(
    ("given", "messages"),
    [
        ({}, ["'note' needs a value"]),
        ({"params": {}}, ["'note' needs a value"]),
        ({"params": []}, ["params must be an object"]),
        ({"params": "x"}, ["params must be an object"]),
        ({"params": {"a": 1, "b": 2, "note": "", "spot": 0}}, 3),
    ],
)
def test_all_that_is_wrong_is_said(given: dict[str, Any], messages: list[str] | int) -> None:
    found = wrong(given)
    assert found == messages if isinstance(messages, list) else len(found) == messages


def test_a_pipeline_without_parameters_takes_none() -> None:
    assert wrong({}, "") == []
    assert wrong({"params": {}}, "") == []
    assert wrong({"params": {"x": 1}}, "") == ["there is no parameter x"]


def test_the_choice_fails_the_run_with_what_is_wrong() -> None:
    found = states(LABEL, PARAMS)
    choice = found["Parameters"]
    assert fill(choice["Choices"][0]["Condition"], wrong=[]) is True
    assert fill(choice["Choices"][0]["Condition"], wrong=["a"]) is False
    assert fill(found[choice["Default"]]["Cause"], wrong=["a", "b"]) == "a; b"


@pytest.mark.parametrize(
    ("text", "value"),
    [('["a", 1]', ["a", 1]), ("a, 2,true", ["a", 2, True]), ("x", ["x"]), ("[]", [])],
)
def test_a_list_is_json_or_words(text: str, value: list[Any]) -> None:
    pipeline = build(LABEL, PARAMS).pipeline
    assert parameters.resolve(pipeline, {"note": "", "in": text})["in"] == value


@pytest.mark.parametrize("text", ["[", "[[1]]", '{"a": 1}]', '[{"a": 1}]'])
def test_what_is_no_list_of_plain_values_is_refused(text: str) -> None:
    pipeline = build(LABEL, PARAMS).pipeline
    if text.startswith("["):
        with pytest.raises(parameters.ParameterError, match="'in'"):
            parameters.resolve(pipeline, {"note": "", "in": text})
    else:
        assert parameters.resolve(pipeline, {"note": "", "in": text})["in"] == ['{"a": 1}]']
