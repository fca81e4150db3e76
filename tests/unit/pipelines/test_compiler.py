from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.compiler import Compiled, compile_text
from pipelines.diagnostics import SpecError
from tests.unit.pipelines.specs import COMPILE, LABEL, MODEL, TRAIN, mistakes, spec

GOLDEN = Path(__file__).parents[2] / "golden"
TEXT = GOLDEN.joinpath("two-models", "pipeline.yaml").read_text(encoding="utf-8")
LINES = TEXT.split("\n")


def outcome(text: str) -> Compiled | SpecError:
    try:
        return compile_text(text, path="x.yaml")
    except SpecError as error:
        return error


def check(text: str) -> None:
    """Whatever the text, the outcome is a definition or mistakes that can be shown."""
    found = outcome(text)
    if isinstance(found, SpecError):
        assert found.diagnostics
        assert str(found).startswith("x.yaml:")
    else:
        assert found.definition.startswith("{")


@given(st.text())
def test_any_text_compiles_or_has_mistakes(text: str) -> None:
    check(text)


@settings(max_examples=200)
@given(
    st.integers(0, len(TEXT)),
    st.integers(0, 30),
    st.text(st.sampled_from("ab: -[]{}\"'$%~0.,\n&*"), max_size=6),
)
@example(0, 0, "")
def test_any_edit_of_a_good_spec_compiles_or_has_mistakes(place: int, length: int, new: str) -> None:
    check(TEXT[:place] + new + TEXT[place + length :])


@settings(max_examples=60)
@given(st.permutations(range(len(LINES))))
def test_any_order_of_lines_compiles_or_has_mistakes(order: list[int]) -> None:
    check("\n".join(LINES[index] for index in order))


SHAPES = st.recursive(
    st.sampled_from(
        [None, True, 0, 1.5, "x", "${{ params.a }}", "${{ steps.label.labels }}", "label", "s3://b/x"]
    ),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["label", "x"]), inner, max_size=2)
    ),
    max_leaves=5,
)
KEYS = [
    "method",
    "dataset",
    "labels",
    "uses",
    "needs",
    "inputs",
    "timeout",
    "split",
    "gate",
    "targets",
    "components",
]


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(["label", "transform", "deploy", "a-b"]),
        st.dictionaries(st.sampled_from(KEYS), SHAPES),
    ),
    SHAPES,
)
def test_any_shape_compiles_or_has_mistakes(steps: object, params: object) -> None:
    import yaml

    check(yaml.safe_dump({"version": 1, "name": "x", "usecase": "y", "params": params, "steps": steps}))


@pytest.mark.parametrize("ending", ["\r\n", "\r"])
def test_line_ends_change_nothing(ending: str) -> None:
    assert compile_text(TEXT.replace("\n", ending), path="x") == compile_text(TEXT, path="x")


def test_the_order_of_keys_changes_nothing_but_line_numbers() -> None:
    turned = '  train: {framework: {version: "1", name: sklearn}, script: train.py}\n'
    plain = '  train: {script: train.py, framework: {name: sklearn, version: "1"}}\n'
    assert plain in MODEL
    one, other = (compile_text(spec(text), path="x") for text in (MODEL, MODEL.replace(plain, turned)))
    assert one.definition == other.definition


def test_hash_seeds_change_nothing() -> None:
    program = (
        "import sys\nfrom pipelines.compiler import compile_text\n"
        "from pipelines.diagnostics import SpecError\n"
        "for path in sys.argv[1:]:\n"
        "    text = open(path, encoding='utf-8').read()\n"
        "    try: print(compile_text(text, path='x').definition)\n"
        "    except SpecError as error: print(error)\n"
    )
    paths = [str(path) for path in sorted(GOLDEN.glob("*/pipeline.yaml"))]
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program, *paths],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "4242")
    }
    assert len(outputs) == 1


def test_a_definition_beyond_the_limit_is_refused() -> None:
    quotes = "'" + '"' * 1000 + "'"
    hyperparameters = ", ".join(f"k{number}: {quotes}" for number in range(90))
    train = TRAIN.replace("{script", f"{{uses: train, hyperparameters: {{{hyperparameters}}}, script")
    text = spec(MODEL + "".join(train.replace("train:", f"train{number}:", 1) for number in range(7)))
    assert len(text) < 1_000_000
    assert [item.code for item in mistakes(text)] == ["P040"]


def test_functions_name_their_handlers() -> None:
    assert compile_text(spec(LABEL), path="x").functions == {"label": "tasks.label.handler"}
    assert compile_text(spec(MODEL + COMPILE), path="x").functions == {
        **{kind: f"tasks.{kind}.handler" for kind in ("label", "transform", "train", "compile")},
        "judge": "tasks.judge.handler",
    }
