"""What every definition that we emit promises; each problem is a bug of ours, found before AWS finds it.

Targets exist and are reached, every task ends, and where it fails for good the run ends, so that a redrive
goes on there. Every expression is sound and every variable is assigned on all ways that lead to where it is
used. Nothing loops but a fan-out that a redrive runs again: see `_leads_back`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipelines import jsonata, platform
from pipelines.states import JUDGE, failing, function_marker, mark

MAX_STATE_NAME = 80
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_ ()-]*")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,79}")
_RESOURCE = re.compile(r"arn:aws:states:::lambda:invoke(\.waitForTaskToken)?")
_FUNCTION = re.compile(r"\$\{[a-z][a-z0-9_]*_function_arn\}|arn:aws[a-z-]*:lambda:\S+")
_JUDGES = (mark(function_marker(JUDGE)), f":function:{platform.function_name(JUDGE)}")
_EXPRESSION = re.compile(r"\{%(.*)%\}", re.DOTALL)

_MOVES = frozenset({"Type", "Comment", "Next", "End", "Assign", "Output"})
_FIELDS: Mapping[str, tuple[frozenset[str], frozenset[str]]] = {
    "Pass": (frozenset({"Type"}), _MOVES),
    "Task": (
        frozenset({"Type", "Comment", "Resource", "Arguments", "TimeoutSeconds", "Retry"}),
        _MOVES | {"HeartbeatSeconds", "Catch"},
    ),
    "Map": (
        frozenset({"Type", "Comment", "Items", "ItemProcessor"}),
        _MOVES | {"Catch", "ItemSelector", "MaxConcurrency"},
    ),
    "Choice": (frozenset({"Type", "Comment", "Choices", "Default"}), frozenset({"Assign", "Output"})),
    "Succeed": (frozenset({"Type", "Output"}), frozenset({"Comment"})),
    "Fail": (frozenset({"Type", "Error", "Cause"}), frozenset({"Comment"})),
}
"""State type → the fields that it must have, and those that it may have besides."""

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "Type": str,
    "Comment": str,
    "Next": str,
    "Default": str,
    "StartAt": str,
    "End": bool,
    "Assign": dict,
    "Resource": str,
    "Arguments": dict,
    "TimeoutSeconds": int,
    "HeartbeatSeconds": int,
    "MaxConcurrency": int,
    "Retry": list,
    "Catch": list,
    "Choices": list,
    "Items": (list, str),
    "ItemSelector": dict,
    "ItemProcessor": dict,
    "Error": str,
    "Cause": str,
    "Condition": str,
    "ErrorEquals": list,
    "IntervalSeconds": int,
    "MaxAttempts": int,
    "MaxDelaySeconds": int,
    "BackoffRate": (int, float),
    "JitterStrategy": str,
}

State = Mapping[str, Any]


def check(definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a definition."""
    yield from _check_keys(
        definition, {"Comment", "QueryLanguage", "StartAt", "States"}, frozenset(), "the machine"
    )
    if definition.get("QueryLanguage") != "JSONata":
        yield "the machine is not in JSONata"
    names: list[str] = []
    yield from _check_scope(definition, names, {}, 0, inner=False)
    yield from (f"the state name {name!r} is used twice" for name in sorted(_repeated(names)))


def _repeated(names: list[str]) -> set[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]  # add() gives None


def _check_keys(
    value: Mapping[str, Any], needed: set[str] | frozenset[str], also: frozenset[str], what: str
) -> Iterator[str]:
    yield from (f"{what} has no {key}" for key in sorted(needed - set(value)))
    yield from (
        f"{what} has the unknown field {key}" for key in value if key not in needed and key not in also
    )
    for key, item in value.items():
        wanted = _TYPES.get(key)
        if wanted and (not isinstance(item, wanted) or (isinstance(item, bool) and wanted is not bool)):
            yield f"{what} has a {key} of the wrong type"


