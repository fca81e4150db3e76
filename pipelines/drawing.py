"""What a picture of a pipeline shows, whatever it is drawn with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.facts import fact
from pipelines.graph import upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.compiler import Compiled
    from pipelines.spec import Step


@dataclass(frozen=True, kw_only=True)
class Box:
    """A step: `tags` are the targets of its fan-out or its deployment."""

    id: str
    kind: str
    fact: str
    tags: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Arrow:
    """An artifact that goes from one step to another; `label` is empty where one only waits for the other."""

    source: str
    target: str
    label: str


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """The boxes in the order of the run, and the arrows between them."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def plan(compiled: Compiled) -> Drawing:
    """Return what a picture of the pipeline shows."""
    steps = compiled.graph.order(compiled.pipeline)
    boxes = tuple(_box(step) for step in steps)
    arrows = tuple(arrow for step in steps for arrow in _arrows(compiled, step))
    return Drawing(title=compiled.pipeline.name, boxes=boxes, arrows=arrows)


def _box(step: Step) -> Box:
    waves = [f"{wave['name']}: {', '.join(wave['targets'])}" for wave in step.config.get("waves", ())]
    tags = waves or step.config.get("targets", ())
    return Box(id=step.id.value, kind=step.known_kind.name, fact=fact(step), tags=tuple(tags))


def _arrows(compiled: Compiled, step: Step) -> Iterator[Arrow]:
    inputs = compiled.graph.inputs[step.id.value]
    for taken, source in inputs.items():
        yield Arrow(source=source, target=step.id.value, label=taken)
    order = [each.id.value for each in compiled.pipeline.steps]
    for waited in sorted(_waited(compiled, step.id.value) - set(inputs.values()), key=order.index):
        yield Arrow(source=waited, target=step.id.value, label="")


def _waited(compiled: Compiled, step_id: str) -> set[str]:
    """Return the steps that a step waits for, but for those that another of them waits for anyway."""
    edges = {name: set(each) for name, each in compiled.graph.before.items()}
    behind: set[str] = set().union(*(upstream(each, edges) for each in edges[step_id]))
    return edges[step_id] - behind
