from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines import asl
from tests.unit.pipelines.specs import COMPILE, LABEL, MODEL, build

ALL = MODEL + COMPILE + "  package:\n  publish: {component: com.example.x}\n  deploy: {targets: [thing/a]}\n"


def states(steps: str = ALL, params: str = "", path: str = "spec.yaml") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(build(steps, params, path).definition)["States"]
    return found


def tasks(found: dict[str, Any]) -> dict[str, Any]:
    inner = {
        k: v for s in found.values() if s["Type"] == "Map" for k, v in s["ItemProcessor"]["States"].items()
    }
    return {name: state for name, state in {**found, **inner}.items() if state["Type"] == "Task"}


def test_every_task_can_end() -> None:
    for name, state in tasks(states()).items():
        assert {"TimeoutSeconds", "Retry"} <= set(state), name
        assert ("Catch" in state) == (name == "compile (target)"), name
        waits = state["Resource"].endswith(".waitForTaskToken")
        assert waits == ("HeartbeatSeconds" in state) == ("token" in state["Arguments"]["Payload"])


@pytest.mark.parametrize(("timeout", "heartbeat"), [("1m", 59), ("15m", 899), ("16m", 900), ("5d", 900)])
def test_a_heartbeat_is_shorter_than_the_timeout(timeout: str, heartbeat: int) -> None:
    found = states(MODEL.replace("train: {", f"train: {{timeout: {timeout}, "))
    assert found["train"]["HeartbeatSeconds"] == heartbeat


def test_a_job_ends_within_what_sagemaker_allows() -> None:
    found = states(MODEL.replace("train: {", "train: {timeout: 60d, "))
    config = found["train"]["Arguments"]["Payload"]["config"]
    assert config["max_runtime_seconds"] == 28 * 86400


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("examples/cookies/pipeline.yaml", "examples/cookies/pipeline.yaml:5"),
        ("a\\b.yaml", "a/b.yaml:5"),
        ("/specs/x/b.yaml", "b.yaml:5"),
        ("C:\\x\\b.yaml", "b.yaml:5"),
        ("${x}{% y %}.yaml", "__x___ y __.yaml:5"),
    ],
)
def test_a_comment_says_where_the_step_stands(path: str, shown: str) -> None:
    assert states(LABEL, path=path)["label"]["Comment"] == shown


def test_unknown_parameters_are_refused_even_where_there_are_none() -> None:
    found = states(LABEL)
    assert found["Start"]["Next"] == "Parameters"
    assert found["Parameters"]["Choices"][0]["Next"] == "label"
    assert found["Parameters"]["Default"] == "Refused"


def test_components_are_named_in_full() -> None:
    steps = ALL.replace("[thing/a]", "[thing/a], components: {local_server: {port: 0}, com.x.y: {}}")
    config = states(steps)["deploy"]["Arguments"]["Payload"]["config"]
    assert config["components"] == {"com.edgepipe.LocalServer": {"port": 0}, "com.x.y": {}}


def test_assets_say_where_their_files_are() -> None:
    compiled = build(ALL.replace("train.py", "src/train.py"))
    assert [(asset.marker, asset.root, asset.path) for asset in compiled.assets] == [
        ("asset_train_source", "spec", "src"),
        ("asset_package_runtime", "platform", "edge_components/model"),
    ]
    assert {asset.marker for asset in compiled.assets} <= set(compiled.markers)


def test_a_script_beside_the_spec_has_the_specs_folder() -> None:
    assert build(MODEL).assets[0].path == "."


def test_names_of_variables_and_markers_have_no_dash() -> None:
    compiled = build(MODEL.replace("train: {", "learn-it: {uses: train, "))
    assert "asset_learn_it_source" in compiled.markers
    assert "$step_learn_it" in compiled.definition
    assert asl.comment("x", 1) == "x:1"
