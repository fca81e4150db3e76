"""local serve: the real AWS CLI and boto3 talk to the local cloud, also after it has been started again."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.served import AWS, HERE, ROOT, SERVE, THERE, Served, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CODE = """
import os
import boto3
from helper import double

def handler(event, context):
    print("asked for", event["number"])
    boto3.client("s3").put_object(Bucket="results", Key="answer", Body=b"42")
    who = boto3.client("sts").get_caller_identity()["Arn"]
    return {"double": double(event["number"]), "unit": os.environ["UNIT"], "who": who, "pid": os.getpid()}

def fail(event, context):
    raise LookupError("no such part")

def sleep(event, context):
    import time
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as place:
        yield place


def packed(folder: Path, files: dict[str, str]) -> str:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    path = folder / "function.zip"
    path.write_bytes(buffer.getvalue())
    return f"fileb://{path}"


def trust(**principal: str) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def make_function(served: Served, folder: Path, name: str, handler: str, *more: str) -> str:
    patient = () if "--timeout" in more else ("--timeout", "600")  # the machine may be busy
    zipped = packed(folder, {"index.py": CODE, "helper.py": "def double(number): return 2 * number\n"})
    created = served.aws(
        *("lambda", "create-function", "--function-name", name, "--zip-file", zipped, "--runtime"),
        *("python3.12", "--handler", handler, "--role", f"arn:aws:iam::{HERE}:role/work", *patient, *more),
    )
    return str(created["FunctionArn"])


def test_a_session_of_the_aws_cli_and_what_is_left_of_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state) as served:
        served.aws("iam", "create-role", "--role-name", "work", "--assume-role-policy-document", "{}")
        served.aws("s3", "mb", "s3://results")
        arn = make_function(
            served, tmp_path, "double", "index.handler", "--environment", "Variables={UNIT=mm}"
        )
        (tmp_path / "asl.json").write_text(json.dumps(definition(arn)), encoding="utf-8")
        machine = served.aws(
            *(
                "stepfunctions",
                "create-state-machine",
                "--name",
                "m",
                "--role-arn",
                f"arn:aws:iam::{HERE}:role/work",
            ),
            *("--definition", f"file://{tmp_path / 'asl.json'}"),
        )["stateMachineArn"]
        execution = start(served, machine)
        output = json.loads(settled(served, execution)["output"])
        assert (output["double"], output["unit"]) == (42, "mm")
        assert output["who"] == f"arn:aws:sts::{HERE}:assumed-role/work/lambda"
        assert output["pid"] != served.process.pid
        assert "asked for 21" in (state / "logs/aws/lambda/double.log").read_text(encoding="utf-8")
        (tmp_path / "part.txt").write_text("a part", encoding="utf-8")
        served.aws("s3", "cp", str(tmp_path / "part.txt"), "s3://results/parts/1.txt")
        assert served.aws("greengrassv2", "list-core-devices") == {"coreDevices": []}
        assert served.aws("sagemaker", "list-training-jobs") == {"TrainingJobSummaries": []}
    with serving(state) as served:
        events = served.aws("stepfunctions", "get-execution-history", "--execution-arn", execution)["events"]
        assert [events[0]["type"], events[-1]["type"]] == ["ExecutionStarted", "ExecutionSucceeded"]
        served.aws("s3", "cp", "s3://results/parts/1.txt", str(tmp_path / "copy.txt"))
        assert (tmp_path / "copy.txt").read_text(encoding="utf-8") == "a part"
        assert settled(served, start(served, machine))["status"] == "SUCCEEDED"


