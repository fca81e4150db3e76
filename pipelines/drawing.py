"""What a picture of a pipeline shows, whatever it is drawn with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines import precedence
from pipelines.facts import fact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pipelines.compiler import Compiled
    from pipelines.precedence import Precedence
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
    known = precedence.read({name: set(each) for name, each in compiled.graph.before.items()})
    arrows = tuple(
        arrow for step in steps for arrow in _arrows(compiled, step, _waited(compiled, step, known))
    )
    return Drawing(title=compiled.pipeline.name, boxes=boxes, arrows=arrows)


def _box(step: Step) -> Box:
    waves = [f"{wave['name']}: {', '.join(wave['targets'])}" for wave in step.config.get("waves", ())]
    tags = waves or step.config.get("targets", ())
    return Box(id=step.id.value, kind=step.known_kind.name, fact=fact(step), tags=tuple(tags))


def _arrows(compiled: Compiled, step: Step, waited: Iterable[str]) -> Iterator[Arrow]:
    inputs = compiled.graph.inputs[step.id.value]
    for taken, source in inputs.items():
        yield Arrow(source=source, target=step.id.value, label=taken)
    for each in waited:
        if each not in inputs.values():
            yield Arrow(source=each, target=step.id.value, label="")


def _waited(compiled: Compiled, step: Step, known: Precedence) -> list[str]:
    """Return the steps that a step waits for, but for those that another of them waits for anyway."""
    before = compiled.graph.before[step.id.value]
    behind = 0
    for each in before:
        behind |= known.before(each)
    return sorted((each for each in before if not known.bit(each) & behind), key=known.places.__getitem__)
