"""A compiled definition read back: the tasks it calls, what they get, and how often.

A definition says by itself which handlers it needs and with what, so policies, plans and costs can be worked
out from one in a file as well as from one that was compiled a moment ago.
"""

from __future__ import annotations

import graphlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pipelines.diagnostics import RequestError
from pipelines.states import PARAMETERS, REFUSED, START, failing

if TYPE_CHECKING:
    from pipelines.values import Json

_FUNCTION = re.compile(r"\$\{([a-z][a-z0-9_]*)_function_arn\}")
_VARIABLE = re.compile(r"\$step_([a-z0-9_]+)")
_PARAM = re.compile(r"\$params\.`?([a-z][a-z0-9_]*)")
_DEFAULT = re.compile(r"\{% \$exists\([^()]*\) \? \S+ : (?P<literal>.*) %\}", re.DOTALL)


class MachineError(RequestError):
    """A text is no definition that edgepipe wrote."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One Task state: `step` is empty for the platform's own, `times` is 1 but inside a Map.

    `times` is None where only a run knows how long the Map's list is.
    """

    state: str
    function: str
    payload: Mapping[str, Any]
    times: int | None
    items: Json = None
    """What the Map around it runs over, a list or an expression; null outside of one."""

    @property
    def step(self) -> str:
        """Return the id of the step that the state belongs to."""
        return str(self.payload.get("step", ""))

    @property
    def kind(self) -> str:
        """Return the step's kind."""
        return str(self.payload.get("kind", ""))

    @property
    def config(self) -> Mapping[str, Any]:
        """Return the config that the handler gets, with expressions where only a run knows the value."""
        found = self.payload.get("config")
        return found if isinstance(found, Mapping) else {}

    @property
    def handler(self) -> str:
        """Return the name of the handler that the marker stands for; empty for an ARN that the spec gives."""
        found = _FUNCTION.fullmatch(self.function)
        return found[1] if found else ""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A definition. `states` holds every state by its name, those inside Maps too; `params` the defaults."""

    pipeline: str
    document: Mapping[str, Any]
    states: Mapping[str, Mapping[str, Any]]
    tasks: tuple[Task, ...]
    params: Mapping[str, str]
    transitions: int
    """How many a run makes on its longest way to success."""

    def steps(self) -> dict[str, tuple[Task, ...]]:
        """Return step id → its tasks, in the order of the states."""
        ids = dict.fromkeys(task.step for task in self.tasks if task.step)
        return {each: tuple(task for task in self.tasks if task.step == each) for each in ids}

    def default(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return a value of a config; for one that is a parameter alone, the parameter's literal default.

        An expression that is anything else comes back as it is.
        """
        name = re.fullmatch(r"\{% \$params\.([a-z][a-z0-9_]*) %\}", value) if isinstance(value, str) else None
        found = _DEFAULT.fullmatch(self.params.get(name[1], "")) if name else None
        try:
            return json.loads(found["literal"]) if found else value
        except ValueError:
            return value


class _Found(NamedTuple):
    name: str
    state: Mapping[str, Any]
    times: int | None
    items: Json


def parse(text: str) -> Machine:
    """Read a definition's text. Raises MachineError where edgepipe did not write it."""
    try:
        document = json.loads(text)
        return _machine(document)
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError) as error:
        message = "this is no definition that `edgepipe compile` wrote"
        raise MachineError(message) from error


def is_definition(text: str) -> bool:
    """Say whether a text is meant as a definition: JSON, which a spec hardly is, with states."""
    return text.lstrip().startswith("{") and '"States"' in text


def used_steps(value: Any) -> set[str]:  # noqa: ANN401 - any JSON
    """Return the variables `step_x` that expressions in a value read, as x."""
    return {name for text in texts(value) for name in _VARIABLE.findall(text)}


def used_params(value: Any) -> set[str]:  # noqa: ANN401 - any JSON
    """Return the parameters that expressions in a value read."""
    return {name for text in texts(value) for name in _PARAM.findall(text)}


def texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yield every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from texts(item)


def _machine(document: Mapping[str, Any]) -> Machine:
    found = tuple(_walk(document, 1, None))
    states = {each.name: each.state for each in found}
    params = _assigned(states.get(PARAMETERS, {}), "params")
    return Machine(
        pipeline=str(states[START]["Assign"]["run"]["pipeline"]),
        document=document,
        states=states,
        tasks=tuple(_task(each) for each in found if each.state["Type"] == "Task"),
        params={str(name): str(text) for name, text in params.items()},
        transitions=_transitions(document),
    )


def _task(found: _Found) -> Task:
    arguments = found.state["Arguments"]
    return Task(
        state=found.name,
        function=str(arguments["FunctionName"]),
        payload=_payload(arguments["Payload"]),
        times=found.times,
        items=found.items,
    )


def _assigned(state: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the object that a state or one of its choices assigns to a variable."""
    parts = [state, *state.get("Choices", ())]
    found: Mapping[str, Any] = next(
        (part["Assign"][name] for part in parts if name in part.get("Assign", {})), {}
    )
    return found


def _payload(value: Any) -> Mapping[str, Any]:  # noqa: ANN401 - any JSON
    """Return an event whose parts are of the types that the others here take for granted."""
    config = value.get("config", {})
    parts = (value, config, config.get("components", {}), value.get("assets", {}))
    if not all(isinstance(part, dict) for part in parts):
        message = "an event's config, components and assets are objects"
        raise TypeError(message)
    return dict(value)


def _walk(scope: Mapping[str, Any], times: int | None, items: Json) -> Iterator[_Found]:
    for name, state in scope["States"].items():
        yield _Found(name, state, times, items)
        if "ItemProcessor" in state:
            yield from _walk(state["ItemProcessor"], _product(times, _length(state)), state.get("Items"))


def _product(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one * other


def _length(state: Mapping[str, Any]) -> int | None:
    items = state.get("Items")
    return len(items) if isinstance(items, list) else None


def _transitions(scope: Mapping[str, Any]) -> int:
    """Count the states on the longest way from a scope's start to its end, Maps with what is inside them.

    Raises graphlib.CycleError where there is no end.
    """
    lost = {REFUSED, *(failing(name) for name in scope["States"])}
    states = {name: state for name, state in scope["States"].items() if name not in lost}
    after = {name: [each for each in _following(states[name]) if each in states] for name in states}
    longest: dict[str, int] = {}
    for name in graphlib.TopologicalSorter(after).static_order():
        rest = max((longest[each] for each in after[name]), default=0)
        longest[name] = 1 + _iterations(states[name]) + rest
    return longest[scope["StartAt"]]


def _following(state: Mapping[str, Any]) -> list[str]:
    parts = [state, *state.get("Choices", ())]
    return [part[key] for part in parts for key in ("Next", "Default") if key in part]


def _iterations(state: Mapping[str, Any]) -> int:
    return (_length(state) or 1) * _transitions(state["ItemProcessor"]) if "ItemProcessor" in state else 0
