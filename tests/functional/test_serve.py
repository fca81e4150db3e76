"""local serve: the real AWS CLI and boto3 talk to the local cloud, also after it has been started again."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
AWS = Path(sys.executable).with_name("aws")
SERVE = ("cli.py", "local", "serve", "--port", "0", "--state-dir")
HERE, THERE = "123456789012", "210987654321"
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


@dataclass(frozen=True)
class Served:
    address: str
    state: Path
    process: subprocess.Popen[str]

    def aws(self, *arguments: str, region: str = "us-east-1", **variables: str) -> Any:
        """Run the AWS CLI and return what it printed, as JSON if it is."""
        done = self.try_aws(*arguments, region=region, **variables)
        assert done.returncode == 0, done.stderr
        try:
            return json.loads(done.stdout or "null")
        except ValueError:
            return done.stdout

    def try_aws(
        self, *arguments: str, region: str = "us-east-1", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": region}
        quiet = {"AWS_CONFIG_FILE": os.devnull, "AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true"}
        return subprocess.run(
            [str(AWS), "--endpoint-url", self.address, "--output", "json", *arguments],
            env={**env, **keys, **quiet, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@contextmanager
def serving(state: Path) -> Iterator[Served]:
    """`local serve` in a process of its own; it must end well when it is told to."""
    process = subprocess.Popen(
        [sys.executable, *SERVE, str(state)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield Served(process.stdout.readline().strip(), state, process)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
    finally:
        process.kill()
        process.communicate()


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
    zipped = packed(folder, {"index.py": CODE, "helper.py": "def double(number): return 2 * number\n"})
    created = served.aws(
        *("lambda", "create-function", "--function-name", name, "--zip-file", zipped, "--runtime"),
        *("python3.12", "--handler", handler, "--role", f"arn:aws:iam::{HERE}:role/work", *more),
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
    for _ in range(120):
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


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {"Host": "evil.example"}),
        ("/", {"Host": "127.0.0.1.evil.example"}),
        ("/", {"Origin": "http://evil.example"}),
        ("/", {"Origin": "null"}),
        ("/?Action=ListQueues", {"Sec-Fetch-Site": "cross-site"}),
        ("/moto-api/", {}),
        ("/moto-api/reset", {}),
        ("/%6doto-api/data.json", {}),
    ],
)
def test_a_web_page_gets_nothing(served: Served, path: str, headers: dict[str, str]) -> None:
    request = urllib.request.Request(served.address + path, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == 403
    assert not [name for name in caught.value.headers if name.lower().startswith("access-control")]
    caught.value.close()


def test_a_header_moves_nobody_into_another_account(served: Served) -> None:
    import boto3

    client = boto3.client(
        "sts",
        endpoint_url=served.address,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    forged = {"x-moto-account-id": THERE, "x-edgepipe-principal": f"arn:aws:iam::{THERE}:user/root"}
    client.meta.events.register("before-call", lambda params, **_: params["headers"].update(forged))
    assert client.get_caller_identity()["Account"] == HERE


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
