"""apply and rollback against the local cloud: what they change, in what order, and what a failure leaves."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

import cli
from tests.functional.test_operations.conftest import DATA, ORCHESTRATOR, SPEC, USECASE, Platform

if TYPE_CHECKING:
    from collections.abc import Iterator


def edgepipe(*words: str) -> int:
    return cli.main(list(words))


def applied(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert edgepipe("apply", "pipeline.yaml", "--output", "json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def actions(release: dict[str, Any]) -> dict[str, str]:
    return {change["what"]: change["action"] for change in release["changes"]}


def test_apply_makes_a_version_live(deployed: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    first = applied(capsys)
    assert (first["version"], first["before"], first["account"]) == (1, None, ORCHESTRATOR)
    assert first["url"].startswith("https://us-east-1.console.aws.amazon.com/states/home?region=us-east-1#/")
    assert deployed.live() == 1
    files = deployed.client("s3", USECASE).list_objects_v2(Bucket=deployed.usecase.results_bucket)
    assert sorted(item["Key"].rsplit("/", 1)[1] for item in files["Contents"]) == [
        "pipeline.yaml",
        "train_source.tar.gz",
    ]
    machine = deployed.client("stepfunctions").describe_state_machine(
        stateMachineArn=f"arn:aws:states:us-east-1:{ORCHESTRATOR}:stateMachine:edgepipe-cookies"
    )
    assert "${" not in machine["definition"]
    assert machine["roleArn"].endswith(":role/edgepipe-machine-cookies")


def test_apply_again_changes_nothing(deployed: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    applied(capsys)
    again = applied(capsys)
    assert (again["version"], again["changed"]) == (1, False)
    assert set(actions(again).values()) == {"unchanged"}
    assert edgepipe("apply", "pipeline.yaml") == 0
    out, err = capsys.readouterr()
    assert "nothing to do: version 1 of 'cookies' is live" in out
    assert f"AWS: account {ORCHESTRATOR}, region us-east-1, as arn:aws:" in err


def test_a_script_alone_is_a_new_version(deployed: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    applied(capsys)
    deployed.folder.joinpath("train.py").write_text("print('accuracy=0.5')\n", encoding="utf-8")
    second = applied(capsys)
    assert (second["version"], second["before"]) == (2, 1)
    assert actions(second) == {
        "asset train_source": "uploaded",
        "spec": "unchanged",
        "role edgepipe-machine-cookies": "unchanged",
        "state machine edgepipe-cookies": "updated",
        "alias live": "moved",
    }


def test_rollback_and_forth(deployed: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    for epochs in (3, 4, 5):
        deployed.spec.write_text(SPEC.replace("default: 3", f"default: {epochs}"), encoding="utf-8")
        applied(capsys)
    assert edgepipe("rollback", "cookies") == 0
    assert deployed.live() == 2
    assert edgepipe("rollback", "cookies", "--to", "1") == 0
    assert deployed.live() == 1
    assert "version 1 of 'cookies' is live, before it was version 2" in capsys.readouterr().out
    assert edgepipe("rollback", "cookies") == 5
    assert "has no older version: there are 1, 2, 3, and 1 is live" in capsys.readouterr().err
    assert applied(capsys)["version"] == 3
    assert edgepipe("rollback", "cookies", "--to", "9") == 5
    assert edgepipe("rollback", "biscuits") == 5
    assert "no version of pipeline 'biscuits' is live" in capsys.readouterr().err


def test_plan_shows_what_apply_would_change(deployed: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert edgepipe("plan", "pipeline.yaml", "--against", "deployed") == 4
    applied(capsys)
    assert edgepipe("plan", "pipeline.yaml", "--against", "deployed", "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)["changed"] is False
    deployed.folder.joinpath("train.py").write_text("print('accuracy=0.5')\n", encoding="utf-8")
    deployed.spec.write_text(SPEC.replace("labels: [a, b]", "labels: [a, c]"), encoding="utf-8")
    assert edgepipe("plan", "pipeline.yaml", "--against", "deployed", "--output", "json") == 4
    found = json.loads(capsys.readouterr().out)
    assert {each["state"] for each in found["states"]} >= {"label"}
    assert found["rights"] == []
    assert [each["step"] for each in found["reruns"]] == ["label", "transform", "train"]


def test_a_new_role_is_waited_for(
    deployed: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("operations.settling.time", SimpleNamespace(sleep=waits.append))
    refusals = ["authorized to assume the provided role"] * 2
    real = BaseClient._make_api_call

    def call(client: Any, operation: str, request: dict[str, Any]) -> Any:
        if operation == "CreateStateMachine" and refusals:
            message = f"Neither the one nor the other is {refusals.pop()}."
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, operation)
        return real(client, operation, request)

    monkeypatch.setattr(BaseClient, "_make_api_call", call)
    assert applied(capsys)["version"] == 1
    assert waits == [1, 2]
    assert deployed.live() == 1


def test_the_machine_of_a_stack_is_updated_and_it_is_said_what_undoes_that(
    deployed: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stack brings triggers and notices, `apply` versions: both have the same machine."""
    assert applied(capsys)["stack"] == ""
    arn = f"arn:aws:states:us-east-1:{ORCHESTRATOR}:stateMachine:edgepipe-cookies"
    tag = {"key": "aws:cloudformation:stack-name", "value": "edgepipe-pipeline-cookies"}
    deployed.client("stepfunctions").tag_resource(resourceArn=arn, tags=[tag])
    deployed.spec.write_text(SPEC.replace("default: 3", "default: 4"), encoding="utf-8")
    assert edgepipe("apply", "pipeline.yaml") == 0
    assert "note: it is of the stack edgepipe-pipeline-cookies" in capsys.readouterr().out
    assert deployed.live() == 2
    assert applied(capsys)["stack"] == "edgepipe-pipeline-cookies"


