from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import nodes
from pipelines.diagnostics import START
from pipelines.nodes import plain_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-17", -17),
        ("+3", 3),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("1e-3", 0.001),
        ("9007199254740991", 9007199254740991),
    ],
)
def test_core_scalars_have_values(text: str, value: object) -> None:
    assert plain_value(text) == value
    assert type(plain_value(text)) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        *("on", "off", "yes", "no", "y", "n", "None", "nil"),
        *("012345670123", "0x1F", "0o17", "0b1", "1_000", "00", "-01"),
        *("2026-01-02", "12:30:00", "1:2", "1.10.0", "1.4-2"),
        *(".inf", "-.inf", ".nan", "inf", "nan", "1e400", "e5", ".", "+", "-"),
        *("9007199254740992", "-99999999999999999999", "9" * 5000, "0." + "1" * 5000, "١٢", "²"),
    ],
)
def test_everything_else_stays_what_was_written(text: str) -> None:
    assert plain_value(text) == text


@pytest.mark.parametrize(
    ("text", "beyond"),
    [
        *((text, True) for text in (".nan", ".NaN", ".inf", "-.Inf", "+.INF", "1e400", "9" * 400)),
        *((text, False) for text in ("nan", "inf", "-.nan", "1e308", "30", "1.10", "1_000", "9" * 20, "")),
    ],
)
def test_some_numbers_are_beyond_json(text: str, beyond: bool) -> None:
    node = nodes.ScalarNode(text=text, raw=text, quoted=False, span=START)
    assert node.is_beyond_json == beyond
    assert not replace(node, quoted=True).is_beyond_json


@given(st.text())
def test_every_scalar_has_a_json_value(text: str) -> None:
    value = plain_value(text)
    assert value is None or isinstance(value, str | bool | int | float)
    assert not isinstance(value, float) or math.isfinite(value)


def test_finding_leaves_the_text_without_an_error() -> None:
    assert nodes.find(None, "a") is None
    assert nodes.entries(None) == ()
    assert nodes.items(None) == ()
