from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from pipelines.compiler import compile_text
from pipelines.definition import markers, substitute
from pipelines.progress import plain_cause
from tests.functional import handlers
from tests.functional.serverless import ROLE, Cloud, serverless
from tests.unit.local_cloud.engine.machines import machine, pass_, scope, task, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

HANDLERS = "tests.functional.handlers"
GOLDEN = Path(__file__).parents[1] / "golden" / "cookies" / "asl.json"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with serverless(tmp_path) as place:
        yield place


@pytest.fixture
def waits(cloud: Cloud) -> str:
    """A machine that waits for its token."""
    handlers.TOKENS.clear()
    cloud.create_function("keep", f"{HANDLERS}.keep")
    return cloud.create_machine(machine({"W": waiting()}))


def code(caught: pytest.ExceptionInfo[ClientError]) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_a_machine_is_created_described_changed_and_deleted(cloud: Cloud) -> None:
    first, second = (json.dumps(machine({"S": pass_(Output=number)})) for number in (1, 2))
    arn = cloud.create_machine(first)
    assert cloud.create_machine(first) == arn
    with pytest.raises(ClientError) as caught:
        cloud.create_machine(second)
    assert code(caught) == "StateMachineAlreadyExists"
    described = cloud.states.describe_state_machine(stateMachineArn=arn)
    assert (described["definition"], described["name"], described["type"]) == (first, "m", "STANDARD")
    cloud.states.update_state_machine(stateMachineArn=arn, definition=second)
    assert cloud.settle(cloud.start(arn))["output"] == "2"
    cloud.states.delete_state_machine(stateMachineArn=arn)
    with pytest.raises(ClientError) as caught:
        cloud.start(arn)
    assert code(caught) == "StateMachineDoesNotExist"


def test_what_cannot_be_run_is_refused(cloud: Cloud) -> None:
    with pytest.raises(ClientError) as caught:
        cloud.create_machine(machine({"Train": pass_(ResultPath="$.a")}))
    assert code(caught) == "InvalidDefinition"
    assert "state 'Train', field 'ResultPath'" in str(caught.value)
    arn = cloud.create_machine(machine({"S": pass_()}))
    with pytest.raises(ClientError) as caught:
        cloud.states.update_state_machine(stateMachineArn=arn, definition="{}")
    assert code(caught) == "InvalidDefinition"
    with pytest.raises(ClientError) as caught:
        cloud.states.create_state_machine(
            name="e", definition=json.dumps(machine({"S": pass_()})), roleArn=ROLE, type="EXPRESS"
        )
    assert code(caught) == "StateMachineTypeNotSupported"


def test_an_execution_is_described(cloud: Cloud) -> None:
    arn = cloud.create_machine(machine({"S": pass_(Output="text")}))
    described = cloud.settle(cloud.start(arn, {"a": 1}, name="first"))
    assert described["executionArn"] == arn.replace("stateMachine", "execution") + ":first"
    assert (described["status"], described["name"], described["input"]) == ("SUCCEEDED", "first", '{"a": 1}')
    assert described["output"] == '"text"'
    assert described["stopDate"] >= described["startDate"]
    for_execution = cloud.states.describe_state_machine_for_execution(executionArn=described["executionArn"])
    assert for_execution["stateMachineArn"] == arn


def test_null_is_an_output(cloud: Cloud) -> None:
    assert (
        cloud.settle(cloud.start(cloud.create_machine(machine({"S": pass_(Output=None)}))))["output"]
        == "null"
    )


def test_a_failure_is_described(cloud: Cloud) -> None:
    arn = cloud.create_machine(machine({"S": {"Type": "Fail", "Error": "E", "Cause": "why"}}))
    described = cloud.settle(cloud.start(arn))
    assert (described["status"], described["error"], described["cause"]) == ("FAILED", "E", "why")
    assert "output" not in described


def test_names_make_a_start_idempotent_while_it_runs(cloud: Cloud, waits: str) -> None:
    first = cloud.start(waits, {"a": 1}, name="same")
    assert cloud.start(waits, {"a": 1}, name="same") == first
    with pytest.raises(ClientError) as caught:
        cloud.start(waits, {"a": 2}, name="same")
    assert code(caught) == "ExecutionAlreadyExists"
    cloud.states.stop_execution(executionArn=first)
    with pytest.raises(ClientError) as caught:
        cloud.start(waits, {"a": 1}, name="same")
    assert code(caught) == "ExecutionAlreadyExists"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"input": "{"}, "InvalidExecutionInput"),
        ({"input": "x" * 262_143 + "yz"}, "InvalidExecutionInput"),
        ({"name": "a b"}, "InvalidName"),
    ],
)
def test_a_start_that_is_refused(cloud: Cloud, fields: dict[str, Any], expected: str) -> None:
    arn = cloud.create_machine(machine({"S": pass_()}))
    with pytest.raises(ClientError) as caught:
        cloud.states.start_execution(stateMachineArn=arn, **fields)
    assert code(caught) == expected


