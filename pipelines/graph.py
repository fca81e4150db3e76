"""Which step gives each input, and an order to run the steps in."""

from __future__ import annotations

import graphlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pipelines.spec import Pipeline, Step

Edges = dict[str, set[str]]
"""Step id → the ids it must come after."""


@dataclass(frozen=True, kw_only=True)
class Missing:
    """Nothing gives what the step takes."""

    step: Step
    type: str


@dataclass(frozen=True, kw_only=True)
class Ambiguous:
    """Several steps could give what the step takes, and none is nearer than the others."""

    step: Step
    type: str
    candidates: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """The wired pipeline; `inputs` is step id → artifact type → the id that gives it."""

    inputs: Mapping[str, Mapping[str, str]]
    before: Mapping[str, frozenset[str]]
    problems: tuple[Missing | Ambiguous, ...]
    cycle: tuple[str, ...]

    def order(self, pipeline: Pipeline) -> tuple[Step, ...]:
        """Return the steps in topological order; where that leaves a choice, as they stand in the spec."""
        return tuple(stable_order(pipeline.steps, self.before))


def plan(pipeline: Pipeline) -> Graph:
    """Wire every input to the nearest step upstream that gives its type, and say what cannot be wired."""
    edges = _said_edges(pipeline)
    inputs, undecided = _wire_certain(pipeline, edges)
    problems = list(_wire_nearest(pipeline, edges, inputs, undecided))
    _place_gates(pipeline, edges)
    return Graph(
        inputs=inputs,
        before={step_id: frozenset(earlier) for step_id, earlier in edges.items()},
        problems=tuple(problems),
        cycle=find_cycle(edges),
    )


def _said_edges(pipeline: Pipeline) -> Edges:
    """Collect the edges that the spec says itself: needs, inputs and references to other steps."""
    known = {step.id.value for step in pipeline.steps}
    edges: Edges = {}
    for step in pipeline.steps:
        named = {need.value for need in step.needs} | {source.value for source in step.inputs.values()}
        named |= {ref.path[1] for ref in step.refs() if len(ref.path) > 1 and ref.path[0] == "steps"}
        edges[step.id.value] = named & known - {step.id.value}
    return edges


def _wire_certain(
    pipeline: Pipeline, edges: Edges
) -> tuple[dict[str, dict[str, str]], list[tuple[Step, str]]]:
    """Wire what the spec names and what only one step gives; return that and what is left to decide."""
    inputs: dict[str, dict[str, str]] = {step.id.value: {} for step in pipeline.steps}
    undecided: list[tuple[Step, str]] = []
    by_type = _by_type(pipeline)
    for step, taken in _taken(pipeline):
        givers = _givers(by_type, step, taken)
        if taken in step.given:
            continue
        if taken in step.inputs:
            inputs[step.id.value][taken] = step.inputs[taken].value
        elif len(givers) == 1:
            inputs[step.id.value][taken] = givers[0]
            edges[step.id.value].add(givers[0])
        else:
            undecided.append((step, taken))
    return inputs, undecided


def _wire_nearest(
    pipeline: Pipeline, edges: Edges, inputs: dict[str, dict[str, str]], undecided: list[tuple[Step, str]]
) -> Iterator[Missing | Ambiguous]:
    """Choose among several by nearness; each choice adds an edge that the next one sees."""
    by_type = _by_type(pipeline)
    for step, taken in undecided:
        near = nearest(step.id.value, _givers(by_type, step, taken), edges)
        if len(near) == 1:
            inputs[step.id.value][taken] = near[0]
            edges[step.id.value].add(near[0])
        elif near:
            yield Ambiguous(step=step, type=taken, candidates=near)
        else:
            yield Missing(step=step, type=taken)


def _taken(pipeline: Pipeline) -> Iterator[tuple[Step, str]]:
    for step in pipeline.steps:
        for taken in step.kind.takes if step.kind else ():
            yield step, taken


def _by_type(pipeline: Pipeline) -> Mapping[str, list[str]]:
    """Return artifact type → the steps that give it, in the order of the spec."""
    found: dict[str, list[str]] = {}
    for step in pipeline.steps:
        if step.kind and step.kind.gives:
            found.setdefault(step.kind.gives, []).append(step.id.value)
    return found


def _givers(by_type: Mapping[str, list[str]], taker: Step, taken: str) -> tuple[str, ...]:
    return tuple(each for each in by_type.get(taken, ()) if each != taker.id.value)


def _place_gates(pipeline: Pipeline, edges: Edges) -> None:
    """Put each gate, such as an approval, after the steps above it and before the steps below it.

    Its own `needs` replace the first; a step that names it in `needs` replaces the second. What the spec
    says otherwise wins.
    """
    ids = [step.id.value for step in pipeline.steps]
    for place, step in enumerate(pipeline.steps):
        if step.kind is None or not step.kind.gate:
            continue
        gate = step.id.value
        if not step.needs:
            for each in ids[:place]:
                if gate not in upstream(each, edges):
                    edges[gate].add(each)
        if not any(gate == need.value for other in pipeline.steps for need in other.needs):
            behind = upstream(gate, edges)
            for each in ids[place + 1 :]:
                if each not in behind:
                    edges[each].add(gate)


def nearest(taker: str, candidates: Iterable[str], edges: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Return the candidates that could be meant: not downstream of the taker, nor behind another candidate.

    Those that the spec already puts before the taker win over those that it says nothing about.
    """
    possible = [each for each in candidates if taker not in upstream(each, edges)]
    known = upstream(taker, edges)
    before = [each for each in possible if each in known] or possible
    behind = set().union(*(upstream(each, edges) for each in before))
    return tuple(each for each in before if each not in behind)


def upstream(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    """Return everything that must come before a step."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        fresh = edges.get(waiting.pop(), set()) - found
        found |= fresh
        waiting += fresh
    return found


def find_cycle(edges: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Return one cycle as a, b, a where each comes before the next, from the first name on; else nothing."""
    try:
        graphlib.TopologicalSorter({name: sorted(edges[name]) for name in edges}).prepare()
    except graphlib.CycleError as error:
        ring: list[str] = error.args[1][:-1]
        first = min(range(len(ring)), key=lambda index: list(edges).index(ring[index]))
        turned = ring[first:] + ring[:first]
        return (*turned, turned[0])
    return ()


def stable_order(steps: Iterable[Step], before: Mapping[str, Iterable[str]]) -> Iterator[Step]:
    """Yield steps so that each comes after those it needs; of the ready ones, the first in the spec."""
    waiting = list(steps)
    done: set[str] = set()
    while waiting:
        ready = next(step for step in waiting if done.issuperset(before[step.id.value]))
        waiting.remove(ready)
        done.add(ready.id.value)
        yield ready
