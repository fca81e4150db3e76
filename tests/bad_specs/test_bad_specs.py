"""Every bad spec gives exactly the codes and places it must, and each message says what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipelines import source
from pipelines.compiler import compile_text
from pipelines.diagnostics import Diagnostic, SpecError
from tests.bad_specs import meaning, reading, shapes, steering
from tests.bad_specs.case import GOOD, Case

ROOT = Path(__file__).parents[2]
CASES = (*reading.CASES, *shapes.CASES, *meaning.CASES, *steering.CASES)
REMEDY = re.compile(
    r"\bmust\b|\bmay have\b|\bcan have no\b|; it is one of |is longer than|not to 1$|only these are shown$"
    r"|there is no for_each$|there is none here$"
)
"""A message that names what would be right needs no sentence of advice behind it."""


def mistakes(text: str | bytes) -> tuple[Diagnostic, ...]:
    """Return what is wrong with a spec; scripts called missing.py do not exist."""
    try:
        if isinstance(text, bytes):
            text = source.decode(text, path="spec.yaml")
        compile_text(text, path="spec.yaml", exists=lambda name: name != "missing.py")
    except SpecError as error:
        return error.diagnostics
    return ()


def places(found: tuple[Diagnostic, ...]) -> tuple[str, ...]:
    return tuple(f"{item.code} {item.span.line}:{item.span.column}" for item in found)


def test_the_good_spec_is_good() -> None:
    assert mistakes(GOOD) == ()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_spec(case: Case) -> None:
    found = mistakes(case.text)
    assert places(found) == case.expected
    helpless = [item.message for item in found if not item.hint and not REMEDY.search(item.message)]
    assert helpless == []


def test_there_are_many_cases_and_no_two_alike() -> None:
    assert len(CASES) >= 120
    assert len({case.name for case in CASES}) == len({case.text for case in CASES}) == len(CASES)
    assert [case.name for case in CASES if not case.expected] == []


def test_every_code_has_a_case() -> None:
    modules = [ROOT / "cli.py", *ROOT.glob("pipelines/**/*.py")]
    named = {code for path in modules for code in re.findall(r'"(P\d{3})"', path.read_text("utf-8"))}
    tried = {place.split()[0] for case in CASES for place in case.expected}
    assert named - tried == set()