def test_executions_are_listed_newest_first_by_status_and_page(cloud: Cloud, waits: str) -> None:
    started = [cloud.start(waits, name=f"run-{number}") for number in range(5)]
    handlers.wait_for_tokens(5)
    cloud.states.stop_execution(executionArn=started[2])
    paginator = cloud.states.get_paginator("list_executions")

    def listed(**fields: Any) -> list[str]:
        pages = paginator.paginate(stateMachineArn=waits, PaginationConfig={"PageSize": 2}, **fields)
        return [execution["executionArn"] for page in pages for execution in page["executions"]]

    assert listed() == [started[2], started[4], started[3], started[1], started[0]], "by their last change"
    assert listed(statusFilter="ABORTED") == [started[2]]
    assert listed(statusFilter="RUNNING") == [started[4], started[3], started[1], started[0]]


def test_executions_are_listed_by_redrive_version_and_alias(cloud: Cloud) -> None:
    fails = {"F": {"Type": "Fail", "Error": "E"}}
    arn = cloud.create_machine(machine(fails))
    version = cloud.states.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"]
    routes = [{"stateMachineVersionArn": version, "weight": 100}]
    alias = cloud.states.create_state_machine_alias(name="live", routingConfiguration=routes)[
        "stateMachineAliasArn"
    ]
    plain, named, released = (cloud.start(each) for each in (arn, version, alias))
    for each in (plain, named, released):
        cloud.settle(each)
    cloud.states.redrive_execution(executionArn=plain)
    cloud.settle(plain)

    def listed(of: str, **fields: Any) -> set[str]:
        reply = cloud.states.list_executions(stateMachineArn=of, **fields)
        return {execution["executionArn"] for execution in reply["executions"]}

    assert listed(arn) == {plain, named, released}
    assert listed(version) == {named, released}
    assert listed(alias) == {released}
    assert listed(arn, redriveFilter="REDRIVEN") == {plain}
    assert listed(arn, redriveFilter="NOT_REDRIVEN") == {named, released}
    (shown,) = cloud.states.list_executions(stateMachineArn=alias)["executions"]
    assert (shown["stateMachineVersionArn"], shown["stateMachineAliasArn"]) == (version, alias)
    (shown,) = cloud.states.list_executions(stateMachineArn=arn, redriveFilter="REDRIVEN")["executions"]
    assert (shown["redriveCount"], "redriveDate" in shown) == (1, True)


def test_machines_versions_and_aliases_are_listed_by_page(cloud: Cloud) -> None:
    arns = [cloud.create_machine(machine({"S": pass_()}), f"m{number}") for number in range(3)]
    versions = []
    for number in range(3):
        definition = json.dumps(machine({"S": pass_(Output=number)}))
        cloud.states.update_state_machine(stateMachineArn=arns[0], definition=definition)
        reply = cloud.states.publish_state_machine_version(stateMachineArn=arns[0])
        versions.append(reply["stateMachineVersionArn"])
        again = cloud.states.publish_state_machine_version(stateMachineArn=arns[0])
        assert again["stateMachineVersionArn"] == versions[-1]
    aliases = [
        cloud.states.create_state_machine_alias(
            name=f"a{number}", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
        )["stateMachineAliasArn"]
        for number, version in enumerate(versions)
    ]

    def listed(operation: str, kind: str, **fields: Any) -> list[str]:
        found: list[str] = []
        token: dict[str, str] = {}
        while True:
            reply = getattr(cloud.states, operation)(maxResults=2, **fields, **token)
            (page,) = (value for value in reply.values() if isinstance(value, list))
            assert len(page) <= 2
            found += [each[f"{kind}Arn"] for each in page]
            if "nextToken" not in reply:
                return found
            token = {"nextToken": reply["nextToken"]}

    of = {"stateMachineArn": arns[0]}
    assert listed("list_state_machines", "stateMachine") == arns
    assert listed("list_state_machine_versions", "stateMachineVersion", **of) == versions[::-1]
    assert listed("list_state_machine_aliases", "stateMachineAlias", **of) == aliases
    of = {"stateMachineArn": versions[1]}
    assert listed("list_state_machine_aliases", "stateMachineAlias", **of) == aliases[1:2]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"maxResults": 1001}, "ValidationException"),
        ({"nextToken": "nonsense"}, "InvalidToken"),
        ({"statusFilter": "PENDING_REDRIVE"}, "ValidationException"),
        ({"redriveFilter": "SOME"}, "ValidationException"),
        ({"mapRunArn": "arn:aws:states:us-east-1:123456789012:mapRun:m:r"}, "ValidationException"),
    ],
)
def test_a_list_that_cannot_be_given_is_refused(cloud: Cloud, fields: dict[str, Any], expected: str) -> None:
    arn = cloud.create_machine(machine({"S": pass_()}))
    with pytest.raises(ClientError) as caught:
        cloud.states.list_executions(stateMachineArn=arn, **fields)
    assert code(caught) == expected
    assert cloud.states.list_executions(stateMachineArn=arn, maxResults=0)["executions"] == []