def test_the_command_that_is_suggested_works_as_it_stands(served: Served) -> None:
    """In a shell that knows nothing of AWS, pasted."""
    said = served.state.with_suffix(".said")
    give_up = time.monotonic() + 120
    while " aws --endpoint-url " not in (text := said.read_text(encoding="utf-8")) or text[-1] != "\n":
        assert time.monotonic() < give_up, text
        time.sleep(0.05)
    command = next(line for line in text.splitlines() if "aws --endpoint-url" in line)
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": f"{AWS.parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(served.state)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "stateMachines" in json.loads(done.stdout)


def test_an_execution_goes_on_when_the_cloud_is_served_again(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state, end=signal.SIGKILL) as served:
        served.aws("iam", "create-role", "--role-name", "work", "--assume-role-policy-document", "{}")
        served.aws("s3", "mb", "s3://results")
        arn = make_function(
            served, tmp_path, "double", "index.handler", "--environment", "Variables={UNIT=mm}"
        )
        states = {"Wait": {"Type": "Wait", "Seconds": 8, "Next": "Call"}, **definition(arn)["States"]}
        text = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Wait", "States": states})
        role = f"arn:aws:iam::{HERE}:role/work"
        made = served.aws(
            *("stepfunctions", "create-state-machine", "--name", "m", "--role-arn", role),
            *("--definition", text),
        )
        execution = start(served, made["stateMachineArn"])
    with serving(state) as served:
        described = settled(served, execution)
        assert described["status"] == "SUCCEEDED", described
        events = served.aws("stepfunctions", "get-execution-history", "--execution-arn", execution)["events"]
    types = [event["type"] for event in events]
    assert types.count("ExecutionStarted") == types.count("WaitStateEntered") == 1
    assert types.count("TaskSucceeded") == 1


def test_nothing_is_left_of_calls_that_were_killed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state, end=signal.SIGKILL) as served:
        served.aws("iam", "create-role", "--role-name", "work", "--assume-role-policy-document", "{}")
        make_function(served, tmp_path, "sleeps", "index.sleep")
        asked = ("lambda", "invoke", "--function-name", "sleeps", "--invocation-type", "Event")
        served.aws(*asked, str(tmp_path / "reply"))
        give_up = time.monotonic() + 120
        while not list(state.glob("functions/call-*/request.json")):
            assert time.monotonic() < give_up
            time.sleep(0.05)
    assert len(list(state.glob("functions/call-*"))) == 1
    (state / "functions" / "new-half").mkdir()
    with serving(state):
        assert [path.name.split("-")[0] for path in state.glob("functions/*")] == ["zip"]


RECIPE: dict[str, Any] = {
    "RecipeFormatVersion": "2020-01-25",
    "ComponentName": "com.example.hello",
    "ComponentVersion": "1.0.0",
    "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"Install": "echo hello"}}],
}
JOB: dict[str, Any] = {
    "TrainingJobName": "job",
    "AlgorithmSpecification": {"TrainingImage": "elsewhere/own:1", "TrainingInputMode": "File"},
    "RoleArn": f"arn:aws:iam::{HERE}:role/work",
    "OutputDataConfig": {"S3OutputPath": "s3://results/models"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
    "StoppingCondition": {"MaxRuntimeInSeconds": 600},
}


def test_devices_jobs_and_tables_by_the_aws_cli_and_after_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state, end=signal.SIGKILL) as served:
        (tmp_path / "recipe.json").write_text(json.dumps(RECIPE), encoding="utf-8")
        recipe = f"fileb://{tmp_path / 'recipe.json'}"
        served.aws("greengrassv2", "create-component-version", "--inline-recipe", recipe)
        thing = served.aws("iot", "create-thing", "--thing-name", "station")["thingArn"]
        wanted = json.dumps({RECIPE["ComponentName"]: {"componentVersion": "1.0.0"}})
        made = served.aws("greengrassv2", "create-deployment", "--target-arn", thing, "--components", wanted)
        served.aws("sagemaker", "create-training-job", "--cli-input-json", json.dumps(JOB))
        job = ended_job(served)
        keys = ("AttributeName=id,KeyType=HASH", "AttributeName=id,AttributeType=S")
        table = ("--table-name", "parts", "--billing-mode", "PAY_PER_REQUEST")
        named = ("--key-schema", keys[0], "--attribute-definitions", keys[1])
        served.aws("dynamodb", "create-table", *table, *named)
        item = '{"id": {"S": "a"}, "size": {"N": "3"}}'
        served.aws("dynamodb", "put-item", "--table-name", "parts", "--item", item)
    assert job["TrainingJobStatus"] == "Failed"
    assert "image elsewhere/own:1 cannot run here" in job["FailureReason"]
    with serving(state) as served:
        (component,) = served.aws("greengrassv2", "list-components", "--scope", "PRIVATE")["components"]
        assert component["componentName"] == "com.example.hello"
        ask = ("greengrassv2", "get-deployment", "--deployment-id", made["deploymentId"])
        assert served.aws(*ask)["targetArn"] == thing
        assert served.aws("iot", "describe-thing", "--thing-name", "station")["thingArn"] == thing
        assert ended_job(served) == job
        found = served.aws("dynamodb", "get-item", "--table-name", "parts", "--key", '{"id": {"S": "a"}}')
        assert found["Item"]["size"] == {"N": "3"}


