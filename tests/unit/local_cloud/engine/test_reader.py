from __future__ import annotations

import json
from typing import Any

import pytest

from local_cloud.engine import reader
from local_cloud.engine.errors import InvalidDefinitionError
from tests.unit.local_cloud.engine.cases import CASES
from tests.unit.local_cloud.engine.machines import machine, pass_, scope, task

RETRY = {"ErrorEquals": ["E"]}


def one(state: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return machine({"S": state}, **fields)


def with_retry(**fields: Any) -> dict[str, Any]:
    return one(task("f", Retry=[{**RETRY, **fields}]))


def with_map(processor: Any = None, **fields: Any) -> dict[str, Any]:
    return one({"Type": "Map", "ItemProcessor": processor or scope({"I": pass_()}), "End": True, **fields})


REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no query language": ({"StartAt": "S", "States": {"S": pass_()}}, ["QueryLanguage", "JSONPath"]),
    "JSONPath": (one(pass_(), QueryLanguage="JSONPath"), ["QueryLanguage", "JSONPath"]),
    "JSONPath state": (one(pass_(QueryLanguage="JSONPath")), ["state 'S'", "'QueryLanguage'"]),
    "InputPath": (one(pass_(InputPath="$.a")), ["state 'S'", "'InputPath'", "JSONPath"]),
    "Result": (one(pass_(Result=1)), ["state 'S'", "'Result'", "JSONPath"]),
    "misspelt": (one(pass_(Outptu=1)), ["state 'S'", "'Outptu'", "did you mean 'Output'"]),
    "unknown top field": (one(pass_(), Timeout=3), ["state machine", "'Timeout'", "TimeoutSeconds"]),
    "unknown type": (one({"Type": "Sleep", "End": True}), ["state 'S'", "'Type'", "'Sleep'"]),
    "no type": (one({"End": True}), ["state 'S'", "'Type'"]),
    "version": (one(pass_(), Version="2.0"), ["'Version'"]),
    "no start": ({"QueryLanguage": "JSONata", "States": {"S": pass_()}}, ["'StartAt'"]),
    "start at nothing": ({**one(pass_()), "StartAt": "T"}, ["StartAt", "'T'"]),
    "no such next": (one({"Type": "Pass", "Next": "T"}), ["state 'S'", "'Next'", "'T'"]),
    "near next": (
        machine({"Train": pass_(Next="Trian"), "Train2": pass_()}),
        ["'Trian'", "did you mean 'Train'"],
    ),
    "neither next nor end": (one({"Type": "Pass"}), ["state 'S'", "'Next'"]),
    "next and end": (one({"Type": "Pass", "Next": "S", "End": True}), ["state 'S'", "'Next'"]),
    "end false": (one({"Type": "Pass", "End": False}), ["state 'S'", "'Next'"]),
    "unreachable": (machine({"A": pass_(), "B": pass_()}), ["state 'B'", "no state leads"]),
    "endless": (machine({"A": pass_(Next="B"), "B": pass_(Next="A")}), ["'A'", "ends"]),
    "long name": (machine({"x" * 81: pass_()}), ["80"]),
    "same name twice": (
        machine({"A": {"Type": "Map", "ItemProcessor": scope({"A": pass_()}), "End": True}}),
        ["state 'A'", "2 times"],
    ),
    "resource": (
        one(task("f", Resource="arn:aws:states:::sagemaker:createTrainingJob.sync")),
        ["'Resource'", "sync"],
    ),
    "function arn": (
        one(task("f", Resource="arn:aws:lambda:us-east-1:123456789012:function:f")),
        ["state 'S'", "'Resource'", "lambda:invoke"],
    ),
    "activity": (one(task("f", Resource="arn:aws:states:us-east-1:1:activity:a")), ["'Resource'"]),
    "computed resource": (one(task("f", Resource="{% 1 %}")), ["'Resource'", "constant"]),
    "no arguments": (
        one({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}),
        ["state 'S'", "'Arguments'"],
    ),
    "no function": (one(task("f", Arguments={"Payload": 1})), ["'Arguments'", "'FunctionName'"]),
    "unknown argument": (one(task("f", Arguments={"FunctionName": "f", "LogType": "Tail"})), ["'LogType'"]),
    "credentials": (one(task("f", Credentials={"RoleArn": "r"})), ["state 'S'", "Credentials", "'RoleArn'"]),
    "heartbeat": (
        one(task("f", TimeoutSeconds=5, HeartbeatSeconds=5)),
        ["state 'S'", "'HeartbeatSeconds'", "less than"],
    ),
    "timeout 0": (one(task("f", TimeoutSeconds=0)), ["state 'S'", "'TimeoutSeconds'"]),
    "timeout text": (one(task("f", TimeoutSeconds="5")), ["state 'S'", "'TimeoutSeconds'"]),
    "timeout part": (one(task("f", TimeoutSeconds=1.5)), ["'TimeoutSeconds'", "whole"]),
    "syntax": (one(pass_(Output="{% 1 + %}")), ["state 'S'", "'Output'", "1 +"]),
    "syntax deep down": (one(pass_(Assign={"x": ["{% ) %}"]})), ["state 'S'", "'Assign'"]),
    "$eval": (one(pass_(Output="{% $eval('1') %}")), ["state 'S'", "$eval", "$parse"]),
    "$eval by name": (one(pass_(Output="{% ($e := $eval; $e('1')) %}")), ["$eval"]),
    "result too early": (one(task("f", payload="{% $states.result %}")), ["'Arguments'", "$states.result"]),
    "result of a Pass": (one(pass_(Output="{% $states.result.x %}")), ["'Output'", "$states.result"]),
    "no error": (
        one(pass_(Output="{% [1, $states.errorOutput.Cause] %}")),
        ["'Output'", "$states.errorOutput"],
    ),
    "result in a catcher": (
        machine(
            {
                "S": task("f", Catch=[{"ErrorEquals": ["E"], "Next": "Z", "Output": "{% $states.result %}"}]),
                "Z": pass_(),
            }
        ),
        ["Catch[0]", "'Output'", "$states.result"],
    ),
    "reserved variable": (one(pass_(Assign={"states": 1})), ["'Assign'", "'states'"]),
    "bad variable": (one(pass_(Assign={"a-b": 1})), ["'Assign'", "'a-b'"]),
    "assign a list": (one(pass_(Assign=[])), ["'Assign'", "object"]),
    "assign in Succeed": (one({"Type": "Succeed", "Assign": {"a": 1}}), ["state 'S'", "'Assign'"]),
    "outer variable": (
        machine(
            {
                "A": pass_(Assign={"x": 1}, Next="M"),
                "M": {"Type": "Map", "ItemProcessor": scope({"I": pass_(Assign={"x": 2})}), "End": True},
            }
        ),
        ["state 'I'", "'Assign'", "'x'", "outer"],
    ),
    "no choices": (one({"Type": "Choice", "Choices": []}), ["state 'S'", "'Choices'"]),
    "choice of text": (
        machine({"S": {"Type": "Choice", "Choices": [{"Condition": "yes", "Next": "Z"}]}, "Z": pass_()}),
        ["Choices[0]", "'Condition'"],
    ),
    "choice variable": (
        machine({"S": {"Type": "Choice", "Choices": [{"Variable": "$.a", "Next": "Z"}]}, "Z": pass_()}),
        ["state 'S'", "'Condition'"],
    ),
    "choice with End": (
        machine(
            {
                "S": {"Type": "Choice", "Choices": [{"Condition": True, "Next": "Z"}], "End": True},
                "Z": pass_(),
            }
        ),
        ["state 'S'", "'End'"],
    ),
    "wait for nothing": (one({"Type": "Wait", "End": True}), ["state 'S'", "'Seconds'"]),
    "wait for both": (
        one({"Type": "Wait", "Seconds": 1, "Timestamp": "t", "End": True}),
        ["'Seconds'", "one of"],
    ),
    "wait backwards": (one({"Type": "Wait", "Seconds": -1, "End": True}), ["'Seconds'"]),
    "retry without errors": (with_retry(ErrorEquals=[]), ["Retry[0]", "'ErrorEquals'"]),
    "retry at once": (with_retry(IntervalSeconds=0), ["Retry[0]", "'IntervalSeconds'"]),
    "retry faster": (with_retry(BackoffRate=0.5), ["Retry[0]", "'BackoffRate'"]),
    "retry delay": (with_retry(IntervalSeconds=5, MaxDelaySeconds=5), ["Retry[0]", "'MaxDelaySeconds'"]),
    "retry jitter": (with_retry(JitterStrategy="SOME"), ["Retry[0]", "'JitterStrategy'"]),
    "retry unknown": (with_retry(Interval=5), ["Retry[0]", "'Interval'", "IntervalSeconds"]),
    "wildcard first": (
        one(task("f", Retry=[{"ErrorEquals": ["States.ALL"]}, RETRY])),
        ["'Retry'", "States.ALL", "last"],
    ),
    "wildcard among others": (
        one(task("f", Retry=[{"ErrorEquals": ["E", "States.ALL"]}])),
        ["States.ALL", "alone"],
    ),
    "catch to nothing": (one(task("f", Catch=[{"ErrorEquals": ["E"], "Next": "T"}])), ["state 'S'", "'T'"]),
    "retry on Pass": (one(pass_(Retry=[RETRY])), ["state 'S'", "'Retry'"]),
    "no branches": (one({"Type": "Parallel", "Branches": [], "End": True}), ["'Branches'"]),
    "no processor": (one({"Type": "Map", "End": True}), ["state 'S'", "'ItemProcessor'"]),
    "iterator": (with_map(Iterator={}), ["state 'S'", "'Iterator'", "ItemProcessor"]),
    "distributed": (
        with_map(
            {**scope({"I": pass_()}), "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
        ),
        ["state 'S'", "'Mode'", "Distributed"],
    ),
    "batcher": (with_map(ItemBatcher={"MaxItemsPerBatch": 2}), ["state 'S'", "'ItemBatcher'", "Distributed"]),
    "reader": (with_map(ItemReader={}), ["'ItemReader'", "Distributed"]),
    "writer": (with_map(ResultWriter={}), ["'ResultWriter'"]),
    "tolerance": (with_map(ToleratedFailurePercentage=5), ["'ToleratedFailurePercentage'"]),
    "items": (with_map(Items={"a": 1}), ["'Items'", "array"]),
    "inner mistake": (with_map(scope({"I": pass_(Outputs=1)})), ["state 'I'", "'Outputs'"]),
    "machine timeout": (one(pass_(), TimeoutSeconds=0), ["'TimeoutSeconds'"]),
    "state is no object": (machine({"S": 1}), ["state 'S'", "object"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_run_is_refused_by_state_and_field(name: str) -> None:
    definition, parts = REFUSED[name]
    with pytest.raises(InvalidDefinitionError) as caught:
        reader.read(json.dumps(definition))
    for part in parts:
        assert part in str(caught.value)


def test_every_problem_is_told() -> None:
    definition = machine(
        {"A": pass_(InputPath="$", Next="B"), "B": pass_(Next="C", Result=1), "C": {"Type": "X"}}
    )
    with pytest.raises(InvalidDefinitionError) as caught:
        reader.read(json.dumps(definition))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "state 'A', field 'InputPath'",
        "state 'B', field 'Result'",
        "state 'C', field 'Type'",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", "1", '{"a": 1, "a": 2}'])
def test_text_that_is_no_definition(text: str) -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        reader.read(text)
    assert len(caught.value.problems) == 1


def test_a_definition_over_a_megabyte_is_refused() -> None:
    with pytest.raises(InvalidDefinitionError, match="1048576"):
        reader.read(json.dumps(one(pass_(Comment="x" * 1_048_576))))


def test_the_conformance_table_is_accepted() -> None:
    for case in CASES:
        assert reader.read(json.dumps(case.definition)).scope.states
