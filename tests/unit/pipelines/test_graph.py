from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import graph
from tests.unit.pipelines.specs import COMPILE, LABEL, MODEL, TRAIN, TRANSFORM, build

Edges = dict[str, set[str]]


@pytest.mark.parametrize(
    ("why", "taker", "candidates", "edges", "near"),
    [
        ("nothing is known", "t", "ab", {}, "ab"),
        ("one is downstream of the taker", "t", "ab", {"b": {"t"}}, "a"),
        ("one is behind the other", "t", "ab", {"b": {"a"}}, "b"),
        ("one is needed already", "t", "ab", {"t": {"a"}}, "a"),
        ("both are needed, one through the other", "t", "ab", {"t": {"b"}, "b": {"a"}}, "b"),
        ("both are needed", "t", "ab", {"t": {"a", "b"}}, "ab"),
        ("needed far away wins over unknown", "t", "ab", {"t": {"x"}, "x": {"a"}}, "a"),
        ("all are downstream", "t", "a", {"a": {"t"}}, ""),
    ],
)
def test_nearest(why: str, taker: str, candidates: str, edges: Edges, near: str) -> None:
    assert graph.nearest(taker, candidates, edges) == tuple(near), why


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ({}, ()),
        ({"a": {"b"}, "b": set()}, ()),
        ({"a": {"b"}, "b": {"a"}}, ("a", "b", "a")),
        ({"x": set(), "a": {"c"}, "b": {"a"}, "c": {"b"}}, ("a", "b", "c", "a")),
    ],
)
def test_cycle(edges: Edges, cycle: tuple[str, ...]) -> None:
    assert graph.find_cycle(edges) == cycle


def test_steps_are_wired_wherever_they_stand() -> None:
    steps = COMPILE + TRAIN + TRANSFORM + LABEL
    compiled = build(steps)
    assert compiled.graph.inputs["compile"] == {"model": "train", "manifest": "transform"}
    assert [step.id.value for step in compiled.graph.order(compiled.pipeline)] == [
        "label",
        "transform",
        "train",
        "compile",
    ]


def test_a_later_model_is_nearer() -> None:
    second = TRAIN.replace("train:", "again:", 1).replace("{script", "{uses: train, needs: [train], script")
    assert build(MODEL + second + COMPILE).graph.inputs["compile"]["model"] == "again"


def test_an_input_line_settles_it() -> None:
    second = TRAIN.replace("train:", "other:", 1).replace("{script", "{uses: train, script")
    compiled = build(MODEL + second + COMPILE.replace("{", "{inputs: {model: other}, "))
    assert compiled.graph.inputs["compile"]["model"] == "other"


def test_references_order_steps() -> None:
    steps = LABEL.replace("s3://bucket/x/", "${{ steps.zero.labels.uri }}") + LABEL.replace(
        "label:", "zero:", 1
    ).replace("{method", "{uses: label, method")
    compiled = build(steps)
    assert [step.id.value for step in compiled.graph.order(compiled.pipeline)] == ["zero", "label"]


@given(st.lists(st.lists(st.integers(0, 9), max_size=3), min_size=1, max_size=10))
def test_upstream_is_closed(numbers: list[list[int]]) -> None:
    edges = {str(index): {str(each) for each in each_list} for index, each_list in enumerate(numbers)}
    for name, direct in edges.items():
        found = graph.upstream(name, edges)
        assert direct <= found
        assert all(edges.get(each, set()) <= found for each in found)
