"""Every case on every runner: ours as expected, the others too, or in the table of disagreements."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import sfnx.testing
from botocore.exceptions import ClientError

from tests.conformance.cases import CASES, TRACED, Traced
from tests.conformance.disagreements import DISAGREEMENTS
from tests.conformance.runners import Result, expected, run_moto, run_ours, run_sfnx
from tests.unit.local_cloud.engine.cases import Case, Fails
from tests.unit.local_cloud.engine.test_interpreter import functions

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_our_engine(case: Case) -> None:
    result, _, cause = run_ours(case)
    assert result == expected(case), cause
    if isinstance(case.expected, Fails):
        assert (case.expected.cause or "") in cause


@pytest.mark.parametrize("traced", TRACED, ids=lambda traced: traced.case.about)
def test_the_events_of_a_history(traced: Traced) -> None:
    _, events, _ = run_ours(traced.case)
    assert tuple(events) == traced.events


def test_sfnx_agrees_except_where_a_page_settles_it() -> None:
    compare(
        "sfnx",
        run_sfnx,
        (sfnx.testing.Unsupported, sfnx.testing.InvalidDefinition, RecursionError, ArithmeticError),
    )


@pytest.mark.soak
def test_moto_agrees_except_where_a_page_settles_it() -> None:
    pytest.importorskip("antlr4", reason="moto's interpreter needs moto[stepfunctions]")
    from tests.conformance.moto_patches import answer_token, patched_moto

    def run(case: Case) -> Result:
        answers: dict[str, Callable[[Any], Any]] = {
            "answer": lambda payload: answer_token(payload["token"], output='{"done": true}'),
            "decline": lambda payload: answer_token(payload["token"], error="Declined", cause="no"),
        }
        with patched_moto({**functions(), **answers}):
            return run_moto(case)

    compare("moto", run, (ClientError,))


def compare(runner: str, run: Callable[[Case], Result], refusals: tuple[type[Exception], ...]) -> None:
    """Fail on a disagreement that is not listed, and on a listed one that is none."""
    listed = Counter(about for each in DISAGREEMENTS if each.runner == runner for about in each.cases)
    found: dict[str, str] = {}
    for case in CASES:
        try:
            result = run(case)
        except refusals as error:
            found[case.about] = f"{type(error).__name__}: {error}"
            continue
        if result != expected(case):
            found[case.about] = f"{result} is not {expected(case)}"
    unlisted = {about: said for about, said in found.items() if about not in listed}
    stale = [about for about in listed if about not in found]
    assert (unlisted, stale) == ({}, []), "\n".join(f"{about}: {said}" for about, said in unlisted.items())


def test_the_table_is_long_and_its_rows_have_names_of_their_own() -> None:
    assert len({case.about for case in CASES}) == len(CASES) >= 150
    assert all(each.page.startswith("https://docs.aws.amazon.com/") and each.why for each in DISAGREEMENTS)
    assert {about for each in DISAGREEMENTS for about in each.cases} <= {case.about for case in CASES}
