"""The table of definitions: those of the engine's unit tests, and more about how states work together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.unit.local_cloud.engine import cases as unit
from tests.unit.local_cloud.engine.cases import QUERY, Case, Fails, caught, mapped, one, output, parallel
from tests.unit.local_cloud.engine.machines import machine, pass_, scope, task, waiting

RETRY_ALL = [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]
FAIL = {"Type": "Fail", "Error": "E", "Cause": "c"}


@dataclass(frozen=True)
class Traced:
    """A case, and the types of the events that its execution leaves, in order."""

    case: Case
    events: tuple[str, ...]


def retried(function: str, *retriers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return one(task(function, Retry=list(retriers), **fields))


def fails(state: dict[str, Any], errors: list[str]) -> dict[str, Any]:
    """A state inside a Parallel whose failure somebody may catch."""
    inner = {"Type": "Parallel", "Branches": [scope({"I": state})], "End": True}
    return caught(inner, errors, Output="caught")


JSONATA = [
    Case("$map with index", output("{% [1, 2].($ * 2) %}"), {}, [2, 4]),
    Case("$filter", output("{% $filter([1..6], function($v){$v % 3 = 0}) %}"), {}, [3, 6]),
    Case("$reduce", output("{% $reduce([1..4], function($a, $b){$a * $b}) %}"), {}, 24),
    Case("$merge", output("{% $merge([{'a': 1}, {'b': 2}]) %}"), {}, {"a": 1, "b": 2}),
    Case("$keys", output("{% $keys($states.input) %}"), {"a": 1, "b": 2}, ["a", "b"]),
    Case("$lookup", output("{% $lookup($states.input, 'b') %}"), {"b": 2}, 2),
    Case("$split and $join", output("{% $join($split('a/b/c', '/'), '-') %}"), {}, "a-b-c"),
    Case("$substringAfter", output("{% $substringAfter('s3://b/k', '//') %}"), {}, "b/k"),
    Case("$number of text", output("{% $number('4.5') %}"), {}, 4.5),
    Case("$string of an object", output("{% $string({'a': 1}) %}"), {}, '{"a":1}'),
    Case("$string of an array", output("{% $string([1, 'x']) %}"), {}, '[1,"x"]'),
    Case("$boolean of empty text", output("{% $boolean('') %}"), {}, False),
    Case("$not", output("{% $not(true) %}"), {}, False),
    Case("$type", output("{% $type([]) %}"), {}, "array"),
    Case("$append", output("{% $append([1], [2]) %}"), {}, [1, 2]),
    Case("$distinct", output("{% $distinct([1, 1, 2]) %}"), {}, [1, 2]),
    Case(
        "$sort by field",
        output("{% $sort($states.input, function($a, $b){$a.n > $b.n}).n %}"),
        [{"n": 2}, {"n": 1}],
        [1, 2],
    ),
    Case("$zip", output("{% $zip([1, 2], ['a', 'b']) %}"), {}, [[1, "a"], [2, "b"]]),
    Case("$each", output("{% $each({'a': 1, 'b': 2}, function($v, $k){$k & $v}) %}"), {}, ["a1", "b2"]),
    Case("$match", output("{% $match('ab12', /[0-9]+/).match %}"), {}, "12"),
    Case("$replace", output("{% $replace('a.b', '.', '-') %}"), {}, "a-b"),
    Case("$pad", output("{% $pad('7', -3, '0') %}"), {}, "007"),
    Case("$round", output("{% $round(2.5) %}"), {}, 2),
    Case("$floor of a quotient", output("{% $floor(7 / 2) %}"), {}, 3),
    Case("$max of nothing is undefined", output("{% $exists($max([])) %}"), {}, False),
    Case("a variable of a block", output("{% ($a := 2; $a + 1) %}"), {}, 3),
    Case("an object is grouped", output("{% $states.input{k: v} %}"), [{"k": "a", "v": 1}], {"a": 1}),
    Case("a wildcard", output("{% $sum($states.input.*) %}"), {"a": 1, "b": 2}, 3),
    Case("a chain", output("{% 'x' ~> $uppercase() %}"), {}, "X"),
    Case("an array of expressions", output(["{% 1 + 1 %}", "{% 'a' %}"]), {}, [2, "a"]),
    Case("text with a percent", output("100 % {"), {}, "100 % {"),
    Case("a range of a path", output("{% $states.input.l[[0..1]] %}"), {"l": [1, 2, 3]}, [1, 2]),
    Case("$hash SHA-256", output("{% $substring($hash('a', 'SHA-256'), 0, 8) %}"), {}, "ca978112"),
    Case("$hash SHA-512", output("{% $length($hash('a', 'SHA-512')) %}"), {}, 128),
    Case("$uuid has version 4", output("{% $substring($uuid(), 14, 1) %}"), {}, "4"),
    Case("$base64encode", output("{% $base64encode('a') %}"), {}, "YQ=="),
    Case("$parse of a number", output("{% $parse('12') %}"), {}, 12),
    Case("$toMillis", output("{% $toMillis('2026-01-01T00:00:00.000Z') %}"), {}, 1767225600000),
    Case("$fromMillis", output("{% $fromMillis(0) %}"), {}, "1970-01-01T00:00:00.000Z"),
    Case("$assert fails", output("{% $assert(false, 'no') %}"), {}, Fails(QUERY, "no")),
]

SCOPES = [
    Case(
        "an array inside an array is flattened",
        machine({"A": pass_(Assign={"x": 1, "y": [2]}, Next="B"), "B": pass_(Output="{% [$x, $y[]] %}")}),
        {},
        [1, 2],
    ),
    Case(
        "a variable is set from another's old value",
        machine(
            {
                "A": pass_(Assign={"x": 1, "y": 2}, Next="B"),
                "B": pass_(Assign={"x": "{% $y %}", "y": "{% $x %}"}, Next="C"),
                "C": pass_(Output="{% [$x, $y] %}"),
            }
        ),
        {},
        [2, 1],
    ),
    Case(
        "a task assigns from its result",
        machine(
            {
                "A": task("double", Assign={"r": "{% $states.result.Payload %}"}, Next="B"),
                "B": pass_(Output="{% $r %}"),
            }
        ),
        4,
        8,
    ),
    Case(
        "Assign leaves the output as it is",
        machine({"A": pass_(Assign={"x": 1}, Next="B"), "B": pass_()}),
        {"in": 1},
        {"in": 1},
    ),
    Case(
        "each iteration has variables of its own",
        mapped({"A": pass_(Assign={"v": "{% $states.input %}"}, Next="B"), "B": pass_(Output="{% $v %}")}),
        [1, 2, 3],
        [1, 2, 3],
    ),
    Case(
        "each branch has variables of its own",
        parallel(
            {"A": pass_(Assign={"v": 1}, Next="B"), "B": pass_(Output="{% $v %}")},
            {"C": pass_(Assign={"v": 2}, Next="D"), "D": pass_(Output="{% $v %}")},
        ),
        {},
        [1, 2],
    ),
    Case(
        "a catcher sees the variables from before",
        machine(
            {
                "A": pass_(Assign={"x": 5}, Next="S"),
                "S": task(
                    "broken", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "H", "Output": "{% $x %}"}]
                ),
                "H": pass_(),
            }
        ),
        {},
        5,
    ),
    Case(
        "a failed state assigns nothing",
        machine(
            {
                "S": task("broken", Assign={"x": 1}, Catch=[{"ErrorEquals": ["States.ALL"], "Next": "H"}]),
                "H": pass_(Output="{% $exists($x) %}"),
            }
        ),
        {},
        False,
    ),
    Case(
        "an object is a variable",
        machine({"A": pass_(Assign={"o": {"a": "{% 1 + 1 %}"}}, Next="B"), "B": pass_(Output="{% $o.a %}")}),
        {},
        2,
    ),
    Case(
        "a Choice's default assigns the state's",
        machine(
            {
                "C": {
                    "Type": "Choice",
                    "Choices": [{"Condition": False, "Next": "B", "Assign": {"x": "rule"}}],
                    "Default": "B",
                    "Assign": {"x": "state"},
                },
                "B": pass_(Output="{% $x %}"),
            }
        ),
        {},
        "state",
    ),
]

ERRORS = [
    Case("a Fail is caught outside", fails(FAIL, ["E"]), {}, "caught"),
    Case("States.ALL catches it", fails(FAIL, ["States.ALL"]), {}, "caught"),
    Case("States.TaskFailed catches a Fail", fails(FAIL, ["States.TaskFailed"]), {}, "caught"),
    Case("States.Timeout does not", fails(FAIL, ["States.Timeout"]), {}, Fails("E")),
    Case(
        "one of several names",
        caught(task("broken"), ["Other", "DefectError"], Output="caught"),
        {},
        "caught",
    ),
    Case(
        "names are case-sensitive",
        caught(task("broken"), ["defecterror"], Output="caught"),
        {},
        Fails("DefectError"),
    ),
    Case(
        "a later catcher",
        machine(
            {
                "S": task(
                    "broken",
                    Catch=[
                        {"ErrorEquals": ["Other"], "Next": "A"},
                        {"ErrorEquals": ["States.ALL"], "Next": "B"},
                    ],
                ),
                "A": pass_(Output="a"),
                "B": pass_(Output="b"),
            }
        ),
        {},
        "b",
    ),
    Case(
        "the handler's own error goes on",
        machine(
            {
                "S": task("broken", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "H"}]),
                "H": {"Type": "Fail", "Error": "{% $states.input.Error %}", "Cause": "handled"},
            }
        ),
        {},
        Fails("DefectError", "handled"),
    ),
    Case(
        "an unmatched choice is caught outside",
        caught(
            {
                "Type": "Parallel",
                "Branches": [
                    scope(
                        {
                            "I": {"Type": "Choice", "Choices": [{"Condition": False, "Next": "J"}]},
                            "J": pass_(),
                        }
                    )
                ],
                "End": True,
            },
            ["States.NoChoiceMatched"],
            Output="caught",
        ),
        {},
        "caught",
    ),
    Case("a query error in a branch", fails(pass_(Output="{% $no %}"), [QUERY]), {}, "caught"),
    Case(
        "a query error is a failed task",
        caught(task("double", Output="{% $no %}"), ["States.TaskFailed"], Output=1),
        1,
        1,
    ),
    Case(
        "Items that fail are caught",
        caught(
            {"Type": "Map", "Items": "{% 1 %}", "ItemProcessor": scope({"I": pass_()}), "End": True},
            [QUERY],
            Output="c",
        ),
        {},
        "c",
    ),
    Case("a function that is not there", one(task("none")), {}, Fails("Lambda.ResourceNotFoundException")),
    Case(
        "that error can be caught",
        caught(task("none"), ["Lambda.ResourceNotFoundException"], Output=1),
        {},
        1,
    ),
    Case("an error without a name", one({"Type": "Fail", "Cause": "c"}), {}, Fails(None, "c")),
]

RETRIES = [
    Case("no retrier matches", retried("flaky", {"ErrorEquals": ["Other"]}), 1, Fails("DefectError")),
    Case("States.TaskFailed retries", retried("flaky", {"ErrorEquals": ["States.TaskFailed"]}), 1, "after 1"),
    Case(
        "States.Timeout does not retry",
        retried("flaky", {"ErrorEquals": ["States.Timeout"]}),
        1,
        Fails("DefectError"),
    ),
    Case("jitter", retried("flaky", {"ErrorEquals": ["States.ALL"], "JitterStrategy": "FULL"}), 1, "after 1"),
    Case(
        "a longest delay",
        retried("flaky", {"ErrorEquals": ["States.ALL"], "MaxDelaySeconds": 2, "BackoffRate": 1.5}),
        1,
        "after 1",
    ),
    Case(
        "three attempts are the default",
        retried("flaky", {"ErrorEquals": ["States.ALL"], "BackoffRate": 1}),
        3,
        "after 3",
    ),
    Case(
        "a fourth there is not",
        retried("flaky", {"ErrorEquals": ["States.ALL"], "BackoffRate": 1}),
        4,
        Fails("DefectError"),
    ),
    Case(
        "a Parallel is retried whole",
        parallel({"A": task("flaky")}, {"B": pass_(Output=1)}, Retry=RETRY_ALL),
        1,
        ["after 1", 1],
    ),
    Case(
        "a retried Map keeps its order",
        mapped({"I": task("flaky")}, Items=[1, 0], Retry=RETRY_ALL),
        {},
        ["after 1", "after 0"],
    ),
]

FANOUT = [
    Case(
        "ItemSelector renames",
        mapped({"I": pass_()}, ItemSelector={"x": "{% $states.context.Map.Item.Value %}"}),
        [1, 2],
        [{"x": 1}, {"x": 2}],
    ),
    Case("MaxConcurrency 1", mapped({"I": task("double")}, MaxConcurrency=1), [1, 2], [2, 4]),
    Case(
        "MaxConcurrency computed",
        mapped({"I": task("double")}, MaxConcurrency="{% 1 + 1 %}"),
        [1, 2, 3],
        [2, 4, 6],
    ),
    Case("an array of expressions as Items", mapped({"I": pass_()}, Items=["{% 1 %}", 2]), {}, [1, 2]),
    Case(
        "a Map of objects",
        mapped({"I": pass_(Output="{% $states.input.k %}")}),
        [{"k": 1}, {"k": [2]}],
        [1, [2]],
    ),
    Case("null items", mapped({"I": pass_()}), [None, 1], [None, 1]),
    Case("an iteration ends by Succeed", mapped({"I": {"Type": "Succeed", "Output": "s"}}), [1], ["s"]),
    Case(
        "an iteration chooses",
        mapped(
            {
                "C": {
                    "Type": "Choice",
                    "Choices": [{"Condition": "{% $states.input > 1 %}", "Next": "A"}],
                    "Default": "B",
                },
                "A": pass_(Output="a"),
                "B": pass_(Output="b"),
            }
        ),
        [1, 2],
        ["b", "a"],
    ),
    Case("a Fail in an iteration", mapped({"I": FAIL}), [1], Fails("E", "c")),
    Case(
        "a Parallel in a Map",
        mapped(
            {
                "P": {
                    "Type": "Parallel",
                    "Branches": [scope({"A": pass_()}), scope({"B": pass_(Output=0)})],
                    "End": True,
                }
            }
        ),
        [1, 2],
        [[1, 0], [2, 0]],
    ),
    Case(
        "a Map in a Parallel",
        parallel({"M": {"Type": "Map", "ItemProcessor": scope({"I": task("double")}), "End": True}}),
        [1, 2],
        [[2, 4]],
    ),
    Case("one branch", parallel({"A": pass_()}), 1, [1]),
    Case(
        "a Parallel's Output",
        parallel({"A": pass_(Output=1)}, {"B": pass_(Output=2)}, Output="{% $sum($states.result) %}"),
        {},
        3,
    ),
    Case(
        "a branch of several states", parallel({"A": task("double", Next="B"), "B": task("double")}), 1, [4]
    ),
    Case(
        "the outer input stays",
        machine(
            {
                "M": {
                    "Type": "Map",
                    "Items": [1],
                    "ItemProcessor": scope({"I": pass_()}),
                    "Output": "{% $states.input %}",
                    "End": True,
                }
            }
        ),
        {"o": 1},
        {"o": 1},
    ),
    Case(
        "the index in a nested Map",
        mapped(
            {
                "M": {
                    "Type": "Map",
                    "ItemProcessor": scope({"I": pass_(Output="{% $states.context.Map.Item.Index %}")}),
                    "End": True,
                }
            }
        ),
        [[5, 6]],
        [[0, 1]],
    ),
]

FLOW = [
    Case("Succeed without Output", one({"Type": "Succeed"}), {"a": 1}, {"a": 1}),
    Case(
        "two states",
        machine({"A": pass_(Output=1, Next="B"), "B": pass_(Output="{% $states.input + 1 %}")}),
        {},
        2,
    ),
    Case(
        "a condition that is constant",
        machine(
            {"C": {"Type": "Choice", "Choices": [{"Condition": True, "Next": "A"}]}, "A": pass_(Output=1)}
        ),
        {},
        1,
    ),
    Case(
        "a choice keeps its input",
        machine(
            {"C": {"Type": "Choice", "Choices": [{"Condition": "{% true %}", "Next": "A"}]}, "A": pass_()}
        ),
        {"k": 1},
        {"k": 1},
    ),
    Case(
        "a choice's Output",
        machine(
            {
                "C": {
                    "Type": "Choice",
                    "Choices": [{"Condition": "{% false %}", "Next": "A"}],
                    "Default": "A",
                    "Output": "o",
                },
                "A": pass_(),
            }
        ),
        {},
        "o",
    ),
    Case(
        "a Wait assigns",
        machine(
            {
                "W": {"Type": "Wait", "Seconds": 0, "Assign": {"x": 1}, "Next": "A"},
                "A": pass_(Output="{% $x %}"),
            }
        ),
        {},
        1,
    ),
    Case("a Wait's Output", one({"Type": "Wait", "Seconds": 0, "Output": "o", "End": True}), {}, "o"),
    Case("a Wait computes", one({"Type": "Wait", "Seconds": "{% 1 - 1 %}", "End": True}), 3, 3),
    Case(
        "a Wait until a computed time",
        one({"Type": "Wait", "Timestamp": "{% '2020-01-01T00:00:00Z' %}", "End": True}),
        3,
        3,
    ),
    Case("a comment is no field", machine({"A": pass_(Comment="c")}, Comment="d"), 1, 1),
    Case("a machine's time limit is enough", machine({"A": pass_()}, TimeoutSeconds=60), 1, 1),
    Case("the status of a call", one(task("double", Output="{% $states.result.StatusCode %}")), 1, 200),
    Case("an input of text", one(pass_()), "text", "text"),
    Case("deep nesting", one(pass_()), {"a": [[{"b": [None, [1.5]]}]]}, {"a": [[{"b": [None, [1.5]]}]]}),
    Case("a float that is whole", output("{% 2.0 %}"), {}, 2),
    Case(
        "the task's arguments see variables",
        machine({"A": pass_(Assign={"n": 21}, Next="B"), "B": task("double", payload="{% $n %}")}),
        {},
        42,
    ),
]

TOKENS = [
    Case(
        "a token's answer is the result", one(waiting("answer", Output="{% $states.result.done %}")), {}, True
    ),
    Case("a token's failure", one(waiting("decline")), {}, Fails("Declined", "no")),
    Case("a token's failure is caught", caught(waiting("decline"), ["Declined"], Output=1), {}, 1),
    Case(
        "tokens in a Map",
        mapped({"W": waiting("answer", Output="{% $states.result.done %}")}),
        [1, 2],
        [True, True],
    ),
]

TRACED = [
    Traced(
        Case("events of a Pass", one(pass_()), 1, 1),
        ("ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"),
    ),
    Traced(
        Case("events of a Task", one(task("double", payload=2)), 1, 4),
        (
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskSucceeded",
            "TaskStateExited",
            "ExecutionSucceeded",
        ),
    ),
    Traced(
        Case("events of a failed Task", one(task("broken", payload=1)), 1, Fails("DefectError")),
        (
            "ExecutionStarted",
            "TaskStateEntered",
            "TaskScheduled",
            "TaskStarted",
            "TaskFailed",
            "ExecutionFailed",
        ),
    ),
    Traced(
        Case(
            "events of a Choice",
            machine(
                {
                    "C": {"Type": "Choice", "Choices": [{"Condition": True, "Next": "A"}]},
                    "A": {"Type": "Succeed"},
                }
            ),
            1,
            1,
        ),
        (
            "ExecutionStarted",
            "ChoiceStateEntered",
            "ChoiceStateExited",
            "SucceedStateEntered",
            "SucceedStateExited",
            "ExecutionSucceeded",
        ),
    ),
    Traced(
        Case("events of a Wait", one({"Type": "Wait", "Seconds": 0, "End": True}), 1, 1),
        ("ExecutionStarted", "WaitStateEntered", "WaitStateExited", "ExecutionSucceeded"),
    ),
    Traced(
        Case("events of a Fail", one(FAIL), 1, Fails("E")),
        ("ExecutionStarted", "FailStateEntered", "ExecutionFailed"),
    ),
    Traced(
        Case("events of a Map", mapped({"I": pass_()}, MaxConcurrency=1), [7], [7]),
        (
            "ExecutionStarted",
            "MapStateEntered",
            "MapStateStarted",
            "MapIterationStarted",
            "PassStateEntered",
            "PassStateExited",
            "MapIterationSucceeded",
            "MapStateSucceeded",
            "MapStateExited",
            "ExecutionSucceeded",
        ),
    ),
    Traced(
        Case("events of a Parallel", parallel({"A": pass_()}), 7, [7]),
        (
            "ExecutionStarted",
            "ParallelStateEntered",
            "ParallelStateStarted",
            "PassStateEntered",
            "PassStateExited",
            "ParallelStateSucceeded",
            "ParallelStateExited",
            "ExecutionSucceeded",
        ),
    ),
]

OWN = JSONATA + SCOPES + ERRORS + RETRIES + FANOUT + FLOW + TOKENS + [traced.case for traced in TRACED]
CASES = unit.CASES + OWN
