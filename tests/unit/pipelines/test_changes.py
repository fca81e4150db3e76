"""What differs between two versions of a pipeline."""

from __future__ import annotations

import json

import pytest

from pipelines import changes, machine, policies
from pipelines.changes import ABSENT, Version
from tests.unit.pipelines.specs import COMPILE, LABEL, MODEL, TRANSFORM, build

PARAMS = "  size: {type: integer, default: 3}\n"
WITH_PARAM = MODEL.replace('version: "1"}', 'version: "1"}, hyperparameters: {n: "${{ params.size }}"}')


def version(steps: str, params: str = "", **digests: str) -> Version:
    return Version(machine=machine.parse(build(steps, params).definition), digests=digests or None)


def reruns(new: Version, old: Version | None) -> dict[str, str]:
    return {each.step: each.reason for each in changes.find_reruns(new, old)}


def test_a_version_does_not_differ_from_itself() -> None:
    one, other = version(MODEL + COMPILE), version("\n" + MODEL + "\n" + COMPILE)
    assert changes.compare_states(one.machine, other.machine) == ()
    assert changes.compare_rights(policies.derive(one.machine), policies.derive(other.machine)) == ()
    assert reruns(one, other) == {}


def test_against_nothing_everything_is_new() -> None:
    found = changes.compare_states(version(LABEL).machine, None)
    assert {change.action for change in found} == {"added"}
    assert reruns(version(LABEL + TRANSFORM), None) == {"label": "it is new", "transform": "it is new"}


def test_a_value_that_changed_is_named() -> None:
    new = version(MODEL.replace('version: "1"', 'version: "2"')).machine
    (change,) = changes.compare_states(new, version(MODEL).machine)
    assert (change.state, change.action) == ("train", "changed")
    (field,) = change.fields
    assert (field.path, field.old, field.new) == ("Arguments.Payload.config.framework.version", "1", "2")


def test_states_come_and_go() -> None:
    found = changes.compare_states(version(LABEL + TRANSFORM).machine, version(LABEL).machine)
    assert [(each.state, each.action) for each in found if each.action != "changed"] == [
        ("transform", "added")
    ]
    found = changes.compare_states(version(LABEL).machine, version(LABEL + TRANSFORM).machine)
    assert [(each.state, each.action) for each in found if each.action != "changed"] == [
        ("transform", "removed")
    ]


def test_a_step_whose_states_come_and_go_runs_again() -> None:
    one = "  deploy: {inputs: {component: s3://bucket/x}, targets: [thing/a]}\n"
    waves = one.replace(
        "targets: [thing/a]", "waves: [{name: W, targets: [thing/a]}, {name: all, targets: [thing/b]}]"
    )
    first, second = version(waves.replace("W", "canary")), version(waves.replace("W", "pilot"))
    assert reruns(first, version(one)) == {"deploy": "deploy (all), deploy (canary) are new"}
    assert reruns(second, first) == {"deploy": "deploy (pilot) is new"}


def test_a_state_inside_a_map_is_compared_by_its_own_name() -> None:
    new = version(MODEL + COMPILE.replace("]}", "], instance: ml.m5.large}")).machine
    found = changes.compare_states(new, version(MODEL + COMPILE).machine)
    assert [each.state for each in found] == ["compile (target)"]


@pytest.mark.parametrize(
    ("new", "old", "paths"),
    [
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": []}, {"a": {}}, ["a"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a[1]"]),
        ({"a": {"b": 1}}, {"a": {}}, ["a.b", "a"]),
        ({"Comment": "x", "a": 1}, {"Comment": "y", "a": 1}, []),
        ({"a": None, "b": 1}, {"b": 1}, ["a"]),
    ],
)
def test_fields_are_named_by_their_path(new: object, old: object, paths: list[str]) -> None:
    one, other = ({"State": {"Type": "Pass", "x": value}} for value in (new, old))
    found = changes.differences(json.loads(json.dumps(one)), json.loads(json.dumps(other)))
    assert [field.path.removeprefix("State.x.").removeprefix("State.x") for field in found] == paths


def test_an_absent_value_is_said_to_be_absent() -> None:
    (field,) = changes.differences({"a": 1, "b": 2}, {"a": 1})
    assert (field.old, field.new) == (ABSENT, 2)


def test_what_comes_after_a_changed_step_runs_again() -> None:
    steps = MODEL + COMPILE + "  package: {}\n"
    new = version(steps.replace('version: "1"', 'version: "2"'))
    assert reruns(new, version(steps)) == {
        "train": "train.config.framework.version changed",
        "compile": "train runs again",
        "package": "compile runs again",
    }


def test_a_default_that_changed_runs_those_that_read_it() -> None:
    new, old = version(WITH_PARAM, PARAMS.replace("3", "4")), version(WITH_PARAM, PARAMS)
    assert reruns(new, old) == {"train": "params.size changed"}


def test_a_timeout_is_no_reason_to_run_again() -> None:
    new = version(MODEL + COMPILE.replace("]}", "], max_runtime: 1h, timeout: 2h}"))
    old = version(MODEL + COMPILE.replace("]}", "], max_runtime: 1h}"))
    assert changes.compare_states(new.machine, old.machine)
    assert reruns(new, old) == {}


def test_targets_that_changed_are_a_reason() -> None:
    new = version(MODEL + COMPILE.replace("x86_64-cpu, ", ""))
    assert list(reruns(new, version(MODEL + COMPILE))) == ["compile"]


def test_files_that_changed_are_a_reason_where_they_are_known() -> None:
    old = version(MODEL, asset_train_source="1")
    assert reruns(version(MODEL, asset_train_source="2"), old) == {
        "train": "the files of asset_train_source changed"
    }
    assert reruns(version(MODEL), old) == {}


def test_rights_are_compared_one_by_one() -> None:
    new, old = (policies.derive(version(steps).machine) for steps in (LABEL + TRANSFORM, LABEL))
    found = changes.compare_rights(new, old)
    assert ("state machine", "added", "lambda:InvokeFunction", "${transform_function_arn}") in [
        (each.role, each.action, each.right, each.resource) for each in found
    ]
    assert {each.action for each in changes.compare_rights(old, new)} == {"removed"}
