"""The text of a definition: its markers, what replaces them, and whether Step Functions could accept it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

MAX_BYTES = 1024 * 1024
"""A definition's limit (docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)."""

MAX_STATE_NAME = 80

_MARKER = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")


class DefinitionError(Exception):
    """A definition cannot be used; the message says why."""


def serialise(definition: Mapping[str, Any]) -> str:
    """Write a definition as text: the same definition gives the same bytes."""
    return json.dumps(definition, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def markers(text: str) -> tuple[str, ...]:
    """Return the names of a definition's markers, sorted, each once."""
    return tuple(sorted(set(_MARKER.findall(text))))


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Replace every marker by its value, escaped for JSON. Raises DefinitionError with all missing names."""
    missing = [name for name in markers(text) if name not in values]
    if missing:
        message = f"the definition has markers without a value: {', '.join(missing)}"
        raise DefinitionError(message)
    return _MARKER.sub(lambda match: json.dumps(values[match[1]], ensure_ascii=False)[1:-1], text)


def check(definition: Mapping[str, Any]) -> list[str]:
    """Return everything that is wrong with a definition we emitted; it is empty unless edgepipe has a bug."""
    names: list[str] = []
    problems = [*_check_scope(definition, names), *_check_strings(definition)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    return problems + [f"the state name {name!r} is used twice" for name in repeated]


def _check_scope(scope: Mapping[str, Any], names: list[str]) -> Iterator[str]:
    """Check the states of the machine or of one Map: targets exist, all are reached, each ends or goes on."""
    found: Mapping[str, Any] = scope["States"]
    names += found
    reached = _reach(scope)
    yield from (f"the state {name!r} does not exist" for name in sorted(reached - set(found)))
    yield from (f"the state {name!r} is never reached" for name in found if name not in reached)
    for name, state in found.items():
        if len(name) > MAX_STATE_NAME:
            yield f"the state name {name!r} is longer than {MAX_STATE_NAME} characters"
        yield from (f"the state {name!r} {problem}" for problem in _check_state(state))
        if "ItemProcessor" in state:
            yield from _check_scope(state["ItemProcessor"], names)


def _check_state(state: Mapping[str, Any]) -> Iterator[str]:
    final = state["Type"] in ("Succeed", "Fail", "Choice")
    if not final and ("Next" in state) == ("End" in state):
        yield "needs either Next or End"
    if state["Type"] == "Task" and not {"TimeoutSeconds", "Retry", "Catch"} <= set(state):
        yield "is a task without TimeoutSeconds, Retry or Catch"
    if state.get("HeartbeatSeconds", 0) >= state.get("TimeoutSeconds", 1):
        yield "has a heartbeat that is not shorter than its timeout"


def _reach(scope: Mapping[str, Any]) -> set[str]:
    reached: set[str] = set()
    waiting = [scope["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += _targets(scope["States"].get(name, {}))
    return reached


def _targets(state: Mapping[str, Any]) -> list[str]:
    parts = [state, *state.get("Catch", ()), *state.get("Choices", ())]
    return [part[key] for part in parts for key in ("Next", "Default") if key in part]


def _check_strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Check that every text is one whole expression or none, and that every `${` begins a marker."""
    if isinstance(value, str):
        yield from _check_text(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _check_text(key)
            yield from _check_strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _check_strings(item)


def _check_text(text: str) -> Iterator[str]:
    expression = text.startswith("{%") and text.endswith("%}") and len(text) >= 4
    inner = text[2:-2] if expression else text
    if "{%" in inner or "%}" in inner:
        yield f"has unbalanced JSONata delimiters: {text!r}"
    if "${" in _MARKER.sub("", text):
        yield f"has '${{' that begins no marker: {text!r}"
