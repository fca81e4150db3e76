from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines import graph, precedence
from tests.unit.pipelines.specs import COMPILE, LABEL, MODEL, TRAIN, TRANSFORM, build, codes, spec

if TYPE_CHECKING:
    from random import Random

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
    whole = {name: edges.get(name, set()) for name in "abtx"}
    assert graph.nearest(taker, candidates, precedence.read(whole)) == tuple(near), why


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


def upstream(start: str, edges: Edges) -> set[str]:
    """Return everything that must come before a step."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        fresh = edges[waiting.pop()] - found
        found |= fresh
        waiting += fresh
    return found


def place_slowly(steps: Steps, edges: Edges) -> None:
    """Put gates where they belong, word by word as the language says it."""
    ids = list(steps)
    for place, (gate, (kind, needs)) in enumerate(steps.items()):
        if kind != "approve":
            continue
        if not needs:
            edges[gate] |= {each for each in ids[:place] if gate not in upstream(each, edges)}
        if not any(gate in other for _, other in steps.values()):
            behind = upstream(gate, edges)
            for each in ids[place + 1 :]:
                if each not in behind:
                    edges[each].add(gate)


Steps = dict[str, tuple[str, frozenset[str]]]
"""Step id → kind and needs."""

NAMES = [f"s{number}" for number in range(9)]
STEPS: st.SearchStrategy[Steps] = st.fixed_dictionaries(
    {},
    optional={
        name: st.tuples(
            st.sampled_from(["approve", "custom"]), st.frozensets(st.sampled_from(NAMES), max_size=2)
        )
        for name in NAMES
    },
).map(
    lambda found: {
        name: (kind, frozenset(each for each in needs if each in found and each != name))
        for name, (kind, needs) in found.items()
    }
)


def write(steps: Steps) -> str:
    own = {"approve": "message: x", "custom": 'handler: "m:f"'}
    return "".join(
        f"  {name}: {{uses: {kind}, {own[kind]}, needs: [{', '.join(sorted(needs))}]}}\n"
        if needs
        else f"  {name}: {{uses: {kind}, {own[kind]}}}\n"
        for name, (kind, needs) in steps.items()
    )


@given(STEPS, st.randoms(use_true_random=False))
def test_gates_stand_where_the_language_says(steps: Steps, random: Random) -> None:
    names = random.sample(list(steps), len(steps))
    steps = {name: steps[name] for name in names}
    said = {name: set(needs) for name, (_, needs) in steps.items()}
    assume(steps and not graph.find_cycle(said))
    before = build(write(steps)).graph.before
    slow = {name: set(each) for name, each in said.items()}
    place_slowly(steps, slow)
    found = {name: set(each) for name, each in before.items()}
    assert {name: upstream(name, found) for name in names} == {name: upstream(name, slow) for name in names}


@given(STEPS, st.randoms(use_true_random=False))
def test_only_comments_tell_where_independent_steps_stand(steps: Steps, random: Random) -> None:
    """What stands elsewhere, and needs the same, is the same state machine."""
    free = {name: ("custom", needs) for name, (_, needs) in steps.items()}
    assume(free and not graph.find_cycle({name: set(needs) for name, (_, needs) in free.items()}))
    moved = {name: free[name] for name in random.sample(list(free), len(free))}
    first, second = (build(write(each)).definition for each in (free, moved))
    assert without_comments(first) == without_comments(second)


def without_comments(definition: str) -> str:
    return re.sub(r'^"Comment":"spec\.yaml:\d+",$', "", definition, flags=re.MULTILINE)


def test_steps_around_a_gate_stand_in_any_order() -> None:
    a, b, c, d = (write({name: ("custom", frozenset())}) for name in "abcd")
    gate = write({"yes": ("approve", frozenset())})
    first, second = (build(text).definition for text in (a + b + gate + c + d, b + a + gate + d + c))
    assert without_comments(first) == without_comments(second)


def test_in_a_circle_only_the_circle_is_wrong() -> None:
    ring = "".join(write({name: ("custom", frozenset({need}))}) for name, need in ("ab", "ba"))
    two = TRANSFORM + TRANSFORM.replace("transform: {", "again: {uses: transform, ", 1)
    assert codes(spec(ring + LABEL + two + TRAIN)) == ["P023"]
