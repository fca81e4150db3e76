"""The states of one step: a task, a fan-out over targets or entries, or the waves of a rollout."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pipelines import conditions, configs, expressions, resolution, states
from pipelines.configs import Origin
from pipelines.expressions import enclose
from pipelines.kinds import PER_TARGET
from pipelines.references import OPENING
from pipelines.spec import identifier
from pipelines.states import Limits

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.kinds import AssetRule
    from pipelines.references import Part, Ref
    from pipelines.spec import Pipeline, Step
    from pipelines.states import State

UNCHECKED = "etag:unchecked"
"""The digest of an artifact from outside whose digest the spec does not say."""

ITEM_NUMBER = "'item-' & $string($states.input.number)"
"""What tells the jobs of a list's entries apart, as targets do in a fan-out over targets."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A step and what surrounds it; `skipped_with` is None where it always runs."""

    pipeline: Pipeline
    step: Step
    inputs: Mapping[str, str]
    comment: str
    skipped_with: tuple[str, ...] | None

    @property
    def id(self) -> str:
        """Return the step's id, which names its state."""
        return self.step.id.value

    @property
    def waves(self) -> list[Mapping[str, Any]]:
        """Return the waves that the spec asks for; none where it names only targets."""
        found: list[Mapping[str, Any]] = self.step.config.get("waves") or []
        return found

    @property
    def entry(self) -> str:
        """Return the first of the step's states."""
        if self.skipped_with is not None:
            return f"{self.id} (when)"
        return self.begin

    @property
    def begin(self) -> str:
        """Return the first state that does the step's work."""
        return self.wave_state(0) if self.waves else self.id

    def wave_state(self, number: int) -> str:
        """Return the name of a wave's state."""
        return f"{self.id} ({self.waves[number]['name']})"

    @cached_property
    def texts(self) -> dict[str, tuple[Part, ...]]:
        """Return the texts with references in them, cut into parts."""
        topic = self.pipeline.waiting_topic
        told = {topic.text: self.pipeline.parts(topic)} if topic and OPENING in topic.text else {}
        return {**told, **{slot.node.text: slot.parts for slot in self.step.slots}}

    def payload(self, config: Mapping[str, Any], **extra: str) -> dict[str, Any]:
        """Return the event that the handler gets; what is empty is left out.

        How long a step may take concerns only handlers that start jobs, and those of authors.
        """
        kind = self.step.known_kind
        inputs = {taken: self._input(taken) for taken in kind.takes}
        assets = {rule.name: states.mark(asset_marker(self.step, rule)) for rule in self.assets}
        limit = {"timeout_seconds": self.step.timeout_seconds}
        return {
            "step": self.id,
            "kind": kind.name,
            "attempt": enclose(expressions.ATTEMPT),
            **(limit if kind.waits or kind.own_function else {}),
            "run": "{% $run %}",
            "usecase": "{% $usecase %}",
            "config": config,
            **({"inputs": inputs} if inputs else {}),
            **({"assets": assets} if assets else {}),
            **extra,
            **({"token": enclose(expressions.TOKEN)} if kind.waits else {}),
        }

    @property
    def assets(self) -> tuple[AssetRule, ...]:
        """Return the files that go along."""
        return assets_of(self.step)

    def task(self, config: Mapping[str, Any], **extra: str) -> State:
        """Return the Task that calls the handler."""
        step, kind = self.step, self.step.known_kind
        limits = Limits(
            timeout_seconds=step.timeout_seconds,
            heartbeat_seconds=step.heartbeat_seconds,
            retriers=(configs.retrier(step.retry),) if step.retry else (),
            asks_capacity=kind.waits and kind.asks_capacity,
        )
        event = self.payload(config, **extra)
        return states.task(function_arn(step), event, limits, comment=self.comment, waits=kind.waits)

    def config(self) -> Any:  # noqa: ANN401 - a config is any JSON
        """Return the config that the handler gets, with expressions for references."""
        kind = self.step.known_kind
        origin = Origin(
            pipeline=self.pipeline.name,
            job_seconds=min(self.step.timeout_seconds, kind.longest_job_seconds),
            topic=self.pipeline.waiting_topic.text if self.pipeline.waiting_topic else "",
        )
        return self.template(kind.configure(self.step.config, origin))

    def template(self, value: Any) -> Any:  # noqa: ANN401 - any JSON in, any JSON out
        """Return a value with its references as expressions."""
        return expressions.template(value, self.texts)

    def _input(self, taken: str) -> Any:  # noqa: ANN401 - an expression or an artifact
        if taken not in self.step.given:
            return enclose(expressions.field(f"step_{identifier(self.inputs[taken])}", taken))
        given = self.step.given[taken]
        if taken in PER_TARGET and "targets" in given:
            return {target: self._artifact(taken, each) for target, each in given["targets"].items()}
        return self._artifact(taken, given)

    def _artifact(self, kind: str, given: Any) -> dict[str, Any]:  # noqa: ANN401 - its address, or an object
        known = given if isinstance(given, dict) else {"uri": given}
        found = {"type": kind, "digest": UNCHECKED, "facts": {}, **known}
        return {name: self.template(found[name]) for name in ("type", "uri", "digest", "facts")}