def _check_scope(
    scope: Mapping[str, Any], names: list[str], bits: dict[str, int], known: int, *, inner: bool
) -> Iterator[str]:
    """Check the machine, or what one Map runs; `known` are the variables assigned before it, one bit each."""
    found = scope.get("States")
    if not isinstance(found, dict) or not all(isinstance(state, dict) for state in found.values()):
        yield "the states are no objects"
        return
    names += found
    order, problems = _walk(str(scope.get("StartAt")), found)
    yield from problems
    visible = _flow(order, found, bits, known)
    yield from _check_back_ways(found, visible)
    for name, state in found.items():
        yield from _check_name(name)
        what = f"the state {name!r}"
        yield from _check_state(state, what, inner=inner)
        yield from _check_expressions(state, what, bits, visible.get(name, 0))
        if isinstance(state.get("ItemProcessor"), dict):
            yield from _check_processor(state["ItemProcessor"], what)
            yield from _check_scope(state["ItemProcessor"], names, bits, visible.get(name, 0), inner=True)


def _check_processor(processor: Mapping[str, Any], what: str) -> Iterator[str]:
    """Check what a Map runs; without a ProcessorConfig it is an inline one."""
    yield from _check_keys(processor, {"StartAt", "States"}, frozenset(), f"the Map of {what}")


def _check_name(name: str) -> Iterator[str]:
    if len(name) > MAX_STATE_NAME:
        yield f"the state name {name!r} is longer than {MAX_STATE_NAME} characters"
    if not _NAME.fullmatch(name):
        yield f"the state name {name!r} has characters that tools may not take"


def _walk(start: str, found: Mapping[str, State]) -> tuple[list[str], list[str]]:
    """Return the reachable states, each after all that lead to it, and what is wrong with the ways."""
    problems: list[str] = []
    order: list[str] = []
    colour: dict[str, int] = {}
    stack: list[tuple[str, Iterator[str]]] = []

    def enter(name: str) -> None:
        if name not in found:
            problems.append(f"the state {name!r} does not exist")
        elif colour.get(name) == 1:
            problems.append(f"the state {name!r} can be reached from itself")
        elif name not in colour:
            colour[name] = 1
            onward = [target for target, _ in _ways(found[name]) if not _leads_back(name, target, found)]
            stack.append((name, iter(onward)))

    enter(start)
    while stack:
        name, targets = stack[-1]
        target = next(targets, None)
        if target is None:
            colour[name] = 2
            order.append(name)
            stack.pop()
        else:
            enter(target)
    problems += [f"the state {name!r} is never reached" for name in found if name not in colour]
    return order[::-1], problems


def _leads_back(name: str, target: str, found: Mapping[str, State]) -> bool:
    """Say whether a way is the one that may close a loop: from the task `x (failed)` to the Map `x`.

    That task calls the function that fails as long as the run is not redriven.
    """
    state = found[name]
    arguments = state.get("Arguments")
    called = str(arguments.get("FunctionName")) if isinstance(arguments, dict) else ""
    kinds = (state.get("Type"), found.get(target, {}).get("Type"))
    return (name, *kinds) == (failing(target), "Task", "Map") and called.endswith(_JUDGES)


def _check_back_ways(found: Mapping[str, State], visible: Mapping[str, int]) -> Iterator[str]:
    """Check that a way back takes no variable from the Map, whose own were told from the ways onward."""
    for name, state in found.items():
        for target, _ in _ways(state):
            if _leads_back(name, target, found) and visible.get(target, 0) & ~visible.get(name, 0):
                yield f"the state {name!r} can be reached without {target!r}, to which it leads back"


def _ways(state: State) -> Iterator[tuple[str, Any]]:
    """Yield every state that can follow, with what is assigned on the way there."""
    if "Next" in state:
        yield str(state["Next"]), state.get("Assign")
    if "Default" in state:
        yield str(state["Default"]), state.get("Assign")
    for key in ("Choices", "Catch"):
        for each in _objects(state.get(key)):
            if "Next" in each:
                yield str(each["Next"]), each.get("Assign")


