"""Resets come before merges, and only changes are kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_cloud.greengrass.configuration import Changes, configure, look_up, overlay, update
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
    before = update((), reset=[], merge=changes, at=1)
    after = update(before, reset=reset, merge=merge, at=2)
    assert configure({}, after) == expected


def test_an_older_deployment_changes_nothing_that_a_later_one_set() -> None:
    later: Changes = update((), reset=[], merge={"a": 2, "b": {"c": 2}}, at=20)
    both = update(later, reset=["/a"], merge={"a": 1, "b": {"c": 1, "d": 1}, "e": 1}, at=10)
    assert configure({}, both) == {"a": 2, "b": {"c": 2, "d": 1}, "e": 1}
    assert configure({}, update(both, reset=[""], merge={}, at=30)) == {}


def test_changes_survive_new_defaults_and_untouched_values_take_them() -> None:
    changes = update((), reset=[], merge={"a": {"x": 9}}, at=1)
    assert configure({"a": {"x": 1, "y": 1}}, changes) == {"a": {"x": 9, "y": 1}}
    assert configure({"a": {"x": 2, "y": 2}, "z": 2}, changes) == {"a": {"x": 9, "y": 2}, "z": 2}


def test_elements_of_lists_cannot_be_reset() -> None:
    with pytest.raises(DeploymentError, match="list"):
        update(update((), reset=[], merge={"a": [1]}, at=1), reset=["/a/0"], merge={}, at=2)


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


@given(OBJECTS, OBJECTS)
def test_merging_is_laying_over(first: dict[str, Any], second: dict[str, Any]) -> None:
    changes = update(update((), reset=[], merge=first, at=1), reset=[], merge=second, at=2)
    assert configure({}, changes) == overlay(first, second)
