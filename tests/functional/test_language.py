"""Compiled machines in the local engine: the states that the language makes do what the language says."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from local_cloud.engine.errors import Failure
from local_cloud.engine.replies import Outcome
from pipelines.compiler import compile_text
from pipelines.definition import markers, substitute
from tests.unit.local_cloud.engine.machines import Bench, bench, kinds, settle

HEAD = "version: 1\nname: cookies\nusecase: cookie-factory\n"
TEXT = f"""{HEAD}params:
  stage: {{type: string, default: test}}
  sizes: {{type: list, default: [1, 2]}}
  rate: {{type: number, default: 1, maximum: 2}}
steps:
  label: {{method: folders, dataset: "s3://bucket/x/", labels: [a, b]}}
  transform: {{}}
  many:
    uses: train
    script: train.py
    framework: {{name: sklearn, version: "1"}}
    for_each: ${{{{ params.sizes }}}}
    hyperparameters: {{n: "${{{{ item }}}}"}}
  train: {{script: train.py, framework: {{name: sklearn, version: "1"}}}}
  compile: {{targets: [x86_64-cpu, arm64-cpu], inputs: {{model: train}}, require: any}}
  package:
  publish: {{component: com.example.x}}
  approve: {{message: "Ship?"}}
  deploy:
    when: ${{{{ params.stage }}}} == 'prod'
    waves:
      - {{name: canary, targets: [thing/a]}}
      - {{name: line, targets: [thinggroup/b]}}
"""


def artifact(kind: str, **facts: Any) -> dict[str, Any]:
    return {"type": kind, "uri": "s3://b/k", "digest": "etag:x", "facts": facts}


class Handlers:
    """Stand-ins for the handlers; they keep what they were called with."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.broken: dict[str, Failure] = {}

    def install(self, place: Bench) -> None:
        for name in ("label", "transform", "package", "publish"):
            place.functions[name] = self.answer
        for name in ("train", "compile", "approve", "deploy"):
            place.functions[name] = partial(self.wait, place)
        place.functions["judge"] = self.judge

    def wait(self, place: Bench, event: dict[str, Any]) -> dict[str, Any]:
        broken = self.broken.get(event.get("target") or event["step"])
        outcome = Outcome(failure=broken) if broken else Outcome(value=self.answer(event))
        assert place.tokens.answer(event["token"], outcome)
        return {}

    def judge(self, event: dict[str, Any]) -> dict[str, Any]:
        if event["redriven"]:
            return {}
        error = "JobFailedError"
        raise Failure(error, event["cause"])

    def answer(self, event: dict[str, Any]) -> dict[str, Any]:
        self.calls.append(event)
        config, target = event["config"], event.get("target")
        gives = {"label": "labels", "transform": "manifest", "train": "model", "publish": "component"}
        match event["kind"]:
            case "train":
                return {"model": artifact("model", n=config["hyperparameters"]), "metrics": {}, "gate": []}
            case "compile":
                return {"target": target, "artifact": artifact("compiled_model")}
            case "package":
                return {"package": {name: artifact("package") for name in event["inputs"]["compiled_model"]}}
            case "approve":
                return {"approval": {"by": "me", "comment": config["message"]}}
            case "deploy":
                name = config["wave"]["name"]
                facts = {"deployments": [{"id": name}], "devices": {name: {"status": "SUCCEEDED"}}}
                return {"wave": name, "deployment": artifact("deployment", **facts)}
        return {gives[event["kind"]]: artifact(gives[event["kind"]])}


def definition() -> dict[str, Any]:
    text = compile_text(TEXT, path="spec.yaml").definition
    found: dict[str, Any] = json.loads(
        substitute(text, {name: name.removesuffix("_function_arn") for name in markers(text)})
    )
    return found


