"""Every code has a page, and every page tells the truth about the compiler."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from local_cloud import fleet
from pipelines import explanation
from pipelines.compiler import compile_text
from pipelines.diagnostics import SpecError
from tests.unit.pipelines.specs import codes

PIPELINES = Path(explanation.__file__).parent
FLEET = Path(fleet.__file__)
COLUMNS = 80


def codes_in_use() -> set[str]:
    """Return every diagnostic code that stands as a text of its own in the compiler or the fleet's reader."""
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in (FLEET, *PIPELINES.rglob("*.py")))
    texts = {
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {text for text in texts if re.fullmatch(r"[PD]\d{3}", text)}


def mistakes(code: str, text: str) -> list[str]:
    """Return the codes of what is wrong with an example: a D stands for devices.yaml, a P for a pipeline."""
    if code.startswith("P"):
        return codes(text)
    try:
        fleet.parse_fleet(text, path="devices.yaml")
    except SpecError as error:
        return [each.code for each in error.diagnostics]
    return []


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert len(codes_in_use()) > 25
    assert set(explanation.codes()) == codes_in_use()


@pytest.mark.parametrize("code", sorted(codes_in_use()))
def test_the_bad_example_has_this_mistake_and_the_good_one_none(code: str) -> None:
    page = explanation.read(code)
    assert page.code == code
    assert code in mistakes(code, explanation.expand(page.bad))
    good = explanation.expand(page.good)
    assert mistakes(code, good) == []
    if code.startswith("P"):
        assert compile_text(good, path="spec.yaml").pipeline.steps != ()


@pytest.mark.parametrize("code", explanation.codes())
def test_a_page_fits_a_terminal(code: str) -> None:
    shown = explanation.render(explanation.read(code))
    assert [line for line in shown.split("\n") if len(line) > COLUMNS] == []
    assert [line for line in explanation.render_list().split("\n") if len(line) > COLUMNS] == []


def test_titles_tell_pages_apart() -> None:
    titles = [explanation.read(code).title for code in explanation.codes()]
    assert len(set(titles)) == len(titles)
