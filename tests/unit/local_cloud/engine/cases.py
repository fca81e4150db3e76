"""Definitions, inputs and what they must come to: the engine's conformance table.

Each row names the fact it stands for. `Fails(error)` compares the error, and the cause where one is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.unit.local_cloud.engine.machines import machine, pass_, scope, task

QUERY = "States.QueryEvaluationError"


@dataclass(frozen=True)
class Fails:
    error: str | None
    cause: str | None = None
    """A part of the cause."""


@dataclass(frozen=True)
class Case:
    about: str
    definition: dict[str, Any]
    input: Any
    expected: Any


class DefectError(Exception):
    """Stands for an error that a handler raises."""


def one(state: dict[str, Any]) -> dict[str, Any]:
    return machine({"S": state})


def output(expression: Any) -> dict[str, Any]:
    return one(pass_(Output=expression))


def choice(*rules: dict[str, Any], **fields: Any) -> dict[str, Any]:
    ends = {name: pass_(Output=name) for name in ("A", "B", "D")}
    used = {rule["Next"] for rule in rules} | {fields.get("Default")}
    state = {"Type": "Choice", "Choices": list(rules), **fields}
    return machine({"C": state, **{name: end for name, end in ends.items() if name in used}})


def caught(state: dict[str, Any], errors: list[str], **fields: Any) -> dict[str, Any]:
    catch = [{"ErrorEquals": errors, "Next": "Handler", **fields}]
    return machine({"S": {**state, "Catch": catch}, "Handler": pass_()})


def mapped(states: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return one({"Type": "Map", "ItemProcessor": scope(states), "End": True, **fields})


def parallel(*branches: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return one(
        {"Type": "Parallel", "Branches": [scope(branch) for branch in branches], "End": True, **fields}
    )


VALUES = [
    Case("input is output", one(pass_()), {"a": [1, None, "x"]}, {"a": [1, None, "x"]}),
    Case("a string is a valid output", output("plain"), {}, "plain"),
    Case("null is a valid output", output(None), {}, None),
    Case("false is a valid output", output("{% false %}"), {}, False),
    Case(
        "templates render at any depth", output({"a": ["{% $states.input.x %}", 2]}), {"x": 1}, {"a": [1, 2]}
    ),
    Case("only a whole string is an expression", output(" {% 1 %}"), {}, " {% 1 %}"),
    Case("numbers stay integers", output("{% 6 / 2 %}"), {}, 3),
    Case("floats stay floats", output("{% 1 / 2 %}"), {}, 0.5),
    Case("null is a value", output("{% $states.input.n %}"), {"n": None}, None),
    Case("null inside an object", output("{% {'n': $states.input.n} %}"), {"n": None}, {"n": None}),
    Case("a missing field is undefined", output("{% $states.input.n %}"), {}, Fails(QUERY, "undefined")),
    Case("undefined inside an object", output({"a": "{% $x %}"}), {}, Fails(QUERY, "undefined")),
    Case("exists guards", output("{% $exists($states.input.n) ? 1 : 2 %}"), {}, 2),
    Case("singletons unwrap", output("{% $states.input.l[v>1].v %}"), {"l": [{"v": 1}, {"v": 2}]}, 2),
    Case("[] keeps an array", output("{% $states.input.l[v>1].v[] %}"), {"l": [{"v": 1}, {"v": 2}]}, [2]),
    Case("quotes and newlines pass", output("{% $states.input.s & '!' %}"), {"s": 'a"b\n\\'}, 'a"b\n\\!'),
    Case("emoji pass", output("{% $length($states.input) %}"), "a😀", 2),
    Case("a function is no value", output("{% function($x){$x + 1} %}"), {}, Fails(QUERY)),
    Case("a type error", output("{% 'a' + 1 %}"), {}, Fails(QUERY, "threw an error")),
    Case("$error", output("{% $error('bad thing') %}"), {}, Fails(QUERY, "bad thing")),
    Case(
        "a runaway expression ends", output("{% ($f := function($n){1 + $f($n)}; $f(1)) %}"), {}, Fails(QUERY)
    ),
    Case("division by zero", output("{% 1 / 0 %}"), {}, Fails(QUERY)),
]

FUNCTIONS = [
    Case("$partition", output("{% $partition([1..5], 2) %}"), {}, [[1, 2], [3, 4], [5]]),
    Case("$partition of nothing", output("{% $partition([], 2) %}"), {}, Fails(QUERY, "undefined")),
    Case("$partition by 0", output("{% $partition([1], 0) %}"), {}, Fails(QUERY, "above 0")),
    Case("$range up", output("{% $range(1, 9, 2) %}"), {}, [1, 3, 5, 7, 9]),
    Case("$range down", output("{% $range(3, 0, -1) %}"), {}, [3, 2, 1, 0]),
    Case("$range of one", output("{% $range(1, 1, 1) %}"), {}, 1),
    Case("$range of nothing", output("{% $exists($range(2, 1, 1)) %}"), {}, False),
    Case("$range without end", output("{% $range(0, 9, 0) %}"), {}, Fails(QUERY, "other than 0")),
    Case("$range is bounded", output("{% $count($range(1, 10000000, 1)) %}"), {}, Fails(QUERY, "at most")),
    Case("$hash", output("{% $hash('abc', 'MD5') %}"), {}, "900150983cd24fb0d6963f7d28e17f72"),
    Case(
        "$hash SHA-1", output("{% $hash('abc', 'SHA-1') %}"), {}, "a9993e364706816aba3e25717850c26c9cd0d89d"
    ),
    Case("$hash of unknown kind", output("{% $hash('a', 'CRC') %}"), {}, Fails(QUERY, "SHA-256")),
    Case("$parse", output("{% $parse('{\"a\": [1, null]}') %}"), {}, {"a": [1, None]}),
    Case("$parse of null", output("{% $parse('null') %}"), {}, None),
    Case("$parse of nonsense", output("{% $parse('{') %}"), {}, Fails(QUERY)),
    Case("$uuid", output("{% $length($uuid()) %}"), {}, 36),
    Case("$uuid differs", output("{% $uuid() = $uuid() %}"), {}, False),
    Case("$random with a seed repeats", output("{% $random(7) = $random(7) %}"), {}, True),
    Case("$random is below 1", output("{% $random() < 1 %}"), {}, True),
    Case("$now is one time", output("{% $now() = $now() and $toMillis($now()) = $millis() %}"), {}, True),
    Case("$shuffle keeps the items", output("{% $sort($shuffle([3, 1, 2])) %}"), {}, [1, 2, 3]),
]

VARIABLES = [
    Case(
        "Assign and Output see the old variables",
        machine({"A": pass_(Assign={"x": 1}, Next="B"), "B": pass_(Assign={"x": 2}, Output="{% $x %}")}),
        {},
        1,
    ),
    Case(
        "an inner scope reads the outer variables",
        machine(
            {
                "A": pass_(Assign={"x": 10}, Next="M"),
                "M": {
                    "Type": "Map",
                    "Items": [1, 2],
                    "ItemProcessor": scope({"I": pass_(Output="{% $x + $states.input %}")}),
                    "End": True,
                },
            }
        ),
        {},
        [11, 12],
    ),
    Case(
        "an inner variable ends with its scope",
        machine(
            {
                "M": {
                    "Type": "Map",
                    "Items": [1],
                    "ItemProcessor": scope({"I": pass_(Assign={"inner": 1})}),
                    "Next": "Z",
                },
                "Z": pass_(Output="{% $exists($inner) %}"),
            }
        ),
        {},
        False,
    ),
    Case(
        "null can be assigned",
        machine({"A": pass_(Assign={"x": None}, Next="B"), "B": pass_(Output="{% $x = null %}")}),
        {},
        True,
    ),
    Case(
        "Assign of Succeed's predecessor stays",
        machine({"A": pass_(Assign={"x": 1}, Next="B"), "B": {"Type": "Succeed", "Output": "{% $x %}"}}),
        {},
        1,
    ),
]

CONTEXT = [
    Case("Execution.Name", output("{% $states.context.Execution.Name %}"), {}, "run-1"),
    Case("Execution.Input", output("{% $states.context.Execution.Input.a %}"), {"a": 1}, 1),
    Case("StateMachine.Name", output("{% $states.context.StateMachine.Name %}"), {}, "m"),
    Case("State.Name", output("{% $states.context.State.Name %}"), {}, "S"),
    Case("EnteredTime", output("{% $toMillis($states.context.State.EnteredTime) > 0 %}"), {}, True),
    Case("StartTime", output("{% $contains($states.context.Execution.StartTime, /Z$/) %}"), {}, True),
    Case("no token", output("{% $exists($states.context.Task) %}"), {}, False),
]

CHOICES = [
    Case("the first rule that holds", choice({"Condition": "{% $states.input > 1 %}", "Next": "A"}), 2, "A"),
    Case(
        "the second rule",
        choice({"Condition": "{% false %}", "Next": "A"}, {"Condition": "{% true %}", "Next": "B"}),
        2,
        "B",
    ),
    Case("the default", choice({"Condition": "{% false %}", "Next": "A"}, Default="D"), 0, "D"),
    Case(
        "nothing holds",
        choice({"Condition": "{% false %}", "Next": "A"}),
        0,
        Fails("States.NoChoiceMatched", "C"),
    ),
    Case("no boolean", choice({"Condition": "{% 1 %}", "Next": "A"}), 0, Fails(QUERY, "boolean")),
    Case(
        "a rule assigns and puts out",
        machine(
            {
                "C": {
                    "Type": "Choice",
                    "Choices": [{"Condition": True, "Next": "A", "Assign": {"x": 5}, "Output": "from rule"}],
                },
                "A": pass_(Output={"x": "{% $x %}", "input": "{% $states.input %}"}),
            }
        ),
        {},
        {"x": 5, "input": "from rule"},
    ),
    Case(
        "a loop",
        machine(
            {
                "A": pass_(Assign={"n": 0}, Next="B"),
                "B": pass_(Assign={"n": "{% $n + 1 %}"}, Next="C"),
                "C": {
                    "Type": "Choice",
                    "Choices": [{"Condition": "{% $n < 3 %}", "Next": "B"}],
                    "Default": "Z",
                },
                "Z": pass_(Output="{% $n %}"),
            }
        ),
        {},
        3,
    ),
]

ENDS = [
    Case("Fail", one({"Type": "Fail", "Error": "E", "Cause": "why"}), {}, Fails("E", "why")),
    Case("Fail says nothing", one({"Type": "Fail"}), {}, Fails(None)),
    Case(
        "Fail evaluates",
        one({"Type": "Fail", "Error": "{% $states.input.e %}", "Cause": "{% 'c' & 1 %}"}),
        {"e": "X"},
        Fails("X", "c1"),
    ),
    Case("Fail wants a string", one({"Type": "Fail", "Error": "{% 1 %}"}), {}, Fails(QUERY, "not a string")),
    Case("Succeed puts out", one({"Type": "Succeed", "Output": "{% $states.input.a %}"}), {"a": 7}, 7),
    Case("Wait no time", one({"Type": "Wait", "Seconds": 0, "End": True}), {"a": 1}, {"a": 1}),
    Case(
        "Wait until the past", one({"Type": "Wait", "Timestamp": "2020-01-01T00:00:00Z", "End": True}), 1, 1
    ),
    Case(
        "Wait for words",
        one({"Type": "Wait", "Seconds": "{% 'x' %}", "End": True}),
        1,
        Fails(QUERY, "Seconds"),
    ),
    Case(
        "Wait for less", one({"Type": "Wait", "Seconds": "{% -1 %}", "End": True}), 1, Fails(QUERY, "least 0")
    ),
    Case(
        "Wait: no time", one({"Type": "Wait", "Timestamp": "soon", "End": True}), 1, Fails(QUERY, "RFC 3339")
    ),
    Case(
        "Wait: no zone",
        one({"Type": "Wait", "Timestamp": "2020-01-01T00:00:00", "End": True}),
        1,
        Fails(QUERY),
    ),
]

TASKS = [
    Case("a task's result", one(task("double")), 4, 8),
    Case(
        "the whole result",
        one(task("double", Output="{% $states.result %}")),
        4,
        {"ExecutedVersion": "$LATEST", "Payload": 8, "StatusCode": 200},
    ),
    Case("a handler's error", one(task("broken")), {}, Fails("DefectError", "bad input")),
    Case(
        "an undefined argument", one(task("double", payload="{% $nothing %}")), 4, Fails(QUERY, "Arguments")
    ),
    Case("a result too large", one(task("grow")), 300_000, Fails("States.DataLimitExceeded", "262144")),
    Case(
        "an output too large",
        output("{% $join($range(1,60000,1).$string()) %}"),
        1,
        Fails("States.DataLimitExceeded"),
    ),
    Case("a computed timeout", one(task("double", TimeoutSeconds="{% $states.input * 100000 %}")), 9, 18),
    Case(
        "no timeout at all", one(task("double", TimeoutSeconds="{% 0 %}")), 9, Fails(QUERY, "TimeoutSeconds")
    ),
]

CATCHES = [
    Case(
        "the error output",
        caught(task("broken"), ["DefectError"]),
        {},
        {"Error": "DefectError", "Cause": '{"errorMessage": "bad input"}'},
    ),
    Case("States.ALL", caught(task("broken"), ["States.ALL"], Output="caught"), {}, "caught"),
    Case("States.TaskFailed", caught(task("broken"), ["States.TaskFailed"], Output="caught"), {}, "caught"),
    Case("another error", caught(task("broken"), ["Other"]), {}, Fails("DefectError")),
    Case(
        "a catcher assigns",
        machine(
            {
                "S": task(
                    "broken",
                    Catch=[
                        {
                            "ErrorEquals": ["States.ALL"],
                            "Next": "H",
                            "Assign": {"why": "{% $parse($states.errorOutput.Cause).errorMessage %}"},
                        }
                    ],
                ),
                "H": pass_(Output="{% $why %}"),
            }
        ),
        {},
        "bad input",
    ),
    Case(
        "too much data is beyond States.ALL",
        caught(task("grow"), ["States.ALL"]),
        300_000,
        Fails("States.DataLimitExceeded"),
    ),
    Case(
        "too much data can be named",
        caught(task("grow"), ["States.DataLimitExceeded"], Output="caught"),
        300_000,
        "caught",
    ),
    Case("a query error", caught(task("double", Output="{% $no %}"), [QUERY], Output="caught"), 1, "caught"),
    Case("a Pass cannot catch", output("{% $no %}"), 1, Fails(QUERY)),
    Case(
        "an error in the catcher",
        caught(task("broken"), ["States.ALL"], Output="{% $no %}"),
        1,
        Fails(QUERY, "Catch[0]/Output"),
    ),
]

RETRIES = [
    Case("a second attempt", one(task("flaky", Retry=[{"ErrorEquals": ["DefectError"]}])), 2, "after 2"),
    Case(
        "attempts run out",
        one(task("flaky", Retry=[{"ErrorEquals": ["DefectError"], "MaxAttempts": 2}])),
        9,
        Fails("DefectError"),
    ),
    Case(
        "no attempt",
        one(task("flaky", Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 0}])),
        1,
        Fails("DefectError"),
    ),
    Case(
        "RetryCount",
        one(
            task(
                "flaky",
                Retry=[{"ErrorEquals": ["States.ALL"]}],
                Output="{% $states.context.State.RetryCount %}",
            )
        ),
        2,
        2,
    ),
    Case(
        "each retrier counts its own",
        one(
            task(
                "flaky",
                Retry=[{"ErrorEquals": ["Other"]}, {"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": 3}],
            )
        ),
        3,
        "after 3",
    ),
    Case(
        "catch after the attempts",
        caught(
            task("flaky", Retry=[{"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]),
            ["States.ALL"],
            Output="x",
        ),
        9,
        "x",
    ),
    Case(
        "a Map is retried whole",
        mapped({"I": task("flaky")}, Items=[1, 1], Retry=[{"ErrorEquals": ["DefectError"]}]),
        {},
        ["after 1", "after 1"],
    ),
]

FANOUT = [
    Case("a Map over its input", mapped({"I": task("double")}), [1, 2, 3], [2, 4, 6]),
    Case("a Map over nothing", mapped({"I": task("double")}), [], []),
    Case(
        "results keep their order",
        mapped({"I": task("double")}, MaxConcurrency=2),
        list(range(20)),
        list(range(0, 40, 2)),
    ),
    Case("Items", mapped({"I": pass_()}, Items="{% $states.input.l %}"), {"l": [1]}, [1]),
    Case("Items is no array", mapped({"I": pass_()}, Items="{% 1 %}"), {}, Fails(QUERY, "array")),
    Case("an input that is no array", mapped({"I": pass_()}), {"a": 1}, Fails(QUERY, "array")),
    Case(
        "ItemSelector",
        mapped(
            {"I": pass_()},
            ItemSelector={
                "i": "{% $states.context.Map.Item.Index %}",
                "v": "{% $states.context.Map.Item.Value %}",
                "all": "{% $count($states.input) %}",
            },
        ),
        ["a", "b"],
        [{"i": 0, "v": "a", "all": 2}, {"i": 1, "v": "b", "all": 2}],
    ),
    Case(
        "Map.Item inside",
        mapped({"I": pass_(Output="{% $states.context.Map.Item.Index %}")}),
        ["a", "b"],
        [0, 1],
    ),
    Case(
        "one failure fails the Map", mapped({"I": task("odd")}), [2, 3, 4], Fails("DefectError", "3 is odd")
    ),
    Case(
        "an iteration may catch",
        mapped(
            {
                "I": task("odd", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "H", "Output": "odd"}]),
                "H": pass_(),
            }
        ),
        [2, 3],
        [2, "odd"],
    ),
    Case("a Map's Output", mapped({"I": pass_()}, Output="{% $sum($states.result) %}"), [1, 2], 3),
    Case(
        "a Map in a Map",
        mapped({"M": {"Type": "Map", "ItemProcessor": scope({"I": task("double")}), "End": True}}),
        [[1, 2], [3]],
        [[2, 4], [6]],
    ),
    Case("MaxConcurrency of words", mapped({"I": pass_()}, MaxConcurrency="{% 'x' %}"), [1], Fails(QUERY)),
    Case("branches", parallel({"A": task("double")}, {"B": pass_(Output="b")}), 2, [4, "b"]),
    Case(
        "Arguments of a Parallel",
        parallel({"A": pass_()}, Arguments={"x": "{% $states.input %}"}),
        2,
        [{"x": 2}],
    ),
    Case(
        "a branch fails",
        parallel({"A": task("broken")}, {"B": pass_()}),
        2,
        Fails("DefectError", "bad input"),
    ),
    Case(
        "a Fail inside a Parallel is caught",
        caught(
            {
                "Type": "Parallel",
                "Branches": [scope({"A": {"Type": "Fail", "Error": "E", "Cause": "c"}})],
                "End": True,
            },
            ["E"],
        ),
        1,
        {"Error": "E", "Cause": "c"},
    ),
]

CASES = VALUES + FUNCTIONS + VARIABLES + CONTEXT + CHOICES + ENDS + TASKS + CATCHES + RETRIES + FANOUT
