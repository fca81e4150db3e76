"""From a wired pipeline to its state machine.

Two states come before the first step. An assigned variable is visible only from the next state on, and the
default of a parameter may name a field of the use case: so `Start` assigns `$usecase` and `$run`, and
`Parameters`, which only a pipeline with parameters has, assigns `$params` from the defaults and the input.
Writing the use case's values straight into one state would put unknown text inside JSONata literals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipelines import expressions, states
from pipelines.configs import Origin
from pipelines.expressions import enclose
from pipelines.spec import USECASE_FIELDS, Param, Pipeline, Step, identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.graph import Graph
    from pipelines.kinds import AssetRule
    from pipelines.references import Part
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
        "States": {**found, **states.failure_states()},
    }


def asset_marker(step: Step, rule: AssetRule) -> str:
    """Return the name of the marker that stands for an asset's address: `asset_train_source`."""
    return f"asset_{identifier(step.id.value)}_{rule.name}"


def _emit_states(pipeline: Pipeline, graph: Graph, steps: Sequence[Step]) -> Iterator[tuple[str, State]]:
    first = states.PARAMETERS if pipeline.params else steps[0].id.value
    yield states.START, _start(pipeline, first)
    if pipeline.params:
        yield states.PARAMETERS, _parameters(pipeline, steps[0].id.value)
    following = [step.id.value for step in steps[1:]] + [states.DONE]
    for step, after in zip(steps, following, strict=True):
        emit_step = _emit_map if step.known_kind.fan_out else _emit_task
        yield from emit_step(_Frame(pipeline, graph, step), after)
    yield states.DONE, _done(steps)


def _start(pipeline: Pipeline, following: str) -> State:
    usecase = {name: states.mark(f"usecase_{name}") for name in USECASE_FIELDS}
    variables = {"usecase": usecase, "run": expressions.run_scope(pipeline.name)}
    return {"Type": "Pass", "Assign": variables, "Next": following}


def _parameters(pipeline: Pipeline, following: str) -> State:
    params = {param.name: enclose(_param(param)) for param in pipeline.params}
    return {
        "Type": "Pass",
        "Comment": comment(pipeline.path, pipeline.params[0].span.line),
        "Assign": {"params": params},
        "Next": following,
    }


def _param(param: Param) -> str:
    if param.parts:
        default = expressions.join(param.parts)
    elif param.default_node is None:
        default = expressions.missing(param.name)
    else:
        default = expressions.literal(param.default)
    return expressions.given_or(param.name, default)


def _done(steps: Sequence[Step]) -> State:
    outputs = {step.id.value: enclose(f"${step.variable}") for step in steps}
    return {"Type": "Succeed", "Output": {"run": enclose("$run.id"), "steps": outputs}}


class _Frame:
    """A step and what surrounds it."""

    def __init__(self, pipeline: Pipeline, graph: Graph, step: Step) -> None:
        self.pipeline = pipeline
        self.step = step
        self.kind = step.known_kind
        self.id = step.id.value
        self._inputs = graph.inputs[self.id]

    @property
    def comment(self) -> str:
        return comment(self.pipeline.path, self.step.id.span.line)

    def payload(self, **extra: str) -> dict[str, Any]:
        """Return the event that the handler gets."""
        token = {"token": enclose(expressions.TOKEN)} if self.kind.waits else {}
        return {
            "step": self.id,
            "kind": self.kind.name,
            "attempt": enclose(expressions.ATTEMPT),
            "timeout_seconds": self.step.timeout_seconds,
            "run": enclose("$run"),
            "usecase": enclose("$usecase"),
            "config": self._config(),
            "inputs": {taken: enclose(self._input(taken)) for taken in self.kind.takes},
            "assets": {rule.name: states.mark(asset_marker(self.step, rule)) for rule in self.kind.assets},
            **extra,
            **token,
        }

    def task(self, **extra: str) -> State:
        """Return the Task that calls the handler."""
        return states.task(
            self.kind.name,
            self.payload(**extra),
            self.step.timeout_seconds,
            comment=self.comment,
            waits=self.kind.waits,
        )

    def _config(self) -> Any:  # noqa: ANN401 - a config is any JSON
        origin = Origin(
            pipeline=self.pipeline.name,
            job_seconds=min(self.step.timeout_seconds, self.kind.longest_job_seconds),
        )
        texts: dict[str, tuple[Part, ...]] = {slot.node.text: slot.parts for slot in self.step.slots}
        return expressions.template(self.kind.configure(self.step.config, origin), texts)

    def _input(self, taken: str) -> str:
        return expressions.field(f"step_{identifier(self._inputs[taken])}", taken)


