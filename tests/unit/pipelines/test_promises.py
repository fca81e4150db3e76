"""Every golden definition, broken in every way we can think of, is noticed to be broken."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines import definition, jsonata

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/asl.json"))

Path_ = tuple[str | int, ...]

FREE = {"Comment", "Output", "MaxDelaySeconds", "IntervalSeconds", "BackoffRate", "MaxConcurrency"}
"""What a machine of ours may lack in some place without being broken."""


def load(case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(GOLDEN.joinpath(case, "asl.json").read_text(encoding="utf-8"))
    return found


def walk(value: Any, path: Path_ = ()) -> Iterator[tuple[Path_, Any]]:
    """Yield every value with its path, those that hold others first."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from walk(item, (*path, place))


def changed(machine: dict[str, Any], path: Path_, change: Callable[[Any, Any], None]) -> dict[str, Any]:
    """Return a copy in which `change` was applied to the holder of the value at `path`."""
    broken = copy.deepcopy(machine)
    holder: Any = broken
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return broken


def put(value: Any) -> Callable[[Any, Any], None]:
    def change(holder: Any, key: Any) -> None:
        holder[key] = value

    return change


def drop(holder: Any, key: Any) -> None:
    del holder[key]


def rename(holder: Any, key: Any) -> None:
    holder[f"{key}x"] = holder.pop(key)


def structure(machine: dict[str, Any]) -> list[tuple[Path_, Any]]:
    """Return the places of the machine's own fields: not those of events, variables and outputs."""
    inside = {"Payload", "Assign", "Output", "ItemSelector"}
    return [(path, value) for path, value in walk(machine) if path and not inside & set(path[:-1])]


def expressions(machine: dict[str, Any]) -> list[tuple[Path_, str]]:
    return [
        (path, value) for path, value in walk(machine) if isinstance(value, str) and value.startswith("{%")
    ]


def unnoticed(machine: dict[str, Any], broken: Iterator[tuple[str, dict[str, Any]]]) -> list[str]:
    assert definition.check(machine) == []
    tried = [(what, definition.check(each)) for what, each in broken]
    assert tried
    return [what for what, problems in tried if not problems]


@pytest.mark.parametrize("case", CASES)
def test_a_field_that_is_gone_is_noticed(case: str) -> None:
    machine = load(case)
    keys = [path for path, _ in structure(machine) if isinstance(path[-1], str) and path[-1] not in FREE]
    assert unnoticed(machine, ((f"without {path}", changed(machine, path, drop)) for path in keys)) == []


@pytest.mark.parametrize("case", CASES)
def test_a_field_or_state_of_another_name_is_noticed(case: str) -> None:
    machine = load(case)
    keys = [path for path, _ in structure(machine) if isinstance(path[-1], str)]
    assert unnoticed(machine, ((f"renamed {path}", changed(machine, path, rename)) for path in keys)) == []


@pytest.mark.parametrize("wrong", [None, [], {}, 0, -1, True, "", "x y"], ids=repr)
@pytest.mark.parametrize("case", ["full", "two-models"])
def test_a_value_of_the_wrong_type_is_noticed(case: str, wrong: Any) -> None:
    machine = load(case)
    places = [
        (path, value)
        for path, value in structure(machine)
        if isinstance(path[-1], str)
        and path[-1] not in {"Comment", "Output", "Items", "Error", "Cause"}
        and path[-2:-1] != ("States",)
        and type(value) is not type(wrong)
        and not (wrong == {} and path[-1] == "Assign")
    ]
    broken = ((f"{path} = {wrong!r}", changed(machine, path, put(wrong))) for path, _ in places)
    assert unnoticed(machine, broken) == []


@pytest.mark.parametrize("case", CASES)
def test_a_target_that_is_another_state_is_noticed_or_as_good(case: str) -> None:
    """Going on at Start, or at a state that does not exist, is never right."""
    machine = load(case)
    places = [path for path, _ in walk(machine) if path and path[-1] in ("Next", "Default", "StartAt")]
    broken = (
        (f"{path} -> {name}", changed(machine, path, put(name)))
        for path in places
        for name in ("Start", "nowhere", "")
        if (path, name) != (("StartAt",), "Start")
    )
    assert unnoticed(machine, broken) == []


@pytest.mark.parametrize("case", CASES)
def test_a_misspelt_variable_is_noticed(case: str) -> None:
    machine = load(case)
    broken = (
        (f"{path}: {name[0]}x", changed(machine, path, put(text[: name.end()] + "x" + text[name.end() :])))
        for path, text in expressions(machine)
        for name in re.finditer(r"\$[A-Za-z_]\w*", text)
        if not re.search(rf"\{name[0]}(?= :=)|function\([^)]*\{name[0]}\b", text)
    )
    assert unnoticed(machine, broken) == []


