"""Where gates, such as approvals, stand: after the steps above them and before the steps below them.

A gate's own `needs` replace the first; a step that names the gate in `needs` replaces the second. What the
spec says otherwise wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.precedence import Edges, Precedence
    from pipelines.spec import Pipeline


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A gate's place in the spec, and on which of its sides the place decides."""

    place: int
    closes: bool
    opens: bool


def place(pipeline: Pipeline, edges: Edges, known: Precedence) -> None:
    """Add what the gates' places say to both, in as few edges as say it."""
    gates = list(_find_gates(pipeline))
    for gate in gates:
        _pass(gate, known)
    if gates:
        _write(gates, known, edges)


def _find_gates(pipeline: Pipeline) -> Iterator[Gate]:
    needed = {need.value for step in pipeline.steps for need in step.needs}
    for number, step in enumerate(pipeline.steps):
        if step.kind is not None and step.kind.gate:
            yield Gate(place=number, closes=not step.needs, opens=step.id.value not in needed)


def _pass(gate: Gate, known: Precedence) -> None:
    """Let one gate take its place."""
    behind, own = known.behind, 1 << gate.place
    if gate.closes:
        reached = behind[gate.place]
        above = (own - 1) & ~reached
        while above:
            nearest = above.bit_length() - 1
            if not behind[nearest] & own:
                reached |= behind[nearest] | 1 << nearest
            above &= ~(reached | 1 << nearest)
        known.put(gate.place, reached)
    if gate.opens:
        reached = behind[gate.place] | own
        below = -1 << gate.place + 1 & ~reached
        for number, mask in enumerate(behind):
            if (number > gate.place or mask & below) and not reached >> number & 1:
                behind[number] = mask | reached


def _write(gates: list[Gate], known: Precedence, edges: Edges) -> None:
    """Add an edge wherever a gate's place says something that no other edge does."""
    ids, behind = list(known.places), known.behind
    closing = {gate.place for gate in gates if gate.closes}
    opening = sum(1 << gate.place for gate in gates if gate.opens)
    for number, name in enumerate(ids):
        above = behind[number] & (1 << number) - 1
        wanted = above if number in closing else above & opening
        for each in edges[name]:
            wanted &= ~(known.before(each) | known.bit(each))
        while wanted:
            nearest = wanted.bit_length() - 1
            edges[name].add(ids[nearest])
            wanted &= ~(behind[nearest] | 1 << nearest)
