"""A recipe is read in either notation, and every broken rule is named with its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.greengrass.errors import RecipeError
from local_cloud.greengrass.recipe import MAX_BYTES, parse_recipe

MINIMAL: dict[str, Any] = {
    "RecipeFormatVersion": "2020-01-25",
    "ComponentName": "com.example.App",
    "ComponentVersion": "1.0.0",
    "Manifests": [{}],
}

FULL = """
RecipeFormatVersion: 2020-01-25
componentname: com.example.App
ComponentVersion: 1.2.3-rc.1
ComponentConfiguration:
  DefaultConfiguration:
    Port: 8080
ComponentDependencies:
  com.example.Server: {VersionRequirement: ">= 1.0.0 < 2.0.0"}
  com.example.Log: {versionrequirement: ^2, dependencytype: soft}
Manifests:
  - Name: arm
    Platform: {os: linux, architecture: /aarch64|arm/}
    Artifacts:
      - URI: s3://bucket/a/b c?#1.zip
        Unarchive: zip
        Permission: {Read: ALL, Execute: owner}
    Lifecycle:
      Setenv: {A: 1, B: true}
      install: pip --version
      Startup: {Script: run me, Timeout: "30", RequiresPrivilege: "false", Skipif: exists /x}
  - Lifecycle: {Run: exec app}