@pytest.mark.parametrize("case", CASES)
def test_an_unbalanced_expression_is_noticed(case: str) -> None:
    machine = load(case)
    broken = (
        (
            f"{path} without {sign[0]!r}",
            changed(machine, path, put(text[: sign.start()] + text[sign.end() :])),
        )
        for path, text in expressions(machine)
        for sign in re.finditer(r"[(){}\[\]]", text)
        if not quoted(text, sign.start())
    )
    assert unnoticed(machine, broken) == []


def quoted(text: str, place: int) -> bool:
    """Say whether a place is inside a text or a regular expression."""
    inside = re.finditer(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|/\^(?:[^/\\]|\\.)*/', text)
    return any(match.start() <= place < match.end() for match in inside)


@pytest.mark.parametrize("case", CASES)
def test_a_variable_that_is_not_assigned_is_noticed(case: str) -> None:
    machine = load(case)
    places = [path for path, _ in walk(machine) if len(path) > 1 and path[-2] == "Assign"]
    broken = ((f"without {path}", changed(machine, path, drop)) for path in places)
    assert unnoticed(machine, broken) == []


@pytest.mark.parametrize("case", CASES)
def test_two_states_of_one_name_a_loop_and_a_large_machine_are_noticed(case: str) -> None:
    machine = load(case)
    first = next(iter(machine["States"]))
    machine["States"]["again"] = {
        "Type": "Map",
        "Items": [],
        "ItemProcessor": {"States": {first: {"Type": "Pass", "End": True}}, "StartAt": first},
    }
    assert any("used twice" in each for each in definition.check(machine))
    looped = load(case)
    looped["States"][looped["States"]["Parameters"]["Choices"][0]["Next"]]["Next"] = "Parameters"
    assert any("from itself" in each for each in definition.check(looped))


BACK = {
    "from a task of another name": lambda states: states.update({"compile (lost)": states.pop(FAILED)}),
    "from a task of another function": lambda states: states[FAILED]["Arguments"].update(
        FunctionName="${compile_function_arn}"
    ),
    "to a state before it": lambda states: states[FAILED].update(Next="train"),
    "to itself": lambda states: states[FAILED].update(Next=FAILED),
    "to the choice": lambda states: states[FAILED].update(Next="compile (judge)"),
}
FAILED = "compile (failed)"


@pytest.mark.parametrize("change", BACK.values(), ids=BACK)
def test_the_one_loop_is_that_of_a_fan_out_that_failed(change: Callable[[Any], None]) -> None:
    machine = load("cookies")
    assert definition.check(machine) == []
    change(machine["States"])
    machine["States"]["compile (judge)"]["Default"] = next(
        name for name in ("compile (lost)", FAILED) if name in machine["States"]
    )
    assert any("from itself" in each for each in definition.check(machine))


def test_a_way_around_the_fan_out_into_its_loop_is_noticed() -> None:
    machine = load("cookies")
    train, judge = (machine["States"][name] for name in ("train", "compile (judge)"))
    judge["Default"] = "Refused"
    machine["States"]["Parameters"]["Default"] = FAILED
    machine["States"]["Parameters"]["Assign"] = {"redrives": 0}
    assert train["Next"] == "compile"
    assert any("reached without 'compile'" in each for each in definition.check(machine))


def test_a_step_that_catches_its_error_is_noticed() -> None:
    machine = load("cookies")
    catch = {"ErrorEquals": ["States.ALL"], "Next": "Refused"}
    machine["States"]["train"]["Catch"] = [catch]
    assert any("no redrive" in each for each in definition.check(machine))


SOUND = [
    "$a.b[0].c & 'x'",
    "$exists($a) ? -1 : 2.5e3",
    "[1..3].($ * 2)",
    '$merge([$a[$exists(b)].{c: {"d": e}}])',
    "$contains($a, /^a(b|c)\\/$/i)",
    "($x := 1; $f := function($y, $z) { $y + $z }; $f($x, 2))",
    "$not($ in ['a', \"b\"]) and a or b.`and`",
    "$a ~> $join(', ')",
    "/* why */ **.a",
]
BROKEN = [
    "",
    "$a $b",
    "1 +",
    "+ 1",
    "f(1,)",
    "(1; 2",
    "[1}",
    "$nosuch(1)",
    "'open",
    "$states.nothing",
    "a . . b",
    "$a ? : 1",
]


@pytest.mark.parametrize("code", SOUND)
def test_sound_expressions_are_let_through(code: str) -> None:
    assert jsonata.scan(code).problems == ()
    assert jsonata.scan(code).variables <= {"a"}


@pytest.mark.parametrize("code", BROKEN)
def test_broken_expressions_are_not(code: str) -> None:
    assert jsonata.scan(code).problems