def _objects(value: Any) -> list[Mapping[str, Any]]:  # noqa: ANN401 - any JSON
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _flow(
    order: list[str], found: Mapping[str, State], bits: dict[str, int], known: int
) -> Mapping[str, int]:
    """Return, for each state, the variables that are assigned whichever way it was reached."""
    visible: dict[str, int] = {order[0]: known} if order else {}
    for name in order:
        before = visible[name]
        for target, assigned in _ways(found[name]):
            if _leads_back(name, target, found):
                continue
            after = before
            for variable in assigned if isinstance(assigned, dict) else ():
                after |= bits.setdefault(variable, 1 << len(bits))
            visible[target] = visible.get(target, after) & after
    return visible


def _check_state(state: State, what: str, *, inner: bool) -> Iterator[str]:
    kind = state.get("Type")
    if not isinstance(kind, str) or kind not in _FIELDS:
        yield f"{what} has no known type"
        return
    yield from _check_keys(state, *_FIELDS[kind], what)
    if kind in ("Pass", "Task", "Map") and ("Next" in state) == ("End" in state):
        yield f"{what} needs either Next or End"
    if state.get("End") is False or ("End" in state and not inner):
        yield f"{what} ends where only Done and Refused do"
    assigned = state.get("Assign")
    for variable in assigned if isinstance(assigned, dict) else ():
        if not _VARIABLE.fullmatch(variable) or variable == "states":
            yield f"{what} assigns {variable!r}, which cannot name a variable"
    if kind in ("Task", "Map"):
        yield from _check_catch(state, what, inner=inner)
    if kind == "Task":
        yield from _check_task(state, what)
    if kind == "Choice":
        yield from _check_choices(state, what)


def _check_choices(state: State, what: str) -> Iterator[str]:
    rules = _objects(state.get("Choices"))
    if not rules:
        yield f"{what} has no rule"
    for rule in rules:
        yield from _check_keys(
            rule, {"Condition", "Next"}, frozenset({"Assign", "Output"}), f"a rule of {what}"
        )
        if not _EXPRESSION.fullmatch(str(rule.get("Condition"))):
            yield f"a rule of {what} has a condition that is no expression"


def _check_catch(state: State, what: str, *, inner: bool) -> Iterator[str]:
    catchers = _objects(state.get("Catch"))
    if catchers and not inner:
        yield f"{what} catches its error, so that no redrive would go on there"
    for place, catcher in enumerate(catchers):
        yield from _check_keys(
            catcher, {"ErrorEquals", "Next"}, frozenset({"Assign", "Output"}), f"a Catch of {what}"
        )
        last = place == len(catchers) - 1
        if ("States.ALL" in _errors(catcher)) != last or (last and _errors(catcher) != ["States.ALL"]):
            yield f"{what} does not catch everything, alone and last"


def _errors(rule: Mapping[str, Any]) -> list[str]:
    found = rule.get("ErrorEquals")
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []


def _check_task(state: State, what: str) -> Iterator[str]:
    resource = str(state.get("Resource"))
    if not _RESOURCE.fullmatch(resource):
        yield f"{what} uses a resource that no platform of ours has"
    arguments = state.get("Arguments")
    payload = arguments.get("Payload") if isinstance(arguments, dict) else None
    function = arguments.get("FunctionName") if isinstance(arguments, dict) else None
    if not isinstance(payload, dict) or not _FUNCTION.fullmatch(str(function)):
        yield f"{what} calls no function with a payload"
    if isinstance(arguments, dict) and set(arguments) - {"FunctionName", "Payload"}:
        yield f"{what} has arguments that lambda:invoke is not given"
    waits = resource.endswith(".waitForTaskToken")
    token = isinstance(payload, dict) and payload.get("token") == "{% $states.context.Task.Token %}"
    if waits != ("HeartbeatSeconds" in state) or waits != token:
        yield f"{what} must have both a heartbeat and a task token, or neither"
    if isinstance(payload, dict) and not {"run", "usecase"} <= set(payload):
        yield f"{what} does not say which run and use case it works for"
    yield from _check_times(state, what)
    yield from _check_retry(state, what)