def test_events_that_were_read_stay_after_a_kill(tmp_path: Path) -> None:
    drawn = {"Type": "Pass", "Output": "{% $uuid() %}", "End": True}
    waits = {"Type": "Wait", "Seconds": 20, "End": True}
    branches = [
        {"StartAt": "Wait", "States": {"Wait": waits}},
        {"StartAt": "Draw", "States": {"Draw": drawn}},
    ]
    both = {"Type": "Parallel", "Branches": branches, "End": True}
    document = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Both", "States": {"Both": both}})
    role = f"arn:aws:iam::{HERE}:role/machine"
    named = ("--name", "both", "--role-arn", role, "--definition", document)
    with serving(tmp_path / "state", end=signal.SIGKILL) as served:
        machine = served.aws("stepfunctions", "create-state-machine", *named)["stateMachineArn"]
        ask = ("stepfunctions", "get-execution-history", "--execution-arn", start(served, machine))
        before = until_drawn(served, ask)
    with serving(tmp_path / "state") as served:
        after = served.aws(*ask)["events"]
        told = json.loads(settled(served, ask[-1])["output"])[1]
    assert after[: len(before)] == before
    drawn_then = [one for one in before if one["type"] == "PassStateExited"]
    assert [json.loads(one["stateExitedEventDetails"]["output"]) for one in drawn_then] == [told]


def until_drawn(served: Served, ask: tuple[str, ...]) -> list[dict[str, Any]]:
    for _ in range(240):
        found: list[dict[str, Any]] = served.aws(*ask)["events"]
        if any(one["type"] == "PassStateExited" for one in found):
            return found
    raise AssertionError(found)


def test_days_pass_in_seconds_also_after_the_cloud_is_served_again(tmp_path: Path) -> None:
    waits = {"Type": "Wait", "Seconds": 3 * 86_400, "End": True}
    document = json.dumps({"QueryLanguage": "JSONata", "StartAt": "Wait", "States": {"Wait": waits}})
    role = f"arn:aws:iam::{HERE}:role/machine"
    named = ("--name", "days", "--role-arn", role, "--definition", document)
    scale = ("--time-scale", "100000")
    with serving(tmp_path / "state", *scale) as served:
        machine = served.aws("stepfunctions", "create-state-machine", *named)["stateMachineArn"]
        first = settled(served, start(served, machine))
    assert float(first["stopDate"]) - float(first["startDate"]) >= 3 * 86_400
    with serving(tmp_path / "state", *scale) as served:
        second = settled(served, start(served, machine))
    assert second["status"] == "SUCCEEDED"
    assert float(second["startDate"]) >= float(first["stopDate"])


def test_a_fleet_is_served_and_takes_what_the_aws_cli_deploys(tmp_path: Path) -> None:
    fleet, recipe = tmp_path / "devices.yaml", tmp_path / "recipe.json"
    fleet.write_text("version: 1\ndevices: {'line-{1..2}': {groups: [line]}}\n", encoding="utf-8")
    recipe.write_text(json.dumps(RECIPE), encoding="utf-8")
    theirs: dict[str, str] = {"AWS_ACCESS_KEY_ID": THERE}
    with serving(tmp_path / "state", "--devices", str(fleet), "--account", THERE) as served:
        assert served.aws("greengrassv2", "list-core-devices") == {"coreDevices": []}
        listed = served.aws("greengrassv2", "list-core-devices", **theirs)["coreDevices"]
        assert sorted(one["coreDeviceThingName"] for one in listed) == ["line-1", "line-2"]
        made = ("greengrassv2", "create-component-version", "--inline-recipe", f"fileb://{recipe}")
        served.aws(*made, **theirs)
        group = f"arn:aws:iot:us-east-1:{THERE}:thinggroup/line"
        wanted = json.dumps({RECIPE["ComponentName"]: {"componentVersion": "1.0.0"}})
        named = ("greengrassv2", "create-deployment", "--target-arn", group, "--components", wanted)
        served.aws(*named, **theirs)
        for thing in ("line-1", "line-2"):
            ask = ("greengrassv2", "list-effective-deployments", "--core-device-thing-name", thing)
            assert until_succeeded(served, ask, theirs)[0]["targetArn"] == group
    other = serve_fleet(tmp_path / "state", fleet)
    assert other.returncode == 5
    assert f"has a device 'line-1' of the account {THERE} already: use that account" in other.stderr