def test_what_only_a_stack_carries_out_is_said(
    deployed: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    topic = f"arn:aws:sns:us-east-1:{ORCHESTRATOR}:bakery"
    waiting = f"notify: {{on: [waiting], topic: '{topic}'}}\n"
    deployed.spec.write_text(SPEC + waiting, encoding="utf-8")
    assert applied(capsys)["idle"] == []
    more = 'triggers: [{schedule: "rate(1 day)"}]\n' + waiting.replace("waiting", "waiting, failed")
    deployed.spec.write_text(SPEC + more, encoding="utf-8")
    assert applied(capsys)["idle"] == ["triggers", "notify"]
    assert edgepipe("apply", "pipeline.yaml") == 0
    said = (
        "note: triggers and notify of this spec do nothing yet: the stack edgepipe-pipeline-cookies carries"
    )
    assert said in capsys.readouterr().out


class BrokenError(Exception):
    """A call to AWS that was never answered."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Note every call; the one whose number stands in `broken` is not made."""
    made: list[str] = []
    real = boto3.session.Session.client

    def client(self: Any, *words: Any, **named: Any) -> Any:
        found = real(self, *words, **named)
        found.meta.events.register_first("before-call", lambda model, **_: note(model))
        return found

    def note(model: Any) -> None:
        made.append(f"{model.service_model.service_name}:{model.name}")
        if len(made) == BROKEN.get("call"):
            raise BrokenError(made[-1])

    monkeypatch.setattr(boto3.session.Session, "client", client)
    yield made
    BROKEN.clear()


BROKEN: dict[str, int] = {}


@pytest.mark.soak
def test_whatever_breaks_leaves_the_live_version_and_is_mended_by_apply(
    deployed: Platform, calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every call in turn is the one that fails: runs never start on anything but a whole version."""
    applied(capsys)
    calls.clear()
    changed = SPEC.replace("default: 3", "default: 7")
    deployed.spec.write_text(changed, encoding="utf-8")
    applied(capsys)
    total = len(calls)
    assert total > 12
    for number in range(1, total + 1):
        deployed.spec.write_text(SPEC.replace("default: 3", f"default: {10 + number}"), encoding="utf-8")
        before = deployed.live()
        calls.clear()
        BROKEN["call"] = number
        assert edgepipe("apply", "pipeline.yaml") != 0, number
        BROKEN.clear()
        assert deployed.live() == before, calls
        assert before is not None
        assert applied(capsys)["version"] == before + 1, "exactly one version comes of it, broken or not"
        assert deployed.live() == before + 1


@pytest.mark.parametrize(
    ("prepare", "words", "code", "remedy"),
    [
        ("unregister", ("apply", "pipeline.yaml"), 5, "`edgepipe usecase init bakery`"),
        ("elsewhere", ("apply", "pipeline.yaml"), 5, "use a --profile of 999999999999"),
        ("region", ("apply", "pipeline.yaml", "--region", "eu-west-1"), 5, "give --region us-east-1"),
        ("functions", ("apply", "pipeline.yaml"), 5, "lacks edgepipe-train: run `edgepipe deploy`"),
        ("spec", ("apply", "pipeline.yaml"), 3, "pipeline.yaml:4:1: P010"),
        ("account", ("rollback", "cookies", "--account", "111111111111"), 5, "--account says so"),
        ("region name", ("apply", "pipeline.yaml", "--region", "a b"), 5, "supported format. Give one with"),
        ("address", ("apply", "pipeline.yaml", "--endpoint-url", "nonsense"), 5, "take http(s)://HOST"),
        ("profile", ("apply", "pipeline.yaml", "--profile", "nobody"), 5, "aws configure list-profiles"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    deployed: Platform,
    capsys: pytest.CaptureFixture[str],
    prepare: str,
    words: tuple[str, ...],
    code: int,
    remedy: str,
) -> None:
    file = deployed.folder / "usecases" / "bakery.yaml"
    text = file.read_text(encoding="utf-8")
    if prepare == "unregister":
        file.unlink()
    if prepare == "elsewhere":
        file.write_text(text.replace(f'  account: "{ORCHESTRATOR}"', '  account: "999999999999"'))
    if prepare == "functions":
        deployed.client("lambda").delete_function(FunctionName="edgepipe-train")
    if prepare == "spec":
        deployed.spec.write_text(SPEC.replace("params:", "parms:"), encoding="utf-8")
    assert edgepipe(*words) == code
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("AWS: ")]
    assert remedy in lines[0]
    assert code == 3 or len(lines) == 1
    assert deployed.live() is None
    assert "Contents" not in deployed.client("s3", USECASE).list_objects_v2(
        Bucket=deployed.usecase.results_bucket
    )
    assert deployed.client("iam").list_roles()["Roles"]
    assert not [r for r in deployed.client("iam").list_roles()["Roles"] if "machine" in r["RoleName"]]


def test_the_three_accounts_are_three(deployed: Platform) -> None:
    accounts = {
        deployed.client("sts", each).get_caller_identity()["Account"]
        for each in (ORCHESTRATOR, USECASE, DATA)
    }
    assert accounts == {ORCHESTRATOR, USECASE, DATA}
