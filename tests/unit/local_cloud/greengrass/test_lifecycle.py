"""Skipif conditions and interpolated limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local_cloud.greengrass.errors import RecipeError
from local_cloud.greengrass.lifecycle import Step, is_skipped, parse_lifecycle

if TYPE_CHECKING:
    from pathlib import Path

CONDITIONS = [
    (None, False),
    ("onpath tool", True),
    ("onpath other", False),
    ("!onpath other", True),
    ("! onpath tool", False),
    ("exists {folder}/a file", True),
    ("exists {folder}/none", False),
    ("!exists {folder}/none", True),
]


@pytest.mark.parametrize(("condition", "expected"), CONDITIONS)
def test_skip_if(condition: str | None, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "tool").touch(mode=0o755)
    written = None if condition is None else condition.replace("{folder}", str(tmp_path))
    assert is_skipped(Step(name="Install", script="", skip_if=written), str(tmp_path)) is expected


def test_a_limit_may_be_a_variable() -> None:
    lifecycle = parse_lifecycle({"Startup": {"Script": "x", "Timeout": "{configuration:/limit}"}}, "L")
    assert lifecycle.interpolated(lambda text: text.replace("{configuration:/limit}", "9")).steps[
        "Startup"
    ].seconds == pytest.approx(9)
    with pytest.raises(RecipeError, match="number of seconds"):
        _ = lifecycle.steps["Startup"].seconds


def test_everything_that_may_hold_a_variable_is_interpolated() -> None:
    document = {
        "Setenv": {"A": "v"},
        "Install": {"Script": "v", "Setenv": {"B": "v"}, "Skipif": "exists v"},
    }
    changed = parse_lifecycle(document, "L").interpolated(lambda text: text.replace("v", "w"))
    step = changed.steps["Install"]
    assert (changed.setenv, step.script, step.setenv, step.skip_if) == (
        {"A": "w"},
        "w",
        {"B": "w"},
        "exists w",
    )
