"""doctor, deploy and usecase against the local cloud."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import cli
from operations import session, stacks
from pipelines import platform, usecase
from tasks.recipe import LOCAL_SERVER
from tests.functional.test_operations.conftest import DATA, ORCHESTRATOR, REGION, USECASE, Platform, trust

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def edgepipe(*words: str) -> int:
    return cli.main(list(words))


def complete(deployed: Platform) -> None:
    """Bring what doctor looks for beside functions, roles and buckets."""
    for account in (ORCHESTRATOR, USECASE):
        bootstrap(deployed, account)
    deployed.client("cloudwatch").put_metric_alarm(
        AlarmName="edgepipe-silent",
        ComparisonOperator="LessThanThreshold",
        EvaluationPeriods=1,
        MetricName="Invocations",
        Namespace="AWS/Lambda",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    deployed.client("cloudwatch").set_alarm_state(
        AlarmName="edgepipe-silent", StateValue="OK", StateReason="a test says so"
    )


def bootstrap(deployed: Platform, account: str) -> None:
    deployed.client("ssm", account).put_parameter(Name=platform.BOOTSTRAP, Value="27", Type="String")


def examined(capsys: pytest.CaptureFixture[str], code: int, *words: str) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    assert edgepipe("doctor", *words, "--output", "json") == code
    return {check["name"]: check for check in json.loads(capsys.readouterr().out)}


def test_doctor_finds_nothing_wrong(deployed: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    complete(deployed)
    found = examined(capsys, 0)
    assert list(found) == [
        "credentials",
        "account",
        "bootstrap",
        "table",
        "functions",
        "alarms",
        "use case bakery, role",
        "use case bakery, bootstrap",
        "use case bakery, handlers",
        "use case bakery, buckets",
        "use case bakery, images",
    ]
    assert edgepipe("usecase", "check", "bakery") == 0


def test_doctor_names_what_is_wrong_and_the_remedy(
    deployed: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    complete(deployed)
    for account in (ORCHESTRATOR, USECASE):
        deployed.client("ssm", account).delete_parameter(Name=platform.BOOTSTRAP)
    deployed.client("dynamodb").delete_table(TableName="edgepipe-jobs")
    deployed.client("lambda").delete_function(FunctionName="edgepipe-train")
    deployed.client("cloudwatch").set_alarm_state(
        AlarmName="edgepipe-silent", StateValue="ALARM", StateReason="a test says so"
    )
    role = deployed.usecase.role_arn.rsplit("/", 1)[1]
    deployed.client("iam", USECASE).update_assume_role_policy(
        RoleName=role, PolicyDocument=json.dumps(trust({"Service": "lambda.amazonaws.com"}))
    )
    deployed.client("s3", USECASE).delete_bucket(Bucket=deployed.usecase.results_bucket)
    found = {name: check for name, check in examined(capsys, 5).items() if not check["ok"]}
    assert {name: check["remedy"] for name, check in found.items()} == {
        "bootstrap": f"npx cdk bootstrap aws://{ORCHESTRATOR}/{REGION}",
        "table": "edgepipe deploy",
        "functions": "edgepipe deploy",
        "alarms": "",
        "use case bakery, bootstrap": f"npx cdk bootstrap aws://{USECASE}/{REGION}",
        "use case bakery, handlers": "edgepipe usecase register bakery",
        "use case bakery, buckets": "edgepipe usecase register bakery",
    }
    assert "edgepipe-train" in found["functions"]["message"]
    assert edgepipe("doctor") == 5
    assert "WRONG table: there is no edgepipe-jobs. To mend it: edgepipe deploy" in capsys.readouterr().out


def test_a_role_that_does_not_trust_us(
    deployed: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")

    monkeypatch.setattr(session.Aws, "assume", refuse)
    assert edgepipe("apply", "pipeline.yaml") == 5
    said = capsys.readouterr().err.splitlines()[-1]
    assert "edgepipe-bakery-operator does not let us in" in said
    assert "edgepipe usecase register bakery" in said
    assert deployed.live() is None
    found = examined(capsys, 5)
    assert not found["use case bakery, role"]["ok"]
    unseen = found["use case bakery, bootstrap"]
    assert (unseen["ok"], unseen["sure"]) == (True, False)
    assert unseen["message"] == f"account {USECASE} cannot be looked into from here"
    assert "aws ssm get-parameter --name /cdk-bootstrap/hnb659fds/version" in unseen["remedy"]
    assert edgepipe("doctor") == 5
    line = "?     use case bakery, bootstrap: account {} cannot be looked into from here. To be sure:"
    assert line.format(USECASE) in capsys.readouterr().out


def test_init_writes_a_use_case_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (
        "usecase",
        "init",
        "bakery",
        "--usecase-account",
        USECASE,
        "--orchestrator-account",
        ORCHESTRATOR,
    )
    assert edgepipe(*words, "--data-account", DATA, "--region", "eu-west-1") == 0
    assert capsys.readouterr().out == "usecases/bakery.yaml\n"
    case = usecase.read(tmp_path / "usecases", "bakery")
    assert (case.account, case.region, case.data and case.data.account) == (USECASE, "eu-west-1", DATA)
    assert len(case.external_id) == len("edgepipe-") + 32
    assert edgepipe(*words) == 2
    assert "is there already" in capsys.readouterr().err
    assert edgepipe("usecase", "init", "Bad", *words[3:]) == 2
    assert "'Bad' must be small letters" in capsys.readouterr().err
    assert edgepipe("usecase", "init", "bread", *words[3:], "--data-account", "12") == 2
    assert "--data-account '12' must be twelve digits" in capsys.readouterr().err
    assert edgepipe("usecase", "init", "b" * 64, *words[3:]) == 3
    assert [path.name for path in tmp_path.joinpath("usecases").iterdir()] == ["bakery.yaml"]
    capsys.readouterr()
    assert edgepipe("usecase", "list") == 0
    assert capsys.readouterr().out == f"bakery                   {USECASE} eu-west-1, images in {DATA}\n"


def test_register_prints_the_commands_and_provisions(
    deployed: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgepipe("usecase", "register", "bakery") == 0
    out, err = capsys.readouterr()
    assert "npx cdk deploy edgepipe-orchestrator --exclusively" in out
    assert "npx cdk deploy edgepipe-usecase-bakery --exclusively" in out
    assert f"# edgepipe-usecase-bakery, with credentials of account {USECASE}:" in err
    assert f"created    component {LOCAL_SERVER}" in out
    versions = deployed.client("greengrassv2", USECASE).list_components()["components"]
    assert [each["componentName"] for each in versions] == [LOCAL_SERVER]
    assert edgepipe("usecase", "register", "bakery") == 0
    assert f"unchanged  component {LOCAL_SERVER}" in capsys.readouterr().out


def test_deploy_runs_cdk_for_the_right_account_only(
    deployed: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []

    def deploy(plan: stacks.Deployment) -> int:
        ran.append(plan.words())
        return 0

    monkeypatch.setattr(stacks, "deploy", deploy)
    monkeypatch.setattr(stacks, "find_cdk", lambda: ["cdk"])
    assert edgepipe("deploy", "--account", "999999999999") == 5
    assert edgepipe("deploy") == 5
    remedy = f"us-east-1 of account {ORCHESTRATOR}: npx cdk bootstrap aws://{ORCHESTRATOR}/us-east-1"
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"CDK has never been set up in {remedy}")
    assert edgepipe("usecase", "register", "bakery", "--deploy") == 5
    assert capsys.readouterr().err.splitlines()[-1].endswith(f"CDK has never been set up in {remedy}")
    assert ran == []
    deployed.client("ssm").put_parameter(Name=platform.BOOTSTRAP, Value="27", Type="String")
    assert edgepipe("deploy") == 0
    assert ran[0][:2] == ["deploy", "edgepipe-orchestrator"]
    assert "usecases=usecases" in ran[0]
    deployed.folder.joinpath("usecases", "bakery.yaml").unlink()
    assert edgepipe("deploy") == 5
    assert "write one with `edgepipe usecase init ID`" in capsys.readouterr().err


def keys_of(deployed: Platform, account: str) -> str:
    """Return a profile's lines: the keys of a person of that account."""
    iam = deployed.client("iam", account)
    iam.create_user(UserName="mira")
    made = iam.create_access_key(UserName="mira")["AccessKey"]
    return f"aws_access_key_id = {made['AccessKeyId']}\naws_secret_access_key = {made['SecretAccessKey']}\n"


