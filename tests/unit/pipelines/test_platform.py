from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from pipelines import platform
from pipelines.kinds import STEP_KINDS


def test_every_kind_that_can_run_has_a_function() -> None:
    functions = platform.kind_functions()
    own = {name for name, kind in STEP_KINDS.items() if kind.own_function}
    assert set(functions) == set(STEP_KINDS) - own - {"serve"}


@pytest.mark.parametrize("handler", {**platform.kind_functions(), **platform.SERVICE_FUNCTIONS}.values())
def test_every_function_has_its_handler(handler: str) -> None:
    module, _, name = handler.rpartition(".")
    assert callable(getattr(importlib.import_module(module), name))


@pytest.mark.parametrize(
    ("pipeline", "step", "fits"), [("cookies", "audit", True), ("c" * 40, "s" * 40, False), ("c", "s", True)]
)
def test_custom_functions_have_names_that_lambda_takes(pipeline: str, step: str, fits: bool) -> None:
    name = platform.custom_function_name(pipeline, step)
    assert len(name) <= 64
    assert (name == f"edgepipe-{pipeline}-{step}") is fits


def test_long_names_stay_apart() -> None:
    one, other = (platform.custom_function_name("c" * 40, "s" * 39 + end) for end in "ab")
    assert one != other


def test_the_table_is_what_the_handlers_ask() -> None:
    asked = (Path(__file__).parents[3] / "tasks" / "jobs.py").read_text(encoding="utf-8")
    index = platform.JOBS_TABLE_SCHEMA["GlobalSecondaryIndexes"][0]["IndexName"]
    assert f'"{index}"' in asked
