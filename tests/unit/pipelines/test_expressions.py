"""The expressions that we emit, evaluated by the reference implementation's port."""

from __future__ import annotations

import json
from typing import Any

import jsonata
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import expressions, source
from pipelines.nodes import MappingNode, ScalarNode
from pipelines.references import parse
from tests.unit.pipelines.specs import COMPILE, LABEL, MODEL, build


def evaluate(expression: str, **variables: Any) -> Any:
    """Evaluate JSONata with variables, and with the `$parse` that Step Functions adds."""
    compiled = jsonata.Jsonata(expression)
    compiled.register_lambda("parse", json.loads)
    for name, value in variables.items():
        compiled.assign(name, value)
    return compiled.evaluate(None)


def fill(value: Any, **variables: Any) -> Any:
    """Evaluate every expression in a part of a definition."""
    if isinstance(value, str) and value.startswith("{%"):
        return evaluate(value[2:-2], **variables)
    if isinstance(value, dict):
        return {key: fill(item, **variables) for key, item in value.items()}
    return [fill(item, **variables) for item in value] if isinstance(value, list) else value


def states(steps: str, params: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(build(steps, params).definition)["States"]
    return found


PARAMS = """  dataset: {type: s3uri, default: "s3://${{ usecase.data_bucket }}/cookies/"}
  epochs: {type: integer, default: 30}
  spot: {type: boolean, default: false}
  in: {type: string, default: "a \\"b\\" \\\\ é"}
"""


@pytest.mark.parametrize(
    ("given_input", "expected"),
    [
        ({}, {"dataset": "s3://bucket/cookies/", "epochs": 30, "spot": False, "in": 'a "b" \\ é'}),
        (
            {"params": {"epochs": 3, "spot": True, "in": ""}},
            {"dataset": "s3://bucket/cookies/", "epochs": 3, "spot": True, "in": ""},
        ),
        (
            {"params": {"epochs": 0, "dataset": "s3://other/"}},
            {"dataset": "s3://other/", "epochs": 0, "spot": False, "in": 'a "b" \\ é'},
        ),
    ],
)
def test_given_parameters_win_over_defaults(given_input: dict[str, Any], expected: dict[str, Any]) -> None:
    assign = states(LABEL, PARAMS)["Parameters"]["Choices"][0]["Assign"]["params"]
    found = fill(assign, states={"input": given_input}, usecase={"data_bucket": "bucket"})
    assert found == expected
    assert {key: type(value) for key, value in found.items()} == {
        key: type(value) for key, value in expected.items()
    }


GOOD = {"target": "x86_64-cpu", "artifact": {"uri": "s3://b/m", "facts": {"labels": ["a"]}}}
ALSO_GOOD = {"target": "arm64-cpu", "artifact": {"uri": "s3://b/n", "facts": {}}}
BAD = {"target": "arm64-cpu", "error": "JobFailedError", "cause": "no space"}
ALSO_BAD = {"target": "x86_64-cpu", "error": "States.Timeout", "cause": ""}


@pytest.mark.parametrize(
    ("outcomes", "good", "failed", "message"),
    [
        ([GOOD, ALSO_GOOD], ["x86_64-cpu", "arm64-cpu"], [], None),
        ([GOOD], ["x86_64-cpu"], [], None),
        ([GOOD, BAD], ["x86_64-cpu"], ["arm64-cpu"], "1 of 2 targets failed: arm64-cpu: no space"),
        ([BAD], [], ["arm64-cpu"], "1 of 2 targets failed: arm64-cpu: no space"),
        (
            [BAD, ALSO_BAD],
            [],
            ["arm64-cpu", "x86_64-cpu"],
            "2 of 2 targets failed: arm64-cpu: no space; x86_64-cpu: ",
        ),
    ],
)
@pytest.mark.parametrize("require", ["all", "any"])
def test_outcomes_are_gathered_and_judged(
    outcomes: list[dict[str, Any]], good: list[str], failed: list[str], message: str | None, require: str
) -> None:
    found = states(MODEL + COMPILE.replace("{", f"{{require: {require}, "))
    output = fill(found["compile"]["Output"], states={"result": outcomes})
    by_target = {outcome["target"]: outcome for outcome in outcomes}
    assert output == {
        "compiled_model": {target: by_target[target]["artifact"] for target in good},
        "failed": {
            target: {"error": by_target[target]["error"], "cause": by_target[target]["cause"]}
            for target in failed
        },
    }
    judge = found["compile (judge)"]
    passes = fill(judge["Choices"][0]["Condition"], states={"input": output})
    assert passes is (not failed if require == "all" else bool(good))
    assert fill(judge["Choices"][0]["Assign"], states={"input": output}) == {"step_compile": output}
    if message:
        payload = found[judge["Default"]]["Arguments"]["Payload"]
        assert fill(payload["cause"], states={"input": output}) == message


@pytest.mark.parametrize(
    ("judged", "now", "redriven"),
    [
        ({"RedriveCount": 0}, {"RedriveCount": 0}, False),
        ({"RedriveCount": 0}, {"RedriveCount": 1}, True),
        ({"RedriveCount": 1}, {"RedriveCount": 1}, False),
        ({"RedriveCount": 1}, {"RedriveCount": 3}, True),
        ({}, {}, False),
        ({}, {"RedriveCount": 1}, True),
    ],
)
def test_a_fan_out_that_failed_notices_a_redrive(
    judged: dict[str, int], now: dict[str, int], *, redriven: bool
) -> None:
    found = states(MODEL + COMPILE)
    assigned = fill(found["compile (judge)"]["Assign"], states={"context": {"Execution": judged}})
    failed = found["compile (failed)"]
    payload = failed["Arguments"]["Payload"]
    assert fill(payload["redriven"], states={"context": {"Execution": now}}, **assigned) is redriven
    assert failed["Next"] == "compile"


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (
            '{"errorMessage": "no \\"space\\"\\nleft", "errorType": "JobFailedError", "stackTrace": []}',
            'no "space"\nleft',
        ),
        ('{"errorMessage":"x"}', "x"),
        ("plain text", "plain text"),
        ('{"other": 1}', '{"other": 1}'),
        ('{"errorMessage": "cut o', '{"errorMessage": "cut o'),
        ("", ""),
        (None, ""),
    ],
)
def test_a_cause_is_unwrapped(cause: str | None, expected: str) -> None:
    output = {"Error": "JobFailedError"} if cause is None else {"Error": "JobFailedError", "Cause": cause}
    found = states(MODEL + COMPILE)
    target = found["compile"]["ItemProcessor"]["States"]["compile (target)"]["Catch"][0]["Output"]
    outcome = fill(target, states={"input": "arm64-cpu", "errorOutput": output})
    assert outcome == {"target": "arm64-cpu", "error": "JobFailedError", "cause": expected}