def test_history_pages_turns_and_hides_data(cloud: Cloud) -> None:
    states = {
        f"S{number}": pass_(**({"Next": f"S{number + 1}"} if number < 59 else {})) for number in range(60)
    }
    execution = cloud.start(cloud.create_machine(machine(states)), {"a": 1})
    cloud.settle(execution)
    events = cloud.events(execution)
    assert [event["id"] for event in events] == list(range(1, 123))
    first = cloud.states.get_execution_history(executionArn=execution)
    assert (len(first["events"]), "nextToken" in first) == (100, True)
    last = cloud.states.get_execution_history(
        executionArn=execution, maxResults=2, reverseOrder=True, includeExecutionData=False
    )
    assert [event["type"] for event in last["events"]] == ["ExecutionSucceeded", "PassStateExited"]
    assert "output" not in last["events"][1]["stateExitedEventDetails"]
    assert last["events"][1]["stateExitedEventDetails"]["name"] == "S59"
    with pytest.raises(ClientError) as caught:
        cloud.states.get_execution_history(executionArn=execution, nextToken="nonsense")
    assert code(caught) == "InvalidToken"


def test_a_stop_is_described_with_its_reason(cloud: Cloud, waits: str) -> None:
    execution = cloud.start(waits)
    handlers.wait_for_tokens(1)
    cloud.states.stop_execution(executionArn=execution, error="Enough", cause="said so")
    described = cloud.states.describe_execution(executionArn=execution)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Enough", "said so")
    assert cloud.events(execution)[-1]["executionAbortedEventDetails"] == {
        "error": "Enough",
        "cause": "said so",
    }


