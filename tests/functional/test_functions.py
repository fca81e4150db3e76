from __future__ import annotations

import base64
import json
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.functional import handlers
from tests.functional.serverless import Cloud, serverless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HANDLERS = "tests.functional.handlers"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with serverless(tmp_path) as place:
        yield place


def invoke(cloud: Cloud, handler: str, payload: Any = None, **fields: Any) -> tuple[dict[str, Any], Any]:
    cloud.create_function(handler, f"{HANDLERS}.{handler}", **fields)
    reply = cloud.lambdas.invoke(FunctionName=handler, Payload=json.dumps(payload or {}))
    return reply, json.loads(reply["Payload"].read())


def test_a_handler_answers(cloud: Cloud) -> None:
    reply, result = invoke(cloud, "echo", {"a": [1, "é"]})
    assert (reply["StatusCode"], reply.get("FunctionError"), result) == (200, None, {"a": [1, "é"]})
    assert reply["ExecutedVersion"] == "$LATEST"


def test_a_handler_is_found_by_arn_and_sees_its_context(cloud: Cloud) -> None:
    arn = cloud.create_function(
        "describe", f"{HANDLERS}.describe", Environment={"Variables": {"EDGEPIPE_TEST_VARIABLE": "jobs"}}
    )
    result = json.loads(cloud.lambdas.invoke(FunctionName=arn)["Payload"].read())
    assert 0 < result.pop("remaining") <= 30_000
    assert result == {
        "name": "describe",
        "arn": arn,
        "version": "$LATEST",
        "group": "/aws/lambda/describe",
        "request": 36,
        "variable": "jobs",
    }
    cloud.functions.close()
    assert "EDGEPIPE_TEST_VARIABLE" not in os.environ


def test_functions_of_one_process_agree_on_their_environment(cloud: Cloud) -> None:
    for name in ("one", "two"):
        cloud.create_function(
            name, f"{HANDLERS}.describe", Environment={"Variables": {"EDGEPIPE_TEST_VARIABLE": name}}
        )
    assert "FunctionError" not in cloud.lambdas.invoke(FunctionName="one")
    result = json.loads(cloud.lambdas.invoke(FunctionName="two")["Payload"].read())
    assert result["errorType"] == "Runtime.InvalidEnvironment"
    assert "EDGEPIPE_TEST_VARIABLE" in result["errorMessage"]


def test_an_error_has_the_shape_of_awss(cloud: Cloud) -> None:
    reply, result = invoke(cloud, "fail", {"recall": 0.8})
    assert reply["FunctionError"] == "Unhandled"
    assert (result["errorType"], result["errorMessage"]) == ("QualityGateError", "recall 0.8 is below 0.9")
    assert len(result["stackTrace"]) == 1
    assert "in fail" in result["stackTrace"][0]
    assert "[ERROR] QualityGateError: recall 0.8 is below 0.9" in cloud.log("fail")


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        ("leave", "Runtime.ExitError"),
        ("marshal", "Runtime.MarshalError"),
        ("absent", "Runtime.HandlerNotFound"),
    ],
)
def test_errors_of_the_runtime(cloud: Cloud, handler: str, kind: str) -> None:
    reply, result = invoke(cloud, handler)
    assert (reply["FunctionError"], result["errorType"]) == ("Unhandled", kind)


def test_a_module_that_cannot_be_imported(cloud: Cloud) -> None:
    cloud.create_function("f", "no_such_package.handler")
    result = json.loads(cloud.lambdas.invoke(FunctionName="f")["Payload"].read())
    assert result["errorType"] == "Runtime.ImportModuleError"
    assert "no_such_package" in result["errorMessage"]