DEPLOYED = [
    {
        "type": "deployment",
        "uri": f"s3://b/{number}",
        "facts": {"deployments": [{"id": number}], "devices": {f"d{number}": {"status": "SUCCEEDED"}}},
    }
    for number in range(3)
]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_waves_make_one_deployment(count: int) -> None:
    names = [f"w{number}" for number in range(count)]
    earlier = {f"wave{number}_deploy": DEPLOYED[number] for number in range(count - 1)}
    code = expressions.merge_waves(names, list(earlier))
    answer = {"result": {"wave": names[-1], "deployment": DEPLOYED[count - 1]}}
    assert evaluate(code, states=answer, **earlier) == {
        "type": "deployment",
        "uri": f"s3://b/{count - 1}",
        "facts": {
            "deployments": [{"id": number} for number in range(count)],
            "devices": {f"d{number}": {"status": "SUCCEEDED"} for number in range(count)},
            "waves": names,
        },
    }


@settings(max_examples=100)
@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="'\ufeff\ufffe\uffff"), max_size=20
    )
)
def test_text_survives_its_way_through_jsonata(text: str) -> None:
    assert evaluate(expressions.literal(text)) == text


def test_interpolation_writes_every_scalar() -> None:
    root, _ = source.parse("k: 'a ${{ params.n }}/${{ params.b }}/${{ params.f }} \"${{ run.id }}\" \\'")
    node = root.get("k") if isinstance(root, MappingNode) else None
    assert isinstance(node, ScalarNode)
    expression = expressions.join(parse(node))
    params = {"n": 3, "b": True, "f": 0.25}
    assert evaluate(expression, params=params, run={"id": "r-1"}) == 'a 3/true/0.25 "r-1" \\'


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (("run", "id"), "$run.id"),
        (("step_train", "metrics", "f1-score"), "$step_train.metrics.`f1-score`"),
        (("params", "in"), "$params.`in`"),
        (("step_c", "compiled_model", "x86_64-cpu", "uri"), "$step_c.compiled_model.`x86_64-cpu`.uri"),
        (("a", "1"), "$a.`1`"),
    ],
)
def test_names_that_jsonata_would_read_otherwise_are_quoted(path: tuple[str, ...], text: str) -> None:
    assert expressions.field(*path) == text
    nested: Any = "found"
    for name in reversed(path[1:]):
        nested = {name: nested}
    assert evaluate(text, **{path[0]: nested}) == "found"