def run(handlers: Handlers, params: dict[str, Any]) -> tuple[Any, list[str]]:
    with bench() as place:
        handlers.install(place)
        execution = place.start(definition(), {"params": params})
        ending = settle(execution)
        names = [
            event["stateEnteredEventDetails"]["name"]
            for event in execution.history.page(limit=1000)[0]
            if "stateEnteredEventDetails" in event
        ]
        assert "ExecutionStarted" in kinds(execution)
        return ending, names


def test_a_run_goes_through_lists_waves_and_an_approval() -> None:
    ending, names = run(Handlers(), {"stage": "prod"})
    assert ending.status == "SUCCEEDED", ending
    steps = json.loads(ending.output)["steps"]
    assert [each["facts"]["n"] for each in steps["many"]["model"]] == [{"n": 1}, {"n": 2}]
    assert steps["approve"] == {"approval": {"by": "me", "comment": "Ship?"}}
    assert steps["deploy"]["deployment"]["facts"] == {
        "deployments": [{"id": "canary"}, {"id": "line"}],
        "devices": {"canary": {"status": "SUCCEEDED"}, "line": {"status": "SUCCEEDED"}},
        "waves": ["canary", "line"],
    }
    assert names[-4:] == ["deploy (when)", "deploy (canary)", "deploy (line)", "Done"]
    assert names.index("approve") < names.index("deploy (when)")


def test_a_step_whose_condition_does_not_hold_is_skipped() -> None:
    ending, names = run(Handlers(), {})
    assert json.loads(ending.output)["steps"]["deploy"] == {"skipped": True}
    assert names[-2:] == ["deploy (when)", "Done"]


@pytest.mark.parametrize(
    ("params", "cause"),
    [
        ({"rate": 3}, "'rate' must be a number of at most 2"),
        ({"rate": "1"}, "'rate' must be a number of at most 2"),
        ({"rte": 1}, "there is no parameter rte"),
    ],
)
def test_wrong_parameters_end_the_run_before_its_first_step(params: dict[str, Any], cause: str) -> None:
    handlers = Handlers()
    ending, names = run(handlers, params)
    assert (ending.status, ending.error, ending.cause) == ("FAILED", "TaskInputError", cause)
    assert (names, handlers.calls) == (["Start", "Parameters", "Refused"], [])


def test_one_lost_target_hides_no_other_and_all_lost_fail_with_every_cause() -> None:
    handlers = Handlers()
    handlers.broken["arm64-cpu"] = Failure("JobFailedError", '{"errorMessage":"no space"}')
    ending, _ = run(handlers, {})
    outputs = json.loads(ending.output)["steps"]["compile"]
    assert outputs["failed"] == {"arm64-cpu": {"error": "JobFailedError", "cause": "no space"}}
    assert list(outputs["compiled_model"]) == ["x86_64-cpu"]
    handlers.broken["x86_64-cpu"] = Failure("JobFailedError", "also not")
    ending, names = run(handlers, {})
    assert (ending.status, ending.error) == ("FAILED", "JobFailedError")
    assert ending.cause == "2 of 2 targets failed: x86_64-cpu: also not; arm64-cpu: no space"
    assert names[-2:] == ["compile (judge)", "compile (failed)"]


def test_a_rejection_ends_the_run_in_plain_words() -> None:
    handlers = Handlers()
    handlers.broken["approve"] = Failure("RejectedError", "not today")
    ending, _ = run(handlers, {"stage": "prod"})
    assert (ending.status, ending.error, ending.cause) == ("FAILED", "RejectedError", "not today")


GOLDEN = Path(__file__).parents[1] / "golden"


def test_the_full_example_needs_few_transitions() -> None:
    states = json.loads(GOLDEN.joinpath("full", "asl.json").read_text(encoding="utf-8"))["States"]
    waves, targets = 2, 3
    on_the_way = set(states) - {"Refused", "compile (failed)"}
    assert len(on_the_way) - waves <= 20 - 1, "the states of a run, each entered once"
    assert len(states["compile"]["Items"]) == targets
    assert len(states["compile"]["ItemProcessor"]["States"]) == 1 + 1