def test_a_late_handler_is_ended(cloud: Cloud) -> None:
    reply, result = invoke(cloud, "hang", timeout=1)
    assert (reply["FunctionError"], result["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert "timed out after 1.00 seconds" in result["errorMessage"]
    assert cloud.functions.workers.join(30) == 0


def test_close_ends_a_handler_that_runs(cloud: Cloud) -> None:
    cloud.create_function("hang", f"{HANDLERS}.hang", timeout=900)
    handlers.STARTED.clear()
    reply = cloud.lambdas.invoke(FunctionName="hang", InvocationType="Event")
    assert reply["StatusCode"] == 202
    assert handlers.STARTED.wait(30)
    cloud.functions.close()
    cloud.functions.close()
    assert cloud.functions.workers.alive() == []


def test_an_event_is_answered_before_it_is_handled(cloud: Cloud) -> None:
    cloud.create_function("keep", f"{HANDLERS}.keep")
    handlers.TOKENS.clear()
    reply = cloud.lambdas.invoke(FunctionName="keep", InvocationType="Event", Payload=b'{"token": "t"}')
    assert (reply["StatusCode"], reply["Payload"].read()) == (202, b"")
    assert handlers.wait_for_tokens(1) == ["t"]


def test_a_dry_run_runs_nothing(cloud: Cloud) -> None:
    cloud.create_function("fail", f"{HANDLERS}.fail")
    reply = cloud.lambdas.invoke(FunctionName="fail", InvocationType="DryRun")
    assert (reply["StatusCode"], reply.get("FunctionError")) == (204, None)


def test_an_unknown_function(cloud: Cloud) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cloud.lambdas.invoke(FunctionName="nobody")


def test_an_event_with_a_qualifier_is_an_event(cloud: Cloud) -> None:
    event = {"qualifier": "7", "Qualifier": "8"}
    assert invoke(cloud, "echo", event)[1] == event


def test_a_version_and_an_alias_keep_their_code(cloud: Cloud) -> None:
    cloud.create_function("kept", f"{HANDLERS}.describe")
    cloud.lambdas.publish_version(FunctionName="kept")
    cloud.lambdas.create_alias(FunctionName="kept", Name="live", FunctionVersion="1")
    cloud.lambdas.update_function_configuration(FunctionName="kept", Handler=f"{HANDLERS}.echo")

    def version(**chosen: str) -> Any:
        reply = cloud.lambdas.invoke(**{"FunctionName": "kept", "Payload": b"{}", **chosen})
        return json.loads(reply["Payload"].read()).get("version")

    assert version() is None
    assert [version(Qualifier=name) for name in ("1", "live")] == ["1", "1"]
    assert [version(FunctionName=f"kept:{name}") for name in ("1", "live")] == ["1", "1"]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        version(Qualifier="2")


def test_the_end_of_a_log_comes_with_the_answer_when_it_is_asked_for(cloud: Cloud) -> None:
    invoke(cloud, "fail")
    said = cloud.lambdas.invoke(FunctionName="fail", Payload=b"{}", LogType="Tail")["LogResult"]
    log = base64.b64decode(said).decode()
    assert log.startswith("START RequestId: ")
    assert log.count("START RequestId: ") == 1
    assert "[ERROR]" in log
    assert "LogResult" not in cloud.lambdas.invoke(FunctionName="fail", Payload=b"{}")


def test_a_payload_that_is_no_json(cloud: Cloud) -> None:
    cloud.create_function("echo", f"{HANDLERS}.echo")
    with pytest.raises(ClientError, match="InvalidRequestContent"):
        cloud.lambdas.invoke(FunctionName="echo", Payload=b"{")


def test_what_a_handler_says_goes_to_its_log_and_what_it_is_told_does_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sys.stdout, sys.stderr
    with serverless(tmp_path) as cloud:
        invoke(cloud, "talk", {"token": "secret-token"})
        print("the test's own line")
        lines = cloud.log("talk").splitlines()
    assert lines[0].startswith("START RequestId: ")
    assert lines[1] == "printed 1"
    assert lines[2] == "to stderr"
    assert lines[3].startswith("[WARNING]")
    assert lines[3].endswith("logged this")
    assert lines[4].startswith("END RequestId: ")
    assert "secret-token" not in "".join(lines)
    assert (sys.stdout, sys.stderr) == before
    assert capsys.readouterr() == ("the test's own line\n", "")


def test_clients_of_a_handler_act_in_its_functions_account(cloud: Cloud) -> None:
    _, here = invoke(cloud, "account")
    assert here == "123456789012"
    trusted = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "known"}},
    }
    cloud.context.client("iam", "210987654321").create_role(
        RoleName="usecase",
        AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trusted]}),
    )
    _, there = invoke(cloud, "assume")
    assert there == "210987654321"
    other = cloud.context.client("lambda", "333333333333")
    role = cloud.context.client("iam", "333333333333").create_role(
        RoleName="f", AssumeRolePolicyDocument="{}"
    )
    arguments = {"Runtime": "python3.13", "Role": role["Role"]["Arn"], "Code": {"ZipFile": b"x"}}
    other.create_function(FunctionName="account", Handler=f"{HANDLERS}.account", **arguments)
    assert json.loads(other.invoke(FunctionName="account")["Payload"].read()) == "333333333333"


def test_many_threads_invoke_at_once(cloud: Cloud) -> None:
    cloud.create_function("echo", f"{HANDLERS}.echo")
    results: list[Any] = []

    def call(number: int) -> None:
        reply = cloud.lambdas.invoke(FunctionName="echo", Payload=json.dumps(number))
        results.append(json.loads(reply["Payload"].read()))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(50))
    assert cloud.log("echo").count("START RequestId") == cloud.log("echo").count("END RequestId") == 50


def test_after_close_lambda_is_motos_again(tmp_path: Path) -> None:
    from moto.awslambda_simple import models

    before = models.lambda_simple_backends
    with serverless(tmp_path):
        assert models.lambda_simple_backends is not before
    assert models.lambda_simple_backends is before
    assert boto3.DEFAULT_SESSION is None or os.environ.get("AWS_ACCESS_KEY_ID") != "FOOBARKEY"
