"""The one document for editors says of a spec what the separate files say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from pipelines import bundle
from pipelines.bundle import UnknownKindError
from pipelines.kinds import STEP_KINDS

GOLDEN = Path(__file__).parents[2] / "golden"
GOOD = sorted(path.parent.name for path in GOLDEN.glob("*/asl.json"))
WHOLE = Draft202012Validator(bundle.build())


def references(value: Any) -> set[str]:
    if isinstance(value, list):
        return {each for item in value for each in references(item)}
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own | {each for item in value.values() for each in references(item)}


@pytest.mark.parametrize("kind", [None, *STEP_KINDS])
def test_it_needs_no_other_file(kind: str | None) -> None:
    document = bundle.build(kind)
    Draft202012Validator.check_schema(document)
    assert {each[:1] for each in references(document)} <= {"#"}
    assert bundle.render(kind) == bundle.render(kind)


@pytest.mark.parametrize("case", GOOD)
def test_what_compiles_is_accepted(case: str) -> None:
    spec = yaml.safe_load(GOLDEN.joinpath(case, "pipeline.yaml").read_text(encoding="utf-8"))
    if case == "two-models":  # Core-schema scalars that PyYAML reads in its own, older way.
        spec["steps"]["fast"]["framework"]["version"] = "1.10"
        spec["steps"]["exact"]["hyperparameters"]["when"] = "2026-01-02"
    if "notify" in spec:  # A plain `on` is true in YAML 1.1.
        spec["notify"]["on"] = spec["notify"].pop(True)
    assert [error.message for error in WHOLE.iter_errors(spec)] == []


@pytest.mark.parametrize("case", ["bad-keys", "bad-kinds"])
def test_what_does_not_compile_is_shown(case: str) -> None:
    spec = yaml.safe_load(GOLDEN.joinpath(case, "pipeline.yaml").read_text(encoding="utf-8"))
    assert list(WHOLE.iter_errors(spec))


def test_one_kinds_schema_is_of_its_steps() -> None:
    judge = Draft202012Validator(bundle.build("compile"))
    assert judge.is_valid({"targets": ["x86_64-cpu"]})
    assert not judge.is_valid({"targets": ["abacus"]})


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UnknownKindError, match="Did you mean 'train'"):
        bundle.build("trian")
