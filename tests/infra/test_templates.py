"""What the templates hold, by property: never by logical id."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
import pytest
from cfnlint.api import lint_file  # type: ignore[import-untyped]  # it publishes no types

from pipelines import definition, packages, platform
from stacks import reasons
from stacks.buckets import RESULT_DAYS
from stacks.edge_pipeline import EdgePipeline, UnfitSpecError
from stacks.settings import EXAMPLE
from stacks.triggers import TriggerError
from tasks import events
from tests.infra.conftest import example

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.infra.conftest import Assembly

ROOT = Path(__file__).parents[2]
KINDS = {
    "AWS::CDK::Metadata",
    "AWS::CloudFormation::CustomResource",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::Events::EventBusPolicy",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::KMS::Key",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Logs::LogGroup",
    "AWS::Logs::MetricFilter",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::Scheduler::Schedule",
    "AWS::StepFunctions::StateMachine",
    "AWS::StepFunctions::StateMachineAlias",
    "AWS::StepFunctions::StateMachineVersion",
}


def test_nothing_is_in_the_templates_that_nobody_asked_for(assembly: Assembly) -> None:
    found = {
        each["Type"] for template in assembly.templates.values() for each in template["Resources"].values()
    }
    assert found == KINDS - {"AWS::CDK::Metadata"}
    functions = {each["FunctionName"] for _, each in assembly.resources("AWS::Lambda::Function")}
    services = {*platform.kind_functions(), *platform.SERVICE_FUNCTIONS, "assets", "new-data", "onboarding"}
    own = {"edgepipe-wafer-defects-audit", "edgepipe-bucket-rules-wafers"}
    assert functions == {platform.function_name(name) for name in services} | own


def test_cdk_nag_finds_what_has_a_reason_and_no_reason_is_idle(assembly: Assembly) -> None:
    findings = {(path, re.sub(r"<[^>]+>", "", rule)) for path, rule in assembly.findings}
    assert findings == set(assembly.explained)
    assert {rule for _, rule in findings if "[" not in rule} == set(reasons.FINDINGS)


def test_cfn_lint_has_nothing_to_say(assembly: Assembly) -> None:
    found = [match for path in assembly.folder.glob("*.template.json") for match in lint_file(path)]
    assert [str(match) for match in found] == []


def functions(assembly: Assembly) -> dict[str, Mapping[str, Any]]:
    return {each["FunctionName"]: each for _, each in assembly.resources("AWS::Lambda::Function")}


def test_functions_are_arm64_python_with_a_timeout(assembly: Assembly) -> None:
    for name, found in functions(assembly).items():
        assert (found["Runtime"], found["Architectures"]) == ("python3.13", ["arm64"]), name
        assert 0 < found["Timeout"] <= 900, name


def test_every_function_that_nobody_waits_for_has_a_dead_letter_queue(assembly: Assembly) -> None:
    waited_for = {
        platform.function_name(name) for name in (*platform.kind_functions(), "judge", "onboarding")
    }
    without = {name for name, found in functions(assembly).items() if "DeadLetterConfig" not in found}
    assert without == {*waited_for, "edgepipe-wafer-defects-audit"}


def test_every_function_and_machine_has_a_log_that_ends(assembly: Assembly) -> None:
    kept = {
        each["LogGroupName"]: each["RetentionInDays"] for _, each in assembly.resources("AWS::Logs::LogGroup")
    }
    assert set(kept.values()) == {90}
    assert {f"/aws/lambda/{name}" for name in functions(assembly)} <= set(kept)
    machines = [each for _, each in assembly.resources("AWS::StepFunctions::StateMachine")]
    assert {f"/aws/vendedlogs/states/{each['StateMachineName']}" for each in machines} <= set(kept)


def test_machines_log_all_but_the_data_which_holds_tokens(assembly: Assembly) -> None:
    for _, machine in assembly.resources("AWS::StepFunctions::StateMachine"):
        logged = machine["LoggingConfiguration"]
        assert (logged["Level"], logged["IncludeExecutionData"]) == ("ALL", False)
        assert machine["TracingConfiguration"] == {"Enabled": True}


def test_the_table_is_that_of_the_platform(assembly: Assembly) -> None:
    ((_, table),) = assembly.resources("AWS::DynamoDB::Table")
    assert table["TableName"] == platform.JOBS_TABLE
    assert {name: table[name] for name in platform.JOBS_TABLE_SCHEMA} == dict(platform.JOBS_TABLE_SCHEMA)
    assert table["DeletionProtectionEnabled"] is True


@pytest.mark.parametrize("name", ["results", "data", "components"])
def test_buckets_are_closed_encrypted_and_kept(assembly: Assembly, name: str) -> None:
    template = assembly.templates["edgepipe-usecase-cookie-factory"]["Resources"]
    found = {
        resource["Properties"]["BucketName"]: resource
        for resource in template.values()
        if resource["Type"] == "AWS::S3::Bucket" and "BucketName" in resource["Properties"]
    }
    bucket = found[f"cookie-factory-{name}-210987654321"]
    assert all(bucket["Properties"]["PublicAccessBlockConfiguration"].values())
    assert "BucketEncryption" in bucket["Properties"]
    assert "LoggingConfiguration" in bucket["Properties"]
    assert bucket["DeletionPolicy"] == "Retain"
    assert ("VersioningConfiguration" in bucket["Properties"]) == (name != "results")


def test_every_bucket_refuses_what_does_not_come_by_tls(assembly: Assembly) -> None:
    refused = [
        statement
        for _, policy in assembly.resources("AWS::S3::BucketPolicy")
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Deny"
    ]
    assert len(refused) == len(list(assembly.resources("AWS::S3::Bucket")))
    assert {json.dumps(each["Condition"]) for each in refused} == {
        '{"Bool": {"aws:SecureTransport": "false"}}'
    }


def test_results_go_to_infrequent_access_and_then_away(assembly: Assembly) -> None:
    for _, bucket in assembly.resources("AWS::S3::Bucket"):
        rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
        if "-results-" in str(bucket.get("BucketName")):
            assert rules["results"]["Prefix"] == "runs/"
            assert rules["results"]["ExpirationInDays"] == RESULT_DAYS == 90
            assert rules["results"]["Transitions"] == [
                {"StorageClass": "STANDARD_IA", "TransitionInDays": 30}
            ]
        else:
            assert "results" not in rules
        assert "unfinished-uploads" in rules


def test_the_bus_admits_exactly_the_use_cases_accounts(assembly: Assembly) -> None:
    ((_, policy),) = assembly.resources("AWS::Events::EventBusPolicy")
    statement = policy["Statement"]
    assert statement["Principal"]["AWS"] == [
        f"arn:aws:iam::{each}:root" for each in ("210987654321", "222222222222")
    ]
    assert statement["Condition"] == {"StringEquals": {"events:source": ["aws.greengrass", "aws.sagemaker"]}}


def test_what_use_cases_forward_is_what_the_orchestrator_hears(assembly: Assembly) -> None:
    rules = [each for _, each in assembly.resources("AWS::Events::Rule", "orchestrator")]
    heard = [each["EventPattern"] for each in rules if "EventBusName" in each]
    sent = [each["EventPattern"] for _, each in assembly.resources("AWS::Events::Rule", "usecase-wafers")]
    assert [{**each, "account": None} for each in heard] == [{**each, "account": None} for each in sent]
    assert {tuple(each["account"]) for each in heard} == {("210987654321", "222222222222")}


def test_the_end_of_a_run_is_heard_from_the_accounts_own_bus(assembly: Assembly) -> None:
    rules = [each for _, each in assembly.resources("AWS::Events::Rule", "orchestrator")]
    (own,) = (each for each in rules if "EventBusName" not in each)
    assert own["EventPattern"] == {
        "source": ["aws.states"],
        "detail-type": [events.RUNS],
        "detail": {"status": ["ABORTED", "FAILED", "TIMED_OUT"]},
    }


def test_every_rule_and_schedule_buries_what_it_cannot_deliver(assembly: Assembly) -> None:
    for name, rule in assembly.resources("AWS::Events::Rule"):
        assert all("DeadLetterConfig" in each for each in rule["Targets"]), name
    for name, schedule in assembly.resources("AWS::Scheduler::Schedule"):
        assert "DeadLetterConfig" in schedule["Target"], name


def test_the_sweeper_runs_every_minute(assembly: Assembly) -> None:
    ((_, schedule),) = assembly.resources("AWS::Scheduler::Schedule", "orchestrator")
    assert schedule["ScheduleExpression"] == "rate(1 minute)"


def test_every_dead_letter_queue_has_its_alarm(assembly: Assembly) -> None:
    for stack in ("orchestrator", "pipeline-cookie-defects", "usecase-cookie-factory"):
        queues = len(list(assembly.resources("AWS::SQS::Queue", stack)))
        told = [each["AlarmDescription"] for _, each in assembly.resources("AWS::CloudWatch::Alarm", stack)]
        assert sum("could not be delivered" in each for each in told) == queues > 0


def test_alarms_watch_the_sweeper_stuck_jobs_and_failed_runs(assembly: Assembly) -> None:
    alarms = [each for _, each in assembly.resources("AWS::CloudWatch::Alarm")]
    names = {each["MetricName"] for each in alarms}
    assert {"Invocations", "Errors", "overdue", "ExecutionsFailed", "ExecutionsTimedOut"} <= names
    silent = next(each for each in alarms if each["MetricName"] == "Invocations")
    assert silent["TreatMissingData"] == "breaching"
    assert all(each["AlarmActions"] for each in alarms)


def test_a_pipelines_definition_gets_a_value_for_every_marker(assembly: Assembly) -> None:
    for _, machine in assembly.resources("AWS::StepFunctions::StateMachine", "pipeline-"):
        key = machine["DefinitionS3Location"]["Key"]
        text = assembly.folder.joinpath(f"asset.{key}").read_text(encoding="utf-8")
        filled = definition.substitute(text, machine["DefinitionSubstitutions"])
        assert definition.check(json.loads(filled)) == []


def test_assets_lie_where_the_definition_says(assembly: Assembly) -> None:
    for stack in ("cookie-defects", "wafer-defects"):
        ((_, copied),) = assembly.resources("AWS::CloudFormation::CustomResource", f"pipeline-{stack}")
        ((_, machine),) = assembly.resources("AWS::StepFunctions::StateMachine", f"pipeline-{stack}")
        named = {
            value for name, value in machine["DefinitionSubstitutions"].items() if name.startswith("asset_")
        }
        assert named == {f"s3://{copied['Bucket']}/{file['Key']}" for file in copied["Files"]}


def test_a_new_definition_becomes_a_version_that_stays_and_goes_live(assembly: Assembly) -> None:
    template = assembly.templates["edgepipe-pipeline-cookie-defects"]["Resources"]
    version = next(each for each in template.values() if each["Type"].endswith("StateMachineVersion"))
    assert version["UpdateReplacePolicy"] == version["DeletionPolicy"] == "Retain"
    ((_, alias),) = assembly.resources("AWS::StepFunctions::StateMachineAlias", "cookie-defects")
    assert alias["Name"] == platform.LIVE


def test_triggers_and_notices_are_those_of_the_spec(assembly: Assembly) -> None:
    schedules = dict(assembly.resources("AWS::Scheduler::Schedule", "pipeline-wafer"))
    assert {each["ScheduleExpression"] for each in schedules.values()} == {
        "cron(0 6 ? * MON *)",
        "rate(15 minutes)",
    }
    rules = [each for _, each in assembly.resources("AWS::Events::Rule", "pipeline-wafer")]
    told = next(each for each in rules if each["EventPattern"]["source"] == ["aws.states"])
    assert told["EventPattern"]["detail"]["status"] == ["ABORTED", "FAILED", "TIMED_OUT"]
    assert told["Targets"][0]["Arn"].endswith(":factory")


def test_a_trigger_on_a_figure_that_nobody_publishes_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "cookies"
    shutil.copytree(EXAMPLE, folder)
    spec = folder / "pipeline.yaml"
    drift = "triggers: [{drift: {metric: mean_confidence, below: 0.7, over: 24h}}]\n"
    spec.write_text(f"{spec.read_text(encoding='utf-8')}{drift}", encoding="utf-8")
    stack = cdk.Stack(cdk.App(), "s", env=cdk.Environment(account="123456789012", region="us-east-1"))
    with pytest.raises(TriggerError, match="nothing publishes that figure"):
        EdgePipeline(stack, "Cookies", spec=spec, usecase=example())


@pytest.mark.parametrize(
    ("account", "region", "words"),
    [
        ("999999999999", "us-east-1", "is of account 999999999999, and the platform"),
        ("123456789012", "eu-west-1", "is of region eu-west-1, and the platform"),
    ],
)
def test_a_stack_of_another_place_than_the_platform_is_refused(account: str, region: str, words: str) -> None:
    stack = cdk.Stack(cdk.App(), "s", env=cdk.Environment(account=account, region=region))
    with pytest.raises(UnfitSpecError, match=words):
        EdgePipeline(stack, "Cookies", spec=EXAMPLE / "pipeline.yaml", usecase=example())
    assert not stack.node.find_child("Cookies").node.children


def test_the_fixed_workflows_are_jsonata_and_never_wait_in_a_loop(assembly: Assembly) -> None:
    machines = [each for _, each in assembly.resources("AWS::StepFunctions::StateMachine", "orchestrator")]
    assert {each["StateMachineName"] for each in machines} == {"edgepipe-base-model", "edgepipe-onboarding"}
    for machine in machines:
        text = json.dumps(machine["DefinitionString"])
        assert "JSONPath" not in text
        assert '"Type\\":\\"Wait' not in text


def test_the_handlers_zip_is_small_and_holds_tasks_only(assembly: Assembly, tmp_path: Path) -> None:
    content = packages.pack(packages.read_handlers())
    assert len(content) < 100_000
    path = tmp_path / "handlers.zip"
    path.write_bytes(content)
    names = zipfile.ZipFile(path).namelist()
    assert all(name.startswith("tasks/") and name.endswith(".py") for name in names)
    assert "tasks/train.py" in names
    assert content in [each.read_bytes() for each in assembly.folder.glob("asset.*.zip")]


@pytest.mark.soak
def test_the_app_synthesises_the_example_offline_without_a_finding(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "stacks.app"],
        cwd=tmp_path,
        env={
            "PYTHONPATH": str(ROOT),
            "PATH": "",
            "HOME": str(tmp_path),
            "LANG": os.environ.get("LANG", "C.UTF-8"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
    names = {path.name.removesuffix(".template.json") for path in tmp_path.glob("cdk.out/*.template.json")}
    assert names == {
        "edgepipe-orchestrator",
        "edgepipe-usecase-cookie-factory",
        "edgepipe-pipeline-cookie-defects",
    }
