from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from local_cloud.engine.archive import UnknownExecutionError, open_archive
from tests.functional import handlers
from tests.functional.serverless import ROLE, serverless
from tests.unit.local_cloud.engine.machines import machine, pass_, scope, waiting

if TYPE_CHECKING:
    from pathlib import Path

HANDLERS = "tests.functional.handlers"


def test_a_wait_inside_a_map_outlives_its_process(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    handlers.TOKENS.clear()
    inner = scope({"W": waiting()})
    definition = machine({"M": {"Type": "Map", "Items": [1, 2], "ItemProcessor": inner, "End": True}})
    with serverless(tmp_path, path=path) as cloud:
        cloud.create_function("keep", f"{HANDLERS}.keep")
        arn = cloud.create_machine(definition)
        execution = cloud.start(arn, {"a": 1}, name="first")
        first, second = handlers.wait_for_tokens(2)
        cloud.states.send_task_success(taskToken=first, output="1")
        before = cloud.events(execution)
    with serverless(tmp_path, path=path) as cloud:
        described = cloud.states.describe_state_machine(stateMachineArn=arn)
        assert described["definition"] == json.dumps(definition)
        assert cloud.states.describe_execution(executionArn=execution)["status"] == "RUNNING"
        cloud.states.send_task_success(taskToken=second, output="2")
        with pytest.raises(ClientError, match="TaskTimedOut"):
            cloud.states.send_task_success(taskToken=second, output="3")
        (resumed,) = cloud.engine.resume()
        assert resumed.arn == execution
        described = cloud.settle(execution)
        assert sorted(json.loads(described["output"])) == [1, 2]
        after = cloud.events(execution)
    assert after[: len(before)] == before
    assert [event["id"] for event in after] == list(range(1, len(after) + 1))
    assert [event["type"] for event in after].count("TaskSucceeded") == 2
    assert len(handlers.TOKENS) == 2
    with serverless(tmp_path, path=path) as cloud:
        assert cloud.engine.resume() == []
        assert cloud.events(execution) == after
        listed = cloud.states.list_executions(stateMachineArn=arn)["executions"]
        assert [(one["name"], one["status"]) for one in listed] == [("first", "SUCCEEDED")]
    archive = open_archive(tmp_path)
    assert archive.execution("first").ending.output == described["output"]
    read = archive.events(execution)
    assert [(one["id"], one["type"]) for one in read] == [(one["id"], one["type"]) for one in after]
    assert archive.events(execution, after=len(after) - 1) == read[-1:]
    with pytest.raises(UnknownExecutionError, match="no run is called 'second'"):
        archive.execution("second")


def test_an_execution_that_nobody_drove_past_its_deadline_has_timed_out(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    handlers.TOKENS.clear()
    with serverless(tmp_path, path=path) as cloud:
        cloud.create_function("keep", f"{HANDLERS}.keep")
        execution = cloud.start(cloud.create_machine(machine({"W": waiting()}, TimeoutSeconds=3600)))
        handlers.wait_for_tokens(1)
    with serverless(tmp_path, path=path, scale=100_000) as cloud:
        cloud.engine.resume(execution)
        described = cloud.settle(execution)
        assert (described["status"], described["error"]) == ("TIMED_OUT", "States.Timeout")


def test_a_machine_comes_back_with_its_versions_aliases_and_tags(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    text = json.dumps(machine({"S": pass_(Output="old")}))
    with serverless(tmp_path, path=path) as cloud:
        made = cloud.states.create_state_machine(
            name="m", definition=text, roleArn=ROLE, publish=True, tags=[{"key": "k", "value": "v"}]
        )
        arn = made["stateMachineArn"]
        alias = cloud.states.create_state_machine_alias(
            name="live",
            routingConfiguration=[{"stateMachineVersionArn": made["stateMachineVersionArn"], "weight": 100}],
        )["stateMachineAliasArn"]
        cloud.states.update_state_machine(
            stateMachineArn=arn, definition=json.dumps(machine({"S": pass_(Output="new")}))
        )
        described = cloud.states.describe_state_machine(stateMachineArn=arn)
    with serverless(tmp_path, path=path) as cloud:
        again = cloud.states.describe_state_machine(stateMachineArn=arn)
        drop = "ResponseMetadata"
        assert {**again, drop: None} == {**described, drop: None}
        assert cloud.states.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "k", "value": "v"}]
        assert cloud.settle(cloud.start(alias))["output"] == '"old"'
        assert cloud.settle(cloud.start(arn))["output"] == '"new"'
        cloud.states.delete_state_machine(stateMachineArn=arn)
    with serverless(tmp_path, path=path) as cloud:
        assert cloud.states.list_state_machines()["stateMachines"] == []
