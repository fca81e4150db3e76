"""Resets come before merges, and only changes are kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.greengrass.configuration import look_up, overlay, update
from local_cloud.greengrass.errors import DeploymentError

UPDATES: list[tuple[dict[str, Any], list[str], dict[str, Any], dict[str, Any]]] = [
    ({}, [], {"a": 1}, {"a": 1}),
    ({"a": {"b": 1}}, [], {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
    ({"a": {"b": 1}}, [], {"a": 2}, {"a": 2}),
    ({"a": 1}, [], {"a": {"b": 2}}, {"a": {"b": 2}}),
    ({"a": [1, 2]}, [], {"a": [3]}, {"a": [3]}),
    ({"a": 1}, [], {"a": None}, {"a": None}),
    ({"a": 1, "b": 2}, ["/a"], {}, {"b": 2}),
    ({"a": 1, "b": 2}, [""], {"c": 3}, {"c": 3}),
    ({"a": 1}, ["/a"], {"a": 5}, {"a": 5}),
    ({"a": {"b": 1, "c": 2}}, ["/a/b"], {}, {"a": {"c": 2}}),
    ({"x/y": 1, "m~n": 2}, ["/x~1y", "/m~0n"], {}, {}),
    ({"a": 1}, ["/none", "/a/b/c"], {}, {"a": 1}),
]


@pytest.mark.parametrize(("changes", "reset", "merge", "expected"), UPDATES)
def test_update(
    changes: dict[str, Any], reset: list[str], merge: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert update(changes, reset=reset, merge=merge) == expected


def test_elements_of_lists_cannot_be_reset() -> None:
    with pytest.raises(DeploymentError, match="list"):
        update({"a": [1]}, reset=["/a/0"], merge={})


POINTERS: list[tuple[str, Any]] = [
    ("", {"a": {"b/c": [10, 20]}, "": 7}),
    ("/a/b~1c/1", 20),
    ("/a", {"b/c": [10, 20]}),
]


@pytest.mark.parametrize(("pointer", "expected"), POINTERS)
def test_look_up(pointer: str, expected: object) -> None:
    assert look_up({"a": {"b/c": [10, 20]}, "": 7}, pointer) == expected


@pytest.mark.parametrize("pointer", ["/none", "/a/b~1c/2", "/a/b~1c/-1", "/a/b~1c/x", "/a/b~1c/1/deep"])
def test_look_up_of_nothing(pointer: str) -> None:
    with pytest.raises(KeyError):
        look_up({"a": {"b/c": [10, 20]}}, pointer)


OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers() | st.lists(st.integers(), max_size=2), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(OBJECTS, OBJECTS)
def test_overlay_is_idempotent_and_changes_neither(lower: dict[str, Any], upper: dict[str, Any]) -> None:
    before = repr((lower, upper))
    once = overlay(lower, upper)
    assert overlay(once, upper) == once
    assert overlay(lower, {}) == lower
    assert overlay({}, upper) == upper
    assert repr((lower, upper)) == before
