"""The schemas are JSON Schema 2020-12, describe every key, and agree with our checker and with the kinds."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from pipelines import schema, shape, source
from pipelines.kinds import STEP_KINDS, TYPES
from pipelines.resolution import PARAM_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = sorted(path.relative_to(schema.FOLDER).as_posix() for path in schema.FOLDER.rglob("*.json"))
GOLDEN = Path(__file__).parents[1] / "golden"
DISPATCH = {"if", "then", "else", "allOf"}
"""Keywords that choose a step's schema by its kind: for editors; we choose by looking the kind up."""


def document(name: str) -> Any:
    return json.loads((schema.FOLDER / name).read_text(encoding="utf-8"))


@cache
def validator(name: str) -> Draft202012Validator:
    registry: Registry[Any] = Registry().with_resources(
        (f"https://edgepipe.invalid/{each}", Resource.from_contents(document(each))) for each in NAMES
    )
    return Draft202012Validator({"$ref": f"https://edgepipe.invalid/{name}"}, registry=registry)


def subschemas(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every schema in a schema; `properties` and `$defs` hold schemas by name."""
    if isinstance(value, list):
        for item in value:
            yield from subschemas(item)
    if isinstance(value, dict):
        yield value
        for key, item in value.items():
            if key in ("properties", "$defs"):
                for each in item.values():
                    yield from subschemas(each)
            elif key not in ("default", "examples", "enum", "const", "required"):
                yield from subschemas(item)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(document(name))
    assert document(name)["$id"].endswith(name)


@pytest.mark.parametrize("name", NAMES)
def test_our_checker_knows_every_keyword(name: str) -> None:
    known = shape.KEYWORDS | shape.ANNOTATIONS | {"$ref"} | DISPATCH
    used = {key for each in subschemas(document(name)) for key in each}
    assert used <= known


@pytest.mark.parametrize("name", NAMES)
def test_every_key_is_described_and_every_pattern_has_words(name: str) -> None:
    resolved = schema.load(name)
    for each in subschemas(resolved):
        assert ("pattern" in each) == ("patternErrorMessage" in each)
        for key, rule in each.get("properties", {}).items():
            assert rule.get("description") or "if" in rule or "const" in rule, f"{name}: {key}"


@pytest.mark.parametrize("name", NAMES)
def test_defaults_fit_their_own_schema(name: str) -> None:
    for each in subschemas(schema.load(name)):
        if "default" in each:
            Draft202012Validator(each).validate(each["default"])


def test_every_kind_has_a_schema_and_every_schema_a_kind() -> None:
    whole = document("pipeline.schema.json")
    assert {kind.schema for kind in STEP_KINDS.values()} == {
        name for name in NAMES if name.startswith("steps/")
    }
    assert list(whole["properties"]["steps"]["properties"]) == list(STEP_KINDS)
    assert whole["$defs"]["step"]["properties"]["uses"]["enum"] == list(STEP_KINDS)


def test_kinds_speak_of_known_types_and_keys() -> None:
    for kind in STEP_KINDS.values():
        keys = schema.load(kind.schema)["properties"]
        assert {*kind.takes, kind.gives} - {""} <= TYPES
        assert {kind.fan_out, *(rule.path_of for rule in kind.assets)} - {""} <= set(keys)
        assert {"uses", "needs", "inputs", "timeout"} <= set(keys)


def test_parameters_have_the_types_of_the_schema() -> None:
    rule = document("pipeline.schema.json")["properties"]["params"]["additionalProperties"]
    assert rule["properties"]["type"]["enum"] == list(PARAM_TYPES)


@pytest.mark.parametrize("case", sorted(path.parent.name for path in GOLDEN.glob("*/asl.json")))
def test_editors_accept_what_compiles(case: str) -> None:
    spec = yaml.safe_load(GOLDEN.joinpath(case, "pipeline.yaml").read_text(encoding="utf-8"))
    if case == "two-models":  # Core-schema scalars that PyYAML reads in its own, older way.
        spec["steps"]["fast"]["framework"]["version"] = "1.10"
        spec["steps"]["exact"]["hyperparameters"]["when"] = "2026-01-02"
    if "notify" in spec:  # A plain `on` is true in YAML 1.1.
        spec["notify"]["on"] = spec["notify"].pop(True)
    assert [error.message for error in validator("pipeline.schema.json").iter_errors(spec)] == []


@pytest.mark.parametrize("case", ["bad-keys", "bad-kinds"])
def test_editors_show_what_does_not_compile(case: str) -> None:
    spec = yaml.safe_load(GOLDEN.joinpath(case, "pipeline.yaml").read_text(encoding="utf-8"))
    assert list(validator("pipeline.schema.json").iter_errors(spec))


SCALARS = st.sampled_from(
    [
        *(None, True, False, 0, 1, -1, 0.5, 1.5, 99999, "", "x", "x\n", "é", "a" * 130),
        *("train.py", "../x.py", "2h", "0h", "1.4-2", "all", "hash", "ml.m5.xlarge", ">= 0.9", "sklearn"),
        *("s3://bucket/x", "thing/a", "x86_64-cpu", "folders", "${{ params.a }}", "com.example.x", "auto"),
        *("1.2.3", "triton"),
    ]
)


def step_bodies(kind: str) -> st.SearchStrategy[Any]:
    """Build bodies that use the kind's own keys, with values of any shape below them."""
    inner = {
        key for each in subschemas(schema.load(STEP_KINDS[kind].schema)) for key in each.get("properties", ())
    }
    keys = st.sampled_from([*sorted(inner), "unknown", "sagemaker_x"])
    values = st.recursive(
        SCALARS,
        lambda below: st.lists(below, max_size=3) | st.dictionaries(keys, below, max_size=4),
        max_leaves=8,
    )
    return st.dictionaries(keys, values, max_size=6)


@pytest.mark.parametrize("kind", STEP_KINDS)
@settings(max_examples=60)
@given(st.data())
def test_our_checker_agrees_with_jsonschema(kind: str, data: st.DataObject) -> None:
    body = data.draw(step_bodies(kind))
    node, mistakes = source.parse(json.dumps(body))
    assert node is not None
    assert mistakes == ()
    ours = shape.check(node, schema.load(STEP_KINDS[kind].schema), "the step")
    judge = validator(STEP_KINDS[kind].schema)
    if ours.diagnostics:
        assert not judge.is_valid(body), ours.diagnostics
    else:
        # We read a plain `on` or 1.10 as text where only text may stand; so what we read is compared.
        assert [error.message for error in judge.iter_errors(ours.value)] == []


def test_handlers_are_named_after_kinds() -> None:
    assert {name: kind.handler for name, kind in STEP_KINDS.items()} == {
        name: f"tasks.{name}.handler" for name in STEP_KINDS
    }