def function_name(step: Step) -> str:
    """Return the name of the function that a step calls: one a kind, but one a custom step."""
    own = step.known_kind.own_function
    return f"custom_{identifier(step.id.value)}" if own else step.known_kind.name


def function_arn(step: Step) -> str:
    """Return the marker of a step's function, or the ARN that a custom step names."""
    handler = str(step.config.get("handler"))
    if step.known_kind.own_function and handler.startswith("arn:"):
        return handler
    return states.mark(states.function_marker(function_name(step)))


def assets_of(step: Step) -> tuple[AssetRule, ...]:
    """Return the files that go along with a step; those of a file that it does not name are left out."""
    rules = step.known_kind.assets
    return tuple(rule for rule in rules if not rule.path_of or step.config.get(rule.path_of))


def asset_marker(step: Step, rule: AssetRule) -> str:
    """Return the name of the marker that stands for an asset's address: `asset_train_source`."""
    return f"asset_{identifier(step.id.value)}_{rule.name}"


def emit(frame: Frame, following: str) -> Iterator[tuple[str, State]]:
    """Yield a step's states by name; all paths through them that do not fail lead to `following`."""
    if frame.skipped_with is not None:
        yield frame.entry, _emit_when(frame, following)
    if frame.waves:
        yield from _emit_waves(frame, following)
    elif frame.step.for_each is not None:
        yield frame.id, _emit_each(frame, following)
    elif frame.step.known_kind.fan_out:
        yield from _emit_map(frame, following)
    else:
        yield frame.id, _emit_task(frame, following)


def condition_of(pipeline: Pipeline, parts: tuple[Part, ...]) -> conditions.Term:
    """Return a `when:` as JSONata with its type. Raises ConditionError."""

    def type_of(ref: Ref) -> str:
        found = resolution.resolve(ref, pipeline)
        return found if isinstance(found, str) else resolution.ANY

    return conditions.read(parts, type_of, expressions.ref)


def _emit_when(frame: Frame, following: str) -> State:
    """Emit the choice whether the step runs. `= true` makes what a skipped step leaves out a plain no."""
    asked = []
    if frame.skipped_with:
        asked.append(expressions.none_skipped([f"step_{identifier(each)}" for each in frame.skipped_with]))
    if frame.step.when:
        asked.append(f"({condition_of(frame.pipeline, frame.step.when.value).code}) = true")
    return {
        "Type": "Choice",
        "Comment": frame.comment,
        "Choices": [{"Condition": enclose(" and ".join(asked)), "Next": frame.begin}],
        "Assign": {frame.step.variable: {"skipped": True}},
        "Default": following,
    }


def _emit_task(frame: Frame, following: str) -> State:
    waits = frame.step.known_kind.waits
    result = states.result_of(waits=waits)
    return {
        **frame.task(frame.config()),
        "Assign": {frame.step.variable: result},
        "Next": following,
    }


