from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from local_cloud.clock import timestamp
from tests.functional import handlers
from tests.functional.serverless import Cloud, serverless
from tests.unit.local_cloud.engine.machines import machine, pass_, scope, task, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    handlers.TOKENS.clear()
    handlers.EVENTS.clear()
    handlers.FAILURES.clear()
    with serverless(tmp_path, scale=1000, path=tmp_path / "runs.db") as place:
        place.create_function("note", "tests.functional.handlers.note", timeout=300)
        place.create_function("keep", "tests.functional.handlers.keep", timeout=300)
        yield place
    handlers.FAILURES.clear()


def step(name: str, **fields: Any) -> dict[str, Any]:
    return task("note", payload=name, **fields)


def called() -> list[str]:
    return [event["step"] for event in handlers.EVENTS]


def kinds(cloud: Cloud, execution: str) -> list[str]:
    return [event["type"] for event in cloud.events(execution)]


def test_a_failed_step_runs_again_with_its_retries_and_ended_ones_do_not(cloud: Cloud) -> None:
    retry = [{"ErrorEquals": ["Busy"], "MaxAttempts": 1}]
    arn = cloud.create_machine(machine({"A": step("a", Next="B"), "B": step("b", Retry=retry)}))
    handlers.FAILURES["b"] = ("Busy", "again", 3)
    execution = cloud.start(arn)
    first = cloud.settle(execution)
    assert (first["status"], first["redriveCount"], first["redriveStatus"]) == ("FAILED", 0, "REDRIVABLE")
    before = cloud.events(execution)
    cloud.states.redrive_execution(executionArn=execution)
    described = cloud.settle(execution)
    assert (described["status"], described["output"]) == ("SUCCEEDED", '"b"')
    assert (described["redriveCount"], described["redriveStatus"]) == (1, "NOT_REDRIVABLE")
    assert described["redriveStatusReason"] == "Execution is SUCCEEDED and cannot be redriven"
    assert described["redriveDate"] >= first["stopDate"]
    assert called() == ["a", "b", "b", "b", "b"]
    events = cloud.events(execution)
    assert events[: len(before)] == before
    assert [event["type"] for event in events[len(before) :]] == [
        "ExecutionRedriven",
        "TaskScheduled",
        "TaskStarted",
        "TaskFailed",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    assert events[len(before)]["executionRedrivenEventDetails"] == {"redriveCount": 1}
    with pytest.raises(ClientError, match="ExecutionNotRedrivable"):
        cloud.states.redrive_execution(executionArn=execution)


def test_only_failed_iterations_and_branches_run_again(cloud: Cloud) -> None:
    name = "{% 'i' & $string($states.input) %}"
    each = task("note", payload=name, Output="{% $states.input %}")
    loop = {"Type": "Map", "Items": [0, 1, 2], "MaxConcurrency": 1, "ItemProcessor": scope({"I": each})}
    branch = scope({"M": {**loop, "End": True}})
    parallel = {"Type": "Parallel", "Branches": [scope({"P": step("p")}), branch], "End": True}
    handlers.FAILURES["i1"] = ("Broken", "no", 2)
    execution = cloud.start(cloud.create_machine(machine({"All": parallel})))
    for count in (1, 2):
        assert cloud.settle(execution)["error"] == "Broken"
        cloud.states.redrive_execution(executionArn=execution)
        described = cloud.settle(execution)
        assert described["redriveCount"] == count
    assert json.loads(described["output"]) == ["p", [0, 1, 2]]
    # The other branch may have been interrupted by the first failure; its result was kept otherwise.
    assert sorted(set(called())) == ["i0", "i1", "i2", "p"]
    assert [called().count(each) for each in ("i0", "i1", "i2")] == [1, 3, 1]
    assert kinds(cloud, execution).count("MapIterationFailed") == 2
    assert kinds(cloud, execution).count("MapStateEntered") == 1


def test_a_stopped_wait_begins_anew_with_another_token(cloud: Cloud) -> None:
    execution = cloud.start(cloud.create_machine(machine({"W": waiting()})))
    (first,) = handlers.wait_for_tokens(1)
    cloud.states.stop_execution(executionArn=execution)
    cloud.states.redrive_execution(executionArn=execution)
    second = handlers.wait_for_tokens(2)[1]
    assert first != second
    with pytest.raises(ClientError, match="TaskTimedOut"):
        cloud.states.send_task_success(taskToken=first, output="1")
    cloud.states.send_task_success(taskToken=second, output="2")
    assert cloud.settle(execution)["output"] == "2"


def test_a_caught_failure_stays_caught(cloud: Cloud) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "C"}]
    inner = scope({"I": step("i")})
    loop = {"Type": "Map", "Items": [1], "ItemProcessor": inner, "Catch": catch, "End": True}
    handlers.FAILURES["i"] = ("Broken", "no", 1)
    handlers.FAILURES["c"] = ("Broken", "no", 1)
    execution = cloud.start(cloud.create_machine(machine({"M": loop, "C": step("c")})))
    assert cloud.settle(execution)["status"] == "FAILED"
    cloud.states.redrive_execution(executionArn=execution)
    assert cloud.settle(execution)["output"] == '"c"'
    assert called() == ["i", "c", "c"]


def test_a_state_keeps_what_it_saw_of_redrives(cloud: Cloud) -> None:
    count = "{% $states.context.Execution.RedriveCount %}"
    when = "{% [$states.context.Execution.RedriveTime, 'never'][0] %}"
    states = {
        "A": pass_(Assign={"a": [count, when]}, Next="B"),
        "B": step("b", Assign={"b": [count, when]}, Next="M"),
        "M": {
            "Type": "Map",
            "Items": [1],
            "ItemProcessor": scope({"I": step("i")}),
            "Assign": {"m": [count, when]},
            "Next": "C",
        },
        "C": step("c", Output=["{% $a %}", "{% $b %}", "{% $m %}", [count, when]]),
    }
    for name in "bic":
        handlers.FAILURES[name] = ("Broken", "no", 1)
    execution = cloud.start(cloud.create_machine(machine(states)))
    seen: list[Any] = [[0, "never"]]
    for number in (1, 2, 3):
        assert cloud.settle(execution)["status"] == "FAILED"
        cloud.states.redrive_execution(executionArn=execution)
        described = cloud.settle(execution)
        seen.append([number, timestamp(described["redriveDate"].timestamp())])
    assert json.loads(described["output"]) == seen