def test_register_deploys_into_each_account_with_its_own_profile(
    deployed: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "".join(
        f"[{name}]\n{keys_of(deployed, account)}" for name, account in (("bakers", USECASE), ("images", DATA))
    )
    file = deployed.folder / "credentials"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    drafted = usecase.draft(
        "bakery",
        account=USECASE,
        region=REGION,
        orchestrator=deployed.usecase.orchestrator,
        external_id=deployed.usecase.external_id,
        data_account=DATA,
    )
    deployed.folder.joinpath("usecases", "bakery.yaml").write_text(usecase.render(drafted), encoding="utf-8")
    ran: list[tuple[str, str | None]] = []

    def deploy(plan: stacks.Deployment) -> int:
        ran.append((plan.stacks[0], plan.settings.profile))
        return 0

    monkeypatch.setattr(stacks, "deploy", deploy)
    monkeypatch.setattr(stacks, "find_cdk", lambda: ["cdk"])
    words = ("usecase", "register", "bakery", "--deploy")
    for account in (ORCHESTRATOR, USECASE, DATA):
        named = {"Name": platform.BOOTSTRAP, "Value": "27", "Type": "String"}
        deployed.client("ssm", account).put_parameter(**named)
    for given, remedy in (
        (
            (),
            f"goes into account {USECASE}, and these credentials are of {ORCHESTRATOR}",
        ),
        (("--usecase-profile", "bakers"), f"give --data-profile with a profile of {DATA}"),
        (("--usecase-profile", "images", "--data-profile", "images"), "give --usecase-profile"),
    ):
        assert edgepipe(*words, *given) == 5
        assert remedy in capsys.readouterr().err.splitlines()[-1]
        assert ran == [], "nothing is deployed before all accounts are the right ones"
    assert edgepipe(*words, "--usecase-profile", "bakers", "--data-profile", "images") == 0
    assert ran == [
        ("edgepipe-orchestrator", None),
        ("edgepipe-usecase-bakery", "bakers"),
        ("edgepipe-data-bakery", "images"),
    ]
    said = capsys.readouterr().err
    assert f"AWS: edgepipe-usecase-bakery: account {USECASE}" in said
    assert edgepipe("usecase", "register", "bakery", "--usecase-profile", "bakers") == 0
    commands = [line for line in capsys.readouterr().out.splitlines() if line.startswith("npx")]
    assert [line.partition("--profile ")[2] for line in commands] == ["", "bakers", ""]


def test_deploy_says_what_to_install(
    deployed: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(deployed.folder))
    assert edgepipe("deploy") == 5
    assert "npm install --global aws-cdk" in capsys.readouterr().err
