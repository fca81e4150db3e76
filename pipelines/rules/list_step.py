"""P052: a step that runs once for each entry of a list has a list, and gives its outputs as lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import resolution
from pipelines.diagnostics import Diagnostic
from pipelines.references import Ref
from pipelines.resolution import ITEM

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject
    from pipelines.spec import Pipeline, Step

CODE = "P052"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield lists that are none, `item` where there is no list, and lists where one artifact is taken."""
    for step in subject.pipeline.steps:
        yield from _check_list(subject.pipeline, step)
        yield from _check_item(step)
        yield from _check_inputs(subject, step)


def _check_list(pipeline: Pipeline, step: Step) -> Iterator[Diagnostic]:
    node, parallel = step.find("for_each"), step.find("max_parallel")
    if parallel and step.for_each is None:
        message = "max_parallel says how many entries of for_each run at once, and there is no for_each"
        hint = "Add a for_each with a list, or take the line out."
        yield Diagnostic(code=CODE, message=message, span=parallel.span, hint=hint)
    slot = next((slot for slot in step.slots if slot.node is node), None)
    for part in slot.parts if slot else ():
        found = resolution.resolve(part, pipeline) if isinstance(part, Ref) else "string"
        if isinstance(found, str) and found not in ("array", resolution.ANY):
            message = f"for_each needs a list, and this is of type {found}"
            hint = "Give the parameter the type list."
            yield Diagnostic(
                code=CODE, message=message, span=slot.node.span if slot else step.id.span, hint=hint
            )


def _check_item(step: Step) -> Iterator[Diagnostic]:
    outside = step.refs() if step.for_each is None else step.when.value if step.when else ()
    for ref in outside:
        if isinstance(ref, Ref) and ref.path == ITEM:
            message = "'item' is the entry of a step's for_each, and there is none here"
            if step.for_each is None:
                hint = "Give the step a list: for_each: [...]."
            else:
                hint = (
                    "A condition is asked once, before the list: it can refer to params and to other steps."
                )
            yield Diagnostic(code=CODE, message=message, span=ref.span, hint=hint)


def _check_inputs(subject: Subject, step: Step) -> Iterator[Diagnostic]:
    for taken, source in subject.graph.inputs[step.id.value].items():
        giver = subject.pipeline.step(source)
        own = step.kind is not None and step.kind.own_function
        if giver and giver.for_each is not None and not own:
            message = f"step '{step.id.value}' takes one {taken}, and '{source}' gives a list of them"
            hint = "Only a custom step can take a list; let it choose one."
            yield Diagnostic(code=CODE, message=message, span=step.id.span, hint=hint)
