"""What we emit against those who read it: Step Functions' schema, the local engine, the handlers' errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]  # it publishes no types
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]  # as above
from statelint.linter import Linter  # type: ignore[import-untyped]  # as above

from local_cloud.engine import reader
from pipelines.configs import retrier
from pipelines.definition import markers, substitute
from pipelines.states import DEATHS, LAMBDA_ERRORS, LATE
from tasks import errors

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/asl.json"))
ROLE = "arn:aws:iam::123456789012:role/machine"


def deployed(case: str) -> str:
    """Return a case's definition with an ARN for every function, and a word for every other marker."""
    text = GOLDEN.joinpath(case, "asl.json").read_text(encoding="utf-8")
    arn = "arn:aws:lambda:us-east-1:123456789012:function:"
    return substitute(text, {name: f"{arn}{name}" if "function" in name else name for name in markers(text)})


@pytest.mark.parametrize("case", CASES)
def test_cfn_lint_accepts_it(case: str) -> None:
    machine = {
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {"RoleArn": ROLE, "Definition": json.loads(deployed(case))},
    }
    found = lint(json.dumps({"Resources": {"Machine": machine}}), config=ManualArgs(regions=["us-east-1"]))
    assert [str(each) for each in found] == []


@pytest.mark.parametrize("case", CASES)
def test_statelint_accepts_it(case: str) -> None:
    assert Linter.validate(json.loads(deployed(case))) == []


def test_statelint_follows_the_states() -> None:
    lost = json.loads(deployed("minimal"))
    lost["States"]["Start"]["Next"] = "nowhere"
    assert any("nowhere" in each for each in Linter.validate(lost))


def test_where_statelint_and_step_functions_disagree() -> None:
    """statelint wants a decimal point; AWS: "A number" (developer guide, "Handling errors", BackoffRate)."""
    machine = json.loads(deployed("minimal"))
    task = next(state for state in machine["States"].values() if state["Type"] == "Task")
    task["Retry"].insert(
        0, retrier({"on": ["JobFailedError"], "interval": "1m", "backoff": 3, "attempts": 1})
    )
    (found,) = Linter.validate(machine)
    assert found.endswith("Retry[0].BackoffRate is 3 but should be a Float")
    assert reader.read(json.dumps(machine)).scope.start_at == "Start"


@pytest.mark.parametrize("case", CASES)
def test_the_local_engine_accepts_it(case: str) -> None:
    machine = reader.read(deployed(case))
    assert machine.scope.start_at == "Start"


@pytest.mark.parametrize("case", CASES)
def test_retried_errors_are_raised_by_somebody(case: str) -> None:
    known = {*LAMBDA_ERRORS, *DEATHS, LATE, *vars(errors)}
    machine = deployed(case)
    retried = {error for retrier in retriers(json.loads(machine)) for error in retrier["ErrorEquals"]}
    assert retried <= known
    assert "TransientError" in retried
    assert ("CapacityError" in retried) == (".waitForTaskToken" in machine)
    assert retried.isdisjoint({"TaskInputError", "JobFailedError", "QualityGateError"})


@pytest.mark.parametrize("case", CASES)
def test_a_handler_that_died_is_called_again(case: str) -> None:
    """AWS calls it Lambda.Unknown ("Handle Lambda service exceptions"), or what Lambda's answer names."""
    for task in tasks(json.loads(deployed(case))):
        retried = {error for retrier in task["Retry"] for error in retrier["ErrorEquals"]}
        assert {"Lambda.Unknown", "Runtime.ExitError"} <= retried
        # A step that is one call would only be late again; one that waits has its time after the call.
        assert ("Sandbox.Timedout" in retried) == task["Resource"].endswith(".waitForTaskToken")


def tasks(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        own = [value] if value.get("Type") == "Task" else []
        return own + [found for item in value.values() for found in tasks(item)]
    return [found for item in value for found in tasks(item)] if isinstance(value, list) else []


def retriers(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        own: list[dict[str, Any]] = value.get("Retry", [])
        return own + [found for item in value.values() for found in retriers(item)]
    return [found for item in value for found in retriers(item)] if isinstance(value, list) else []