def _check_times(state: State, what: str) -> Iterator[str]:
    timeout, heartbeat = state.get("TimeoutSeconds"), state.get("HeartbeatSeconds", 1)
    if isinstance(timeout, int) and timeout < 1:
        yield f"{what} has a timeout below a second"
    if isinstance(timeout, int) and isinstance(heartbeat, int) and not 1 <= heartbeat <= max(1, timeout - 1):
        yield f"{what} has a heartbeat that is not shorter than its timeout"


_BOUNDS: Mapping[str, Callable[[float], bool]] = {
    "IntervalSeconds": lambda value: value >= 1,
    "MaxAttempts": lambda value: value >= 0,
    "BackoffRate": lambda value: value >= 1,
}


def _check_retry(state: State, what: str) -> Iterator[str]:
    retriers = _objects(state.get("Retry"))
    if not any("TransientError" in _errors(retrier) for retrier in retriers):
        yield f"{what} does not try again after a passing error"
    allowed = frozenset({"BackoffRate", "IntervalSeconds", "MaxDelaySeconds"})
    needed = {"ErrorEquals", "MaxAttempts", "JitterStrategy"}
    for retrier in retriers:
        yield from _check_keys(retrier, needed, allowed, f"a Retry of {what}")
        if not _errors(retrier) or "States.ALL" in _errors(retrier):
            yield f"a Retry of {what} must name its errors"
        if retrier.get("JitterStrategy") != "FULL":
            yield f"a Retry of {what} has no jitter"
        for key, holds in _BOUNDS.items():
            value = retrier.get(key)
            if isinstance(value, int | float) and not holds(value):
                yield f"a Retry of {what} has a {key} that makes no sense"
        interval, most = retrier.get("IntervalSeconds", 1), retrier.get("MaxDelaySeconds")
        if isinstance(interval, int) and isinstance(most, int) and most <= interval:
            yield f"a Retry of {what} has a MaxDelaySeconds that is not above its IntervalSeconds"


def _check_expressions(state: State, what: str, bits: Mapping[str, int], visible: int) -> Iterator[str]:
    done = state.get("Type") in ("Task", "Map")
    for key, value in state.items():
        if key in ("ItemProcessor", "Retry", "Comment"):
            continue
        if key == "Catch":
            seen = frozenset({"input", "context", "errorOutput"})
        else:
            result = {"result"} if done and key in ("Assign", "Output") else set()
            seen = frozenset({"input", "context"} | result)
        for code in _codes(value):
            yield from _check_code(code, f"{what}, {key}", bits, visible, seen)


def _codes(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yield every expression below a value."""
    if isinstance(value, str):
        if value.startswith("{%"):
            yield value[2:-2]
    elif isinstance(value, dict):
        for item in value.values():
            yield from _codes(item)
    elif isinstance(value, list):
        for item in value:
            yield from _codes(item)


def _check_code(
    code: str, where: str, bits: Mapping[str, int], visible: int, seen: frozenset[str]
) -> Iterator[str]:
    use = jsonata.scan(code)
    yield from (f"{where}: an expression {problem}: {code.strip()!r}" for problem in use.problems)
    for name in sorted(use.variables):
        if not bits.get(name, 0) & visible:
            yield f"{where}: ${name} is not assigned on every way that leads here"
    for name in sorted(use.states_fields & (jsonata.STATES_FIELDS - seen)):
        yield f"{where}: $states.{name} cannot be read here"
