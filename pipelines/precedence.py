"""What must come before what, near and far.

Sets of steps are the bits of whole numbers here, by the steps' places in the spec: in a pipeline of a
thousand steps, most steps are before or after most others.
"""

from __future__ import annotations

import graphlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

Edges = dict[str, set[str]]
"""Step id → the ids it must come after."""


@dataclass(frozen=True, kw_only=True)
class Precedence:
    """For each step, by its place, the steps that must come before it; it grows by `add`."""

    places: Mapping[str, int]
    behind: list[int]

    def before(self, name: str) -> int:
        """Return what must come before a step."""
        return self.behind[self.places[name]]

    def bit(self, name: str) -> int:
        """Return the set of one step."""
        return 1 << self.places[name]

    def add(self, later: str, earlier: str) -> None:
        """Put one step before another, and so everything before the one before everything after the other."""
        self.put(self.places[later], self.before(earlier) | self.bit(earlier))

    def put(self, later: int, earlier: int) -> None:
        """Put a set, which holds all that is before its members, before a place and what comes after it."""
        own = 1 << later
        self.behind[later] |= earlier
        self.behind[:] = [mask | earlier if mask & own else mask for mask in self.behind]


def read(edges: Edges) -> Precedence:
    """Follow all edges to their ends. Raises graphlib.CycleError."""
    places = {name: place for place, name in enumerate(edges)}
    behind = [0] * len(places)
    for name in graphlib.TopologicalSorter(edges).static_order():
        for each in edges[name]:
            behind[places[name]] |= behind[places[each]] | 1 << places[each]
    return Precedence(places=places, behind=behind)