def serve_fleet(state: Path, file: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *SERVE, str(state), "--devices", str(file), *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def until_succeeded(served: Served, ask: tuple[str, ...], keys: dict[str, str]) -> list[dict[str, Any]]:
    for _ in range(240):
        found: list[dict[str, Any]] = served.aws(*ask, **keys)["effectiveDeployments"]
        if found and all(each["coreDeviceExecutionStatus"] == "SUCCEEDED" for each in found):
            return found
        time.sleep(0.5)
    raise AssertionError(found)


@pytest.mark.parametrize(
    ("fleet", "options", "code", "words"),
    [
        ("version: 1\ndevices: {a: {colour: red}}\n", (), 3, "has no key 'colour'"),
        (None, (), 2, "cannot read"),
        ("version: 1\ndevices: {a: {}}\n", ("--account", "12"), 2, "twelve digits"),
    ],
)
def test_a_fleet_that_is_wrong_is_not_served(
    tmp_path: Path, fleet: str | None, options: tuple[str, ...], code: int, words: str
) -> None:
    file, state = tmp_path / "fleet.yaml", tmp_path / "state"
    if fleet:
        file.write_text(fleet, encoding="utf-8")
    done = serve_fleet(state, file, *options)
    assert (done.returncode, words in done.stderr, state.exists()) == (code, True, False), done.stderr


def ended_job(served: Served) -> dict[str, Any]:
    for _ in range(240):
        job = served.aws("sagemaker", "describe-training-job", "--training-job-name", JOB["TrainingJobName"])
        if job["TrainingJobStatus"] in {"Completed", "Failed", "Stopped"}:
            return dict(job)
        time.sleep(0.5)
    raise AssertionError(job)


def definition(function: str) -> dict[str, Any]:
    call = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": {"number": 21}},
        "Output": "{% $states.result.Payload %}",
        "End": True,
    }
    return {"QueryLanguage": "JSONata", "StartAt": "Call", "States": {"Call": call}}


def start(served: Served, machine: str) -> str:
    return str(served.aws("stepfunctions", "start-execution", "--state-machine-arn", machine)["executionArn"])


def settled(served: Served, execution: str) -> dict[str, Any]:
    for _ in range(600):
        described = served.aws("stepfunctions", "describe-execution", "--execution-arn", execution)
        if described["status"] != "RUNNING":
            return dict(described)
        time.sleep(0.2)
    raise AssertionError(described)


def test_a_role_is_for_those_whom_it_trusts(served: Served) -> None:
    ask = ("sts", "assume-role", "--role-session-name", "cli", "--role-arn")
    for name, account in (("open", HERE), ("closed", "333333333333")):
        policy = trust(AWS=f"arn:aws:iam::{account}:root")
        served.aws("iam", "create-role", "--role-name", name, "--assume-role-policy-document", policy)
    assert served.aws(*ask, f"arn:aws:iam::{HERE}:role/open")["Credentials"]["AccessKeyId"]
    for name in ("closed", "missing"):
        done = served.try_aws(*ask, f"arn:aws:iam::{HERE}:role/{name}")
        assert done.returncode != 0
        assert "(AccessDenied) when calling the AssumeRole operation: User: arn:aws:" in done.stderr


def test_a_function_fails_and_times_out_as_on_aws(served: Served, tmp_path: Path) -> None:
    served.aws("iam", "create-role", "--role-name", "work", "--assume-role-policy-document", "{}")
    make_function(served, tmp_path, "fails", "index.fail")
    make_function(served, tmp_path, "sleeps", "index.sleep", "--timeout", "1")
    make_function(served, tmp_path, "lost", "nowhere.handler")
    answers = {}
    for name in ("fails", "sleeps", "lost"):
        reply = served.aws("lambda", "invoke", "--function-name", name, str(tmp_path / name))
        assert reply["FunctionError"] == "Unhandled"
        answers[name] = json.loads((tmp_path / name).read_text(encoding="utf-8"))
    assert (answers["fails"]["errorType"], answers["fails"]["errorMessage"]) == (
        "LookupError",
        "no such part",
    )
    assert answers["fails"]["stackTrace"][0].endswith('raise LookupError("no such part")\n')
    assert "Task timed out after 1.00 seconds" in answers["sleeps"]["errorMessage"]
    assert answers["lost"]["errorType"] == "Runtime.ImportModuleError"


def test_what_cannot_run_here_is_refused_when_it_is_created(served: Served, tmp_path: Path) -> None:
    create = ("lambda", "create-function", "--function-name", "f", "--role", f"arn:aws:iam::{HERE}:role/work")
    good = packed(tmp_path, {"index.js": ""})
    done = served.try_aws(*create, "--handler", "index.h", "--runtime", "nodejs22.x", "--zip-file", good)
    assert "Python runtime only" in done.stderr
    bad = packed(tmp_path, {"../../outside.py": ""})
    done = served.try_aws(*create, "--handler", "index.h", "--runtime", "python3.12", "--zip-file", bad)
    assert "leads outside" in done.stderr


def test_two_processes_cannot_serve_one_folder(served: Served) -> None:
    done = subprocess.run(
        [sys.executable, *SERVE, str(served.state)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 5
    assert str(served.process.pid) in done.stderr
