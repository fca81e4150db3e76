"""docs/spec.md says what the schemas say today, and its example is a spec."""

from __future__ import annotations

import pytest

from pipelines import documentation, explanation, schema
from pipelines.compiler import compile_text
from pipelines.kinds import STEP_KINDS
from pipelines.spec import COMMON_KEYS

PAGE = documentation.render()


def test_the_page_is_fresh() -> None:
    written = documentation.PAGE.read_text(encoding="utf-8")
    assert written == PAGE, "run: python -m pipelines.documentation"


def test_the_example_compiles() -> None:
    text = documentation.GUIDES.joinpath("example.yaml").read_text(encoding="utf-8")
    compiled = compile_text(text, path="example.yaml")
    assert len(compiled.pipeline.steps) == 8
    assert text in PAGE


@pytest.mark.parametrize("kind", STEP_KINDS)
def test_every_kind_has_a_section_with_its_keys(kind: str) -> None:
    section = PAGE.split(f"### `{kind}`\n")[1].split("\n### ")[0].split("\n## ")[0]
    own = set(schema.load(STEP_KINDS[kind].schema)["properties"]) - set(COMMON_KEYS)
    assert [key for key in own if f"| `{key}` |" not in section] == []


def test_every_diagnostic_is_listed() -> None:
    assert [code for code in explanation.codes("P") if f"| {code} |" not in PAGE] == []


def test_tables_have_as_many_cells_as_columns() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} <= {3, 5}
