"""Which step gives each input, and an order to run the steps in."""

from __future__ import annotations

import graphlib
import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines import gates, precedence

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pipelines.precedence import Edges, Precedence
    from pipelines.spec import Pipeline, Step


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
        """Return the steps in topological order; where that leaves a choice, by name."""
        return tuple(stable_order(pipeline.steps, self.before))


def plan(pipeline: Pipeline) -> Graph:
    """Wire every input to the nearest step upstream that gives its type, and say what cannot be wired.

    In a circle nothing is near, and no gate has a place: then the circle is what is wrong.
    """
    edges = _said_edges(pipeline)
    inputs, undecided = _wire_certain(pipeline, edges)
    cycle = find_cycle(edges)
    known = None if cycle else precedence.read(edges)
    problems = list(_wire_nearest(pipeline, edges, inputs, undecided, known))
    if known is not None:
        gates.place(pipeline, edges, known)
    return Graph(
        inputs=inputs,
        before={step_id: frozenset(earlier) for step_id, earlier in edges.items()},
        problems=tuple(problems),
        cycle=cycle,
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
    pipeline: Pipeline,
    edges: Edges,
    inputs: dict[str, dict[str, str]],
    undecided: list[tuple[Step, str]],
    known: Precedence | None,
) -> Iterator[Missing | Ambiguous]:
    """Choose among several by nearness; each choice is something that the next one knows."""
    by_type = _by_type(pipeline)
    for step, taken in undecided:
        givers = _givers(by_type, step, taken)
        if givers and known is None:
            continue
        near = nearest(step.id.value, givers, known) if known else ()
        if len(near) == 1 and known:
            inputs[step.id.value][taken] = near[0]
            edges[step.id.value].add(near[0])
            known.add(step.id.value, near[0])
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


def nearest(taker: str, candidates: Iterable[str], known: Precedence) -> tuple[str, ...]:
    """Return the candidates that could be meant: not downstream of the taker, nor behind another candidate.

    Those that the spec already puts before the taker win over those that it says nothing about.
    """
    own, earlier = known.bit(taker), known.before(taker)
    possible = [each for each in candidates if not known.before(each) & own]
    before = [each for each in possible if known.bit(each) & earlier] or possible
    behind = 0
    for each in before:
        behind |= known.before(each)
    return tuple(each for each in before if not known.bit(each) & behind)


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
    """Yield steps so that each comes after those it needs; of the ready ones, the first by name.

    So the order follows from what needs what, and not from where a step stands in the spec.
    """
    by_name = {step.id.value: step for step in steps}
    missing = {name: len(set(before[name])) for name in by_name}
    after: dict[str, list[str]] = {name: [] for name in by_name}
    for name in by_name:
        for each in set(before[name]):
            after[each].append(name)
    ready = [name for name, count in missing.items() if not count]
    heapq.heapify(ready)
    while ready:
        name = heapq.heappop(ready)
        yield by_name[name]
        for each in after[name]:
            missing[each] -= 1
            if not missing[each]:
                heapq.heappush(ready, each)