def test_tokens_are_answered_from_other_threads(cloud: Cloud, waits: str) -> None:
    executions = [cloud.start(waits) for _ in range(10)]
    tokens = handlers.wait_for_tokens(10)

    def answer(token: str) -> None:
        cloud.states.send_task_heartbeat(taskToken=token)
        cloud.states.send_task_success(taskToken=token, output=json.dumps({"t": token[-4:]}))

    threads = [threading.Thread(target=answer, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outputs = {json.loads(cloud.settle(execution)["output"])["t"] for execution in executions}
    assert outputs == {token[-4:] for token in tokens}


def test_a_token_may_report_a_failure(cloud: Cloud, waits: str) -> None:
    execution = cloud.start(waits)
    (token,) = handlers.wait_for_tokens(1)
    cloud.states.send_task_failure(taskToken=token, error="JobFailedError", cause="exit code 1")
    described = cloud.settle(execution)
    assert (described["status"], described["error"], described["cause"]) == (
        "FAILED",
        "JobFailedError",
        "exit code 1",
    )


def test_late_and_foreign_tokens(cloud: Cloud, waits: str) -> None:
    execution = cloud.start(waits)
    (token,) = handlers.wait_for_tokens(1)
    with pytest.raises(ClientError) as caught:
        cloud.states.send_task_success(taskToken=token, output="{")
    assert code(caught) == "InvalidOutput"
    cloud.states.send_task_success(taskToken=token, output="1")
    cloud.settle(execution)
    sends: list[tuple[Any, dict[str, Any]]] = [
        (cloud.states.send_task_success, {"output": "1"}),
        (cloud.states.send_task_failure, {}),
        (cloud.states.send_task_heartbeat, {}),
    ]
    for send, fields in sends:
        for text, expected in ((token, "TaskTimedOut"), ("not a token", "InvalidToken")):
            with pytest.raises(ClientError) as caught:
                send(taskToken=text, **fields)
            assert code(caught) == expected


def test_a_token_is_in_no_log(cloud: Cloud, waits: str) -> None:
    cloud.start(waits)
    (token,) = handlers.wait_for_tokens(1)
    cloud.engine.close()
    assert token not in cloud.log("keep")


def test_a_missing_function_is_a_lambda_error(cloud: Cloud) -> None:
    described = cloud.settle(cloud.start(cloud.create_machine(machine({"S": task("nobody")}))))
    assert described["error"] == "Lambda.ResourceNotFoundException"


def test_a_handlers_error_is_the_states_error(cloud: Cloud) -> None:
    cloud.create_function("fail", f"{HANDLERS}.fail")
    described = cloud.settle(cloud.start(cloud.create_machine(machine({"S": task("fail")})), {"recall": 0.5}))
    assert described["error"] == "QualityGateError"
    cause = json.loads(described["cause"])
    assert (cause["errorType"], cause["errorMessage"]) == ("QualityGateError", "recall 0.5 is below 0.9")


def test_a_function_of_another_account_is_invoked_there(cloud: Cloud) -> None:
    other = "333333333333"
    role = cloud.context.client("iam", other).create_role(RoleName="f", AssumeRolePolicyDocument="{}")
    arn = cloud.context.client("lambda", other).create_function(
        FunctionName="account",
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler=f"{HANDLERS}.account",
        Code={"ZipFile": b"x"},
    )["FunctionArn"]
    assert (
        cloud.settle(cloud.start(cloud.create_machine(machine({"S": task(arn)}))))["output"] == f'"{other}"'
    )


def test_versions_and_aliases_start_what_they_point_at(cloud: Cloud) -> None:
    old, new = (json.dumps(machine({"S": pass_(Output=word)})) for word in ("old", "new"))
    arn = cloud.create_machine(old)
    version = cloud.states.update_state_machine(stateMachineArn=arn, definition=old, publish=True)[
        "stateMachineVersionArn"
    ]
    cloud.states.update_state_machine(stateMachineArn=arn, definition=new)
    alias = cloud.states.create_state_machine_alias(
        name="live", routingConfiguration=[{"stateMachineVersionArn": version, "weight": 100}]
    )["stateMachineAliasArn"]
    outputs = [cloud.settle(cloud.start(each))["output"] for each in (arn, version, alias)]
    assert outputs == ['"new"', '"old"', '"old"']


def test_a_hundred_executions_at_once(cloud: Cloud) -> None:
    cloud.create_function("echo", f"{HANDLERS}.echo")
    items = scope({"I": task("echo")})
    states = {
        "A": task("echo", Next="M"),
        "M": {"Type": "Map", "Items": [1, 2], "ItemProcessor": items, "Next": "Z"},
        "Z": pass_(Output="{% $sum($states.input) + $states.context.Execution.Input.n %}"),
    }
    arn = cloud.create_machine(machine(states))
    executions = [cloud.start(arn, {"n": number}) for number in range(100)]
    assert [cloud.settle(each)["output"] for each in executions] == [str(3 + number) for number in range(100)]


def test_close_leaves_no_thread_and_may_be_repeated(cloud: Cloud, waits: str) -> None:
    for _ in range(20):
        cloud.start(waits)
    handlers.wait_for_tokens(20)
    cloud.engine.close()
    cloud.engine.close()
    assert cloud.engine.workers.alive() == []


def test_motos_own_interpreter_and_its_parser_are_not_loaded() -> None:
    imports = "import sys, local_cloud.engine, local_cloud.functions"
    program = f"{imports}; print([name for name in sys.modules if 'antlr' in name])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[tuple[Cloud, str]]:
    """The compiled example pipeline over handlers that take no time; its clock runs 1,000 times as fast."""
    handlers.EVENTS.clear()
    handlers.FAILURES.clear()
    text = GOLDEN.read_text(encoding="utf-8")
    with serverless(tmp_path, scale=1000, path=tmp_path / "runs.db") as place:
        values = {name: f"value of {name}" for name in markers(text)}
        for name in values:
            if name.endswith("_function_arn"):
                kind = name.removesuffix("_function_arn")
                values[name] = place.create_function(kind, f"{HANDLERS}.step", timeout=300)
        yield place, place.create_machine(substitute(text, values), "cookies")
        handlers.FAILURES.clear()


def condition(spec: str) -> str:
    """Return the condition, as JSON, under which a spec's compile step is good enough to go on."""
    machine = json.loads(compile_text(spec, path="pipeline.yaml").definition)
    return json.dumps(machine["States"]["compile (judge)"]["Choices"][0]["Condition"])


def entered(cloud: Cloud, execution: str) -> list[str]:
    details = [event.get("stateEnteredEventDetails") for event in cloud.events(execution)]
    return [each["name"] for each in details if each]


def test_the_compiled_pipeline_runs_to_its_end(pipeline: tuple[Cloud, str]) -> None:
    cloud, arn = pipeline
    described = cloud.settle(cloud.start(arn, {"params": {"epochs": 3}}, name="run-1"))
    assert described["status"] == "SUCCEEDED", described.get("cause")
    output = json.loads(described["output"])
    assert output["run"] == "run-1"
    assert set(output["steps"]) == {"label", "transform", "train", "compile", "package", "publish", "deploy"}
    assert set(output["steps"]["compile"]["compiled_model"]) == {"x86_64-cpu", "arm64-cpu"}
    assert output["steps"]["compile"]["failed"] == {}
    train = next(event for event in handlers.EVENTS if event["step"] == "train")
    assert train["config"]["hyperparameters"] == {"epochs": 3}
    assert train["run"]["id"] == "run-1"
    assert train["run"]["arn"] == described["executionArn"]
    assert train["usecase"]["account"] == "value of usecase_account"


def test_a_transient_error_is_retried_as_the_definition_says(pipeline: tuple[Cloud, str]) -> None:
    cloud, arn = pipeline
    handlers.FAILURES.update(
        {"label": ("TransientError", "throttled", 2), "train": ("TransientError", "busy", 1)}
    )
    described = cloud.settle(cloud.start(arn))
    assert described["status"] == "SUCCEEDED", described.get("cause")
    attempts = [(event["step"], event["attempt"]) for event in handlers.EVENTS]
    assert attempts[:3] == [("label", 0), ("label", 1), ("label", 2)]
    assert [attempt for step, attempt in attempts if step == "train"] == [0, 1]


@pytest.mark.parametrize("step", ["label", "train", "publish", "deploy"])
def test_a_failed_step_is_where_the_run_ends_and_goes_on_when_it_is_redriven(
    pipeline: tuple[Cloud, str], step: str
) -> None:
    cloud, arn = pipeline
    handlers.FAILURES[step] = ("QualityGateError", 'recall 0.5 is "too low"', 99)
    execution = cloud.start(arn)
    described = cloud.settle(execution)
    assert (described["status"], described["error"]) == ("FAILED", "QualityGateError")
    assert plain_cause(described["cause"]) == 'recall 0.5 is "too low"'
    assert entered(cloud, execution)[-1] == step
    before = [event["step"] for event in handlers.EVENTS]
    handlers.FAILURES.clear()
    cloud.states.redrive_execution(executionArn=execution)
    described = cloud.settle(execution)
    assert described["status"] == "SUCCEEDED", described.get("cause")
    after = [event["step"] for event in handlers.EVENTS[len(before) :]]
    assert (after[0], set(after) & set(before)) == (step, {step})


def test_one_failed_target_fails_a_run_that_requires_all_and_hides_no_other(
    pipeline: tuple[Cloud, str],
) -> None:
    cloud, arn = pipeline
    handlers.FAILURES["compile/arm64-cpu"] = ("JobFailedError", "no operator", 99)
    execution = cloud.start(arn)
    described = cloud.settle(execution)
    assert (described["status"], "arm64-cpu" in described["cause"]) == ("FAILED", True)
    targets = [event["target"] for event in handlers.EVENTS if event.get("target")]
    assert sorted(targets) == ["arm64-cpu", "x86_64-cpu"]
    assert plain_cause(described["cause"]) == "1 of 2 targets failed: arm64-cpu: no operator"
    assert entered(cloud, execution)[-1] == "compile (failed)"


def test_a_redrive_runs_a_fan_out_again_that_failed(pipeline: tuple[Cloud, str]) -> None:
    cloud, arn = pipeline
    handlers.FAILURES["compile/arm64-cpu"] = ("JobFailedError", "no operator", 2)
    execution = cloud.start(arn)
    assert cloud.settle(execution)["status"] == "FAILED"
    for count, status in ((1, "FAILED"), (2, "SUCCEEDED")):
        cloud.states.redrive_execution(executionArn=execution)
        described = cloud.settle(execution)
        assert (described["status"], described["redriveCount"]) == (status, count), described.get("cause")
    events = [event for event in handlers.EVENTS if "step" in event]
    assert [event["target"] for event in events if event["step"] == "compile"].count("arm64-cpu") == 3
    assert [event["step"] for event in events].count("train") == 1
    judged = ["compile", "compile (judge)", "compile (failed)"]
    names = [name for name in entered(cloud, execution) if name in judged]
    assert names == [*judged, *judged, *judged[:2]]
    assert json.loads(described["output"])["steps"]["compile"]["failed"] == {}


def test_one_failed_target_is_left_out_of_a_run_that_requires_any(pipeline: tuple[Cloud, str]) -> None:
    cloud, arn = pipeline
    handlers.FAILURES["compile/arm64-cpu"] = ("JobFailedError", "no operator", 99)
    text = cloud.states.describe_state_machine(stateMachineArn=arn)["definition"]
    spec = GOLDEN.with_name("pipeline.yaml").read_text(encoding="utf-8")
    strict, lenient = condition(spec), condition(spec.replace("require: all", "require: any"))
    assert strict in text
    assert strict != lenient
    cloud.states.update_state_machine(stateMachineArn=arn, definition=text.replace(strict, lenient))
    described = cloud.settle(cloud.start(arn))
    assert described["status"] == "SUCCEEDED", described.get("cause")
    steps = json.loads(described["output"])["steps"]
    assert list(steps["compile"]["compiled_model"]) == list(steps["package"]["package"]) == ["x86_64-cpu"]
    assert steps["compile"]["failed"] == {"arm64-cpu": {"error": "JobFailedError", "cause": "no operator"}}


def test_a_job_that_falls_silent_times_out(pipeline: tuple[Cloud, str]) -> None:
    cloud, arn = pipeline
    handlers.TOKENS.clear()
    cloud.lambdas.update_function_configuration(FunctionName="train", Handler=f"{HANDLERS}.keep")
    execution = cloud.start(arn)
    described = cloud.settle(execution)
    assert (described["status"], described["error"]) == ("FAILED", "States.HeartbeatTimeout")
    assert entered(cloud, execution)[-1] == "train"


def test_machines_are_listed_by_page(cloud: Cloud) -> None:
    arns = [cloud.create_machine(machine({"S": pass_()}), f"m{number}") for number in range(5)]
    paginator = cloud.states.get_paginator("list_state_machines")
    pages = list(paginator.paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["stateMachines"]) for page in pages] == [2, 2, 1]
    assert [each["stateMachineArn"] for page in pages for each in page["stateMachines"]] == arns


def test_a_definition_is_judged_without_creating_it(cloud: Cloud) -> None:
    def judge(definition: dict[str, Any]) -> dict[str, Any]:
        return dict(cloud.states.validate_state_machine_definition(definition=json.dumps(definition)))

    assert judge(machine({"S": pass_()}))["result"] == "OK"
    found = judge(machine({"S": pass_(Next="T")}))
    assert (found["result"], found["diagnostics"][0]["severity"]) == ("FAIL", "ERROR")
    assert "state 'S', field 'Next'" in found["diagnostics"][0]["message"]


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("start_sync_execution", {"stateMachineArn": "arn:aws:states:us-east-1:123456789012:stateMachine:m"}),
        ("test_state", {"definition": "{}"}),
        ("create_activity", {"name": "a"}),
        ("list_map_runs", {"executionArn": "arn:aws:states:us-east-1:123456789012:execution:m:e"}),
    ],
)
def test_an_operation_that_is_not_carried_out_says_so(
    cloud: Cloud, operation: str, fields: dict[str, str]
) -> None:
    # Two of them have a host of their own, sync-states, which the local cloud has not.
    states = boto3.client("stepfunctions", "us-east-1", config=Config(inject_host_prefix=False))
    with pytest.raises(ClientError) as caught:
        getattr(states, operation)(**fields)
    assert code(caught) in ("StateMachineTypeNotSupported", "ValidationException")
    assert "the local engine runs" in str(caught.value)