"""


def test_every_part_is_read() -> None:
    recipe = parse_recipe(FULL)
    assert (recipe.name, recipe.version, recipe.kind) == (
        "com.example.App",
        "1.2.3-rc.1",
        "aws.greengrass.generic",
    )
    assert recipe.configuration == {"Port": 8080}
    assert [(each.name, each.requirement, each.hard) for each in recipe.dependencies] == [
        ("com.example.Server", ">= 1.0.0 < 2.0.0", True),
        ("com.example.Log", "^2", False),
    ]
    first, second = recipe.manifests
    (artifact,) = first.artifacts
    assert artifact.uri == "s3://bucket/a/b c?#1.zip"
    assert (artifact.file_name, artifact.unarchive, artifact.executable) == ("b c?#1.zip", True, True)
    assert first.lifecycle.setenv == {"A": "1", "B": "true"}
    assert first.lifecycle.steps["Install"].script == "pip --version"
    assert first.lifecycle.steps["Install"].seconds == 120
    assert first.lifecycle.steps["Startup"].seconds == 30
    assert first.lifecycle.steps["Startup"].skip_if == "exists /x"
    assert second.lifecycle.steps["Run"].seconds is None


def test_json_and_yaml_mean_the_same() -> None:
    document = yaml.safe_load(FULL.replace("2020-01-25", "'2020-01-25'"))
    assert parse_recipe(json.dumps(document)) == parse_recipe(FULL)


def with_manifest(**manifest: object) -> dict[str, Any]:
    return {"Manifests": [manifest]}


def with_step(step: object) -> dict[str, Any]:
    return with_manifest(Lifecycle={"Install": step})


BROKEN: list[tuple[dict[str, Any], str]] = [
    ({"RecipeFormatVersion": "2021-01-01"}, "RecipeFormatVersion"),
    ({"ComponentName": "a b"}, "ComponentName"),
    ({"ComponentName": "a" * 129}, "ComponentName"),
    ({"ComponentName": 7}, "must be text"),
    ({"ComponentVersion": "1.0"}, "semantic version"),
    ({"ComponentVersion": "1000000.0.0"}, "999999"),
    ({"ComponentVersion": "1.0.0-" + "a" * 60}, "longer than 64"),
    ({"ComponentTypo": "x"}, "ComponentType"),
    ({"componentname": "com.example.App"}, "twice"),
    ({"ComponentType": "aws.greengrass.other"}, "ComponentType"),
    ({"ComponentDependencies": {"a": {}}}, "VersionRequirement is missing"),
    ({"ComponentDependencies": {"a": {"VersionRequirement": "about 1"}}}, "npm range"),
    ({"ComponentDependencies": {"a": {"VersionRequirement": "1", "DependencyType": "FIRM"}}}, "HARD, SOFT"),
    ({"ComponentConfiguration": {"Defaults": {}}}, "DefaultConfiguration"),
    ({"Manifests": []}, "at least one manifest"),
    ({"Manifests": {}}, "must be a list"),
    (with_manifest(Platform={"os": 1}), r"Manifests\[0\]\.Platform\.os"),
    (with_manifest(Platform={"os": "/(/"}), "regular expression"),
    (with_manifest(Artifacts=[{"URI": "https://x/y"}]), "S3 address"),
    (with_manifest(Artifacts=[{"URI": "s3://bucket/"}]), "file name"),
    (with_manifest(Artifacts=[{"URI": "s3://bucket/a/.."}]), "file name"),
    (with_manifest(Artifacts=[{"URI": "s3://b/1/x"}, {"URI": "s3://b/2/x"}]), "two artifacts"),
    (with_manifest(Artifacts=[{"URI": "s3://b/x", "Unarchive": "TAR"}]), "NONE, ZIP"),
    (with_manifest(Artifacts=[{"URI": "s3://b/x", "Permission": {"Read": "SOME"}}]), "Permission.Read"),
    (with_manifest(Lifecycle={"Start": "x"}), "did you mean Startup"),
    (with_manifest(Lifecycle={"Startup": "x", "Run": "y"}), "both Startup and Run"),
    (with_manifest(Selections=[1]), "Selections"),
    (with_step({"Timeout": 3}), "Script is missing"),
    (with_step({"Script": "x", "Timeout": 0}), "more than 0"),
    (with_step({"Script": "x", "Timeout": "soon"}), "number of seconds"),
    (with_step({"Script": "x", "Timeout": True}), "number of seconds"),
    (with_step({"Script": "x", "Skipif": "maybe"}), "onpath PROGRAM"),
    (with_step({"Script": "x", "Setenv": {"A=B": "1"}}), "environment variable"),
    (with_step({"Script": "x", "Setenv": {"A": []}}), "Setenv.A"),
    (with_step({"Script": "x", "RequiresPrivilege": "perhaps"}), "RequiresPrivilege"),
    (with_step(["x"]), "must be an object"),
]


@pytest.mark.parametrize(("changes", "message"), BROKEN)
def test_a_broken_rule_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(json.dumps({**MINIMAL, **changes}))


UNREADABLE = [
    ("", "must be an object"),
    ("[1]", "must be an object"),
    ("{", "neither JSON nor YAML"),
    ("a: b: c", "neither JSON nor YAML"),
    ('{"a": 1, "a": 2}', "twice"),
    ("a: 1\na: 2", "twice"),
    ("a: &x 1\nb: *x", "aliases"),
    ('{"a": NaN}', "NaN"),
    ("1: 2", "must be text"),
    ("[" * 9000, "nested too deeply|neither"),
    ("!!python/object/apply:os.system [id]", "neither JSON nor YAML"),
    (" " * (MAX_BYTES + 1), "limit is 16000"),
]


@pytest.mark.parametrize(("text", "message"), UNREADABLE)
def test_an_unreadable_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        parse_recipe(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(["ComponentDependencies", "ComponentConfiguration", "Manifests", "Lifecycle"]), JSON)
def test_any_document_is_read_or_refused(key: str, value: object) -> None:
    try:
        recipe = parse_recipe(json.dumps({**MINIMAL, key: value}))
    except RecipeError:
        return
    assert recipe.name == "com.example.App"


SELECTED = [
    ({"Install": "a"}, ["all"], "a"),
    ({"all": {"Install": "a"}}, ["all"], "a"),
    ({"linux": {"Install": "a"}, "all": {"Install": "b"}}, ["linux"], "a"),
    ({"windows": {"Install": "a"}, "all": {"Install": "b"}}, ["linux"], "b"),
    ({"Install": {"linux": {"Script": "a"}, "all": {"Script": "b"}}}, ["linux"], "a"),
    ({"Install": {"Script": {"linux": "a", "all": "b"}}}, ["linux"], "a"),
    ({"Install": {"windows": {"Script": "a"}}}, ["linux"], None),
]


@pytest.mark.parametrize(("lifecycle", "selections", "script"), SELECTED)
def test_selections_pick_from_the_global_lifecycle(
    lifecycle: object, selections: list[str], script: str | None
) -> None:
    changes = {"Lifecycle": lifecycle, **with_manifest(Selections=selections)}
    (manifest,) = parse_recipe(json.dumps({**MINIMAL, **changes})).manifests
    step = manifest.lifecycle.steps.get("Install")
    assert (step.script if step else None) == script


def test_a_manifest_prefers_its_own_lifecycle() -> None:
    changes = {"Lifecycle": {"Install": "common"}, **with_manifest(Lifecycle={"Install": "own"})}
    (manifest,) = parse_recipe(json.dumps({**MINIMAL, **changes})).manifests
    assert manifest.lifecycle.steps["Install"].script == "own"
