"""From a wired pipeline to its state machine.

Two states come before the first step. An assigned variable is visible only from the next state on, and the
default of a parameter may name a field of the use case: so `Start` assigns `$usecase`, `$run` and what is
wrong with the run's parameters, and `Parameters` goes on with `$params`, or to `Refused`.
Writing the use case's values straight into one state would put unknown text inside JSONata literals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipelines import emission, expressions, overrides, skipping, states
from pipelines.expressions import enclose
from pipelines.references import Ref
from pipelines.spec import USECASE_FIELDS, USECASE_REQUIRED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.graph import Graph
    from pipelines.spec import Pipeline, Step
    from pipelines.states import State

_UNSAFE_IN_COMMENT = re.compile(r"[^\w./ +-]")


def emit(pipeline: Pipeline, graph: Graph) -> dict[str, Any]:
    """Return the definition, with markers for everything that only a deployment knows."""
    steps = graph.order(pipeline)
    found = dict(_emit_states(pipeline, graph, steps))
    return {
        "Comment": f"edgepipe pipeline {pipeline.name}",
        "QueryLanguage": "JSONata",
        "StartAt": states.START,
        "States": found,
    }


def _emit_states(pipeline: Pipeline, graph: Graph, steps: Sequence[Step]) -> Iterator[tuple[str, State]]:
    skips = skipping.plan_skips(pipeline, graph)
    frames = [
        emission.Frame(
            pipeline=pipeline,
            inputs=graph.inputs[step.id.value],
            step=step,
            comment=comment(pipeline.path, step.id.span.line),
            skipped_with=skips.get(step.id.value),
        )
        for step in steps
    ]
    following = [*(frame.entry for frame in frames), states.DONE]
    yield states.START, _start(pipeline)
    yield states.PARAMETERS, _parameters(pipeline, following[0])
    for frame, after in zip(frames, following[1:], strict=True):
        yield from emission.emit(frame, after)
    yield states.DONE, _done(steps)
    yield states.REFUSED, _refused()


def _start(pipeline: Pipeline) -> State:
    variables = {
        "usecase": {name: states.mark(f"usecase_{name}") for name in _usecase_fields(pipeline)},
        "run": expressions.run_scope(pipeline.name),
        "wrong": overrides.find_wrong(pipeline),
    }
    return {"Type": "Pass", "Assign": variables, "Next": states.PARAMETERS}


def _usecase_fields(pipeline: Pipeline) -> Iterator[str]:
    """Yield the fields that every use case has, and of the others those that something refers to."""
    named = {ref.path[1:2] for step in pipeline.steps for ref in step.refs() if ref.path[0] == "usecase"}
    named |= {ref.path[1:2] for param in pipeline.params for ref in param.refs() if ref.path[0] == "usecase"}
    named |= {ref.path[1:2] for ref in _topic_refs(pipeline) if ref.path[0] == "usecase"}
    for name in USECASE_FIELDS:
        if name in USECASE_REQUIRED or (name,) in named:
            yield name


def _topic_refs(pipeline: Pipeline) -> Iterator[Ref]:
    """Yield what the topic of approvals refers to, where there is somebody to tell."""
    topic = pipeline.waiting_topic
    asks = any(step.known_kind.name == "approve" for step in pipeline.steps)
    parts = pipeline.parts(topic) if topic and asks else ()
    yield from (part for part in parts if isinstance(part, Ref))


def _parameters(pipeline: Pipeline, following: str) -> State:
    params = {param.name: overrides.value_of(param) for param in pipeline.params}
    line = pipeline.params[0].span.line if pipeline.params else pipeline.root.span.line
    return {
        "Type": "Choice",
        "Comment": comment(pipeline.path, line),
        "Choices": [
            {
                "Condition": enclose("$count($wrong) = 0"),
                **({"Assign": {"params": params}} if params else {}),
                "Next": following,
            }
        ],
        "Default": states.REFUSED,
    }


def _refused() -> State:
    """Emit the end of a run whose parameters are wrong, which no redrive could mend."""
    return {"Type": "Fail", "Error": "TaskInputError", "Cause": enclose("$join($wrong, '; ')")}


def _done(steps: Sequence[Step]) -> State:
    outputs = {step.id.value: enclose(f"${step.variable}") for step in steps}
    return {"Type": "Succeed", "Output": {"run": enclose("$run.id"), "steps": outputs}}


def comment(path: str, line: int) -> str:
    """Return `file:line`: the path as given, but only the name of an absolute one.

    Characters that could be read as a marker or an expression are replaced.
    """
    posix = path.replace("\\", "/")
    absolute = posix.startswith("/") or posix[1:2] == ":"
    shown = posix.rpartition("/")[2] if absolute else posix
    return f"{_UNSAFE_IN_COMMENT.sub('_', shown)}:{line}"