def _emit_waves(frame: Frame, following: str) -> Iterator[tuple[str, State]]:
    """Emit one task a wave; the last makes one deployment of all of them."""
    variables = [f"wave{number}_{identifier(frame.id)}" for number in range(len(frame.waves))]
    names = [wave["name"] for wave in frame.waves]
    ends = [*(frame.wave_state(number) for number in range(1, len(names))), following]
    for number, wave in enumerate(frame.waves):
        merged = {"deployment": enclose(expressions.merge_waves(names, variables[:-1]))}
        last = number == len(names) - 1
        config = {**frame.config(), "wave": frame.template(configs.wave(wave))}
        yield (
            frame.wave_state(number),
            {
                **frame.task(config),
                "Assign": {frame.step.variable: merged}
                if last
                else {variables[number]: "{% $states.result.deployment %}"},
                "Next": ends[number],
            },
        )


def _emit_each(frame: Frame, following: str) -> State:
    """Emit a Map over the author's list; the first entry that fails fails the step."""
    one = f"{frame.id} (item)"
    kind = frame.step.known_kind
    attempt = {
        **frame.task(frame.config(), target=enclose(ITEM_NUMBER)),
        **({} if kind.waits else {"Output": states.result_of(waits=False)}),
        "End": True,
    }
    output = {name: enclose(f"[$states.result.{name}]") for name in kind.outputs}
    limit = {"MaxConcurrency": frame.step.max_parallel} if frame.step.max_parallel else {}
    return {
        "Type": "Map",
        "Comment": frame.comment,
        "Items": frame.template(frame.step.for_each),
        **limit,
        "ItemSelector": {
            "item": "{% $states.context.Map.Item.Value %}",
            "number": "{% $states.context.Map.Item.Index %}",
        },
        "ItemProcessor": {
            "StartAt": one,
            "States": {one: attempt},
        },
        "Assign": {frame.step.variable: output},
        "Next": following,
    }


def _emit_map(frame: Frame, following: str) -> Iterator[tuple[str, State]]:
    """Emit the fan-out: one iteration a target, each ending in an outcome, then the judgement over all.

    A judgement against it ends the run in a task, so that a redrive begins there and runs the fan-out again.
    """
    judge = f"{frame.id} (judge)"
    kind = frame.step.known_kind
    output = {
        kind.gives: enclose(expressions.merge_outcomes("$exists(artifact)", "artifact")),
        "failed": enclose(expressions.merge_outcomes("$exists(error)", '{"error": error, "cause": cause}')),
    }
    yield (
        frame.id,
        {
            "Type": "Map",
            "Comment": frame.comment,
            "Items": frame.step.config[kind.fan_out],
            "ItemProcessor": _iteration(frame),
            "Output": output,
            "Next": judge,
        },
    )
    yield judge, _judge(frame, following)
    cause = enclose(expressions.LOST.format(of=len(frame.step.config[kind.fan_out])))
    yield states.failing(frame.id), states.judgement(frame.id, cause, comment=frame.comment)


def _iteration(frame: Frame) -> dict[str, Any]:
    one, lost = f"{frame.id} (target)", f"{frame.id} (target failed)"
    attempt = {
        **frame.task(frame.config(), target=enclose(expressions.MAP_ITEM)),
        "Catch": [{"ErrorEquals": ["States.ALL"], "Output": enclose(expressions.OUTCOME), "Next": lost}],
        "End": True,
    }
    return {
        "StartAt": one,
        "States": {one: attempt, lost: {"Type": "Pass", "End": True}},
    }


def _judge(frame: Frame, following: str) -> State:
    """Emit the choice between going on, with the outcomes as the step's output, and failing."""
    config, gives = frame.step.config, frame.step.known_kind.gives
    every = config["require"] == "all"
    condition = "$states.input.failed = {}" if every else f"$states.input.{gives} != {{}}"
    return {
        "Type": "Choice",
        "Comment": frame.comment,
        "Choices": [
            {
                "Condition": enclose(condition),
                "Assign": {frame.step.variable: "{% $states.input %}"},
                "Next": following,
            }
        ],
        "Assign": {states.JUDGED: enclose(expressions.REDRIVES)},
        "Default": states.failing(frame.id),
    }
