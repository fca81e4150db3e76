"""Which steps may be skipped: those with a `when`, and those that need the output of one that was."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.graph import Graph
    from pipelines.spec import Pipeline, Step


def plan_skips(pipeline: Pipeline, graph: Graph) -> Mapping[str, tuple[str, ...]]:
    """Return, for every step that may be skipped, the steps whose being skipped skips it too."""
    found: dict[str, tuple[str, ...]] = {}
    for step in graph.order(pipeline):
        sources = tuple(each for each in sorted(needed(step, graph)) if each in found)
        if step.when or sources:
            found[step.id.value] = sources
    return found


def needed(step: Step, graph: Graph) -> frozenset[str]:
    """Return the steps whose outputs a step cannot do without: its inputs and what its config refers to."""
    referred = {ref.path[1] for ref in step.config_refs() if ref.path[0] == "steps"}
    return frozenset(referred | set(graph.inputs[step.id.value].values()))