def _emit_task(frame: _Frame, following: str) -> Iterator[tuple[str, State]]:
    result = states.result_of(waits=frame.kind.waits)
    yield (
        frame.id,
        {
            **frame.task(),
            "Catch": [states.catch_all(frame.id)],
            "Assign": {frame.step.variable: result},
            "Output": result,
            "Next": following,
        },
    )


def _emit_map(frame: _Frame, following: str) -> Iterator[tuple[str, State]]:
    """Emit the fan-out: one iteration a target, each ending in an outcome, then the judgement over all."""
    judge = f"{frame.id} (judge)"
    verdict = f"{frame.id} (failed)"
    output = {
        frame.kind.gives: enclose(expressions.merge_outcomes("$exists(artifact)", "artifact")),
        "failed": enclose(expressions.merge_outcomes("$exists(error)", '{"error": error, "cause": cause}')),
    }
    yield (
        frame.id,
        {
            "Type": "Map",
            "Comment": frame.comment,
            "Items": frame.step.config[frame.kind.fan_out],
            "ItemProcessor": _iteration(frame),
            "Catch": [states.catch_all(frame.id)],
            "Assign": {frame.step.variable: output},
            "Output": output,
            "Next": judge,
        },
    )
    yield judge, _judge(frame, following, verdict)
    yield verdict, _verdict(frame)


def _iteration(frame: _Frame) -> dict[str, Any]:
    target = enclose(expressions.MAP_ITEM)
    one, lost = f"{frame.id} (target)", f"{frame.id} (target failed)"
    caught = {
        "target": target,
        "error": enclose(expressions.ERROR),
        "cause": enclose(expressions.CAUSE),
    }
    attempt = {
        **frame.task(target=target),
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": caught, "Next": lost}],
        "Output": states.result_of(waits=frame.kind.waits),
        "End": True,
    }
    return {
        "ProcessorConfig": {"Mode": "INLINE"},
        "StartAt": one,
        "States": {one: attempt, lost: {"Type": "Pass", "End": True}},
    }


def _judge(frame: _Frame, following: str, verdict: str) -> State:
    failed = expressions.field(frame.step.variable, "failed")
    done = expressions.field(frame.step.variable, frame.kind.gives)
    every = frame.step.config["require"] == "all"
    condition = f"$count($keys({failed})) = 0" if every else f"$count($keys({done})) > 0"
    return {
        "Type": "Choice",
        "Comment": frame.comment,
        "Choices": [{"Condition": enclose(condition), "Next": following}],
        "Default": verdict,
    }


def _verdict(frame: _Frame) -> State:
    failure = {
        "step": frame.id,
        "error": "JobFailedError",
        "cause": enclose(expressions.failed_targets(frame.step.variable, frame.kind.gives)),
    }
    return {"Type": "Pass", "Assign": {"failure": failure}, "Next": states.RECORD_FAILURE}


def comment(path: str, line: int) -> str:
    """Return `file:line`: the path as given, but only the name of an absolute one.

    Characters that could be read as a marker or an expression are replaced.
    """
    posix = path.replace("\\", "/")
    absolute = posix.startswith("/") or posix[1:2] == ":"
    shown = posix.rpartition("/")[2] if absolute else posix
    return f"{_UNSAFE_IN_COMMENT.sub('_', shown)}:{line}"
