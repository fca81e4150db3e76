"""The platform's two fixed workflows, run as the templates have them, with the function's real zip.

Only the pauses between retries are shorter: the templates have minutes.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud.cloud import LocalCloud, local_cloud
from pipelines import packages, platform, usecase
from tests.functional.test_operations.conftest import add_role, trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.infra.conftest import Assembly

HOME, THERE, REGION = "123456789012", "210987654321", "us-east-1"
MODEL = "s3://models/base/2/"
STACK = "orchestrator"
PATIENCE = 300
PARTITION = {"Ref": "AWS::Partition"}


@dataclass(frozen=True, kw_only=True)
class Place:
    """The orchestrator's workflows in a local cloud."""

    cloud: LocalCloud
    assembly: Assembly

    def client(self, service: str, account: str = HOME) -> Any:
        return self.cloud.context.client(service, account)

    def run(self, workflow: str, value: Mapping[str, Any]) -> dict[str, Any]:
        """Run a workflow to its end."""
        return self.settle(self.start(workflow, value))

    def start(self, workflow: str, value: Mapping[str, Any]) -> str:
        machine = f"arn:aws:states:{REGION}:{HOME}:stateMachine:{workflow}"
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=machine, input=json.dumps(value)
        )
        return str(started["executionArn"])

    def settle(self, execution: str) -> dict[str, Any]:
        give_up = time.monotonic() + PATIENCE
        while True:
            found = self.client("stepfunctions").describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return dict(found)
            assert time.monotonic() < give_up, f"{execution} did not end"
            time.sleep(0.02)

    def entered(self, execution: str) -> list[str]:
        """Return the names of the states that were entered."""
        pages = self.client("stepfunctions").get_paginator("get_execution_history")
        events = (event for page in pages.paginate(executionArn=execution) for event in page["events"])
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in events
            if "stateEnteredEventDetails" in event
        ]


@pytest.fixture
def place(assembly: Assembly, tmp_path: Path) -> Iterator[Place]:
    with local_cloud(tmp_path / "state") as cloud:
        made = Place(cloud=cloud, assembly=assembly)
        for _, machine in assembly.resources("AWS::StepFunctions::StateMachine", STACK):
            create_machine(made, machine)
        yield made


def create_machine(place: Place, machine: Mapping[str, Any]) -> None:
    """Create a workflow with the definition and the trust that its template has."""
    template = place.assembly.templates["edgepipe-orchestrator"]["Resources"]
    role = template[machine["RoleArn"]["Fn::GetAtt"][0]]["Properties"]
    arn = add_role(
        place.client("iam"), f"role-{machine['StateMachineName']}", role["AssumeRolePolicyDocument"]
    )
    place.client("stepfunctions").create_state_machine(
        name=machine["StateMachineName"], definition=hasten(resolve(machine["DefinitionString"])), roleArn=arn
    )


def resolve(value: Any) -> str:
    """Put a joined text together; it may refer to the partition and to nothing else."""
    parts = value["Fn::Join"][1] if isinstance(value, dict) else [value]
    assert all(isinstance(part, str) or part == PARTITION for part in parts)
    return "".join("aws" if part == PARTITION else part for part in parts)


def hasten(definition: str) -> str:
    """Let a second be every pause between retries; how often is tried stays."""
    document = json.loads(definition)
    for state in document["States"].values():
        for retrier in state.get("Retry", ()):
            retrier |= {"IntervalSeconds": 1, "BackoffRate": 1}
    return json.dumps(document)


def test_it_is_tried_for_minutes_while_iam_spreads_a_role(assembly: Assembly) -> None:
    machines = dict(assembly.resources("AWS::StepFunctions::StateMachine", STACK)).values()
    found = next(each for each in machines if each["StateMachineName"] == "edgepipe-onboarding")
    retriers = json.loads(resolve(found["DefinitionString"]))["States"]["Check"]["Retry"]
    patient = next(each for each in retriers if "NotReadyError" in each["ErrorEquals"])
    waits = [patient["IntervalSeconds"] * patient["BackoffRate"] ** n for n in range(patient["MaxAttempts"])]
    assert 300 < sum(waits) < 3_600


def add_pipeline(place: Place, name: str) -> str:
    """Make a pipeline that ends at once, with a live version; return its ARN."""
    states, role = place.client("stepfunctions"), f"arn:aws:iam::{HOME}:role/role-edgepipe-base-model"
    definition = {
        "StartAt": "S",
        "QueryLanguage": "JSONata",
        "States": {"S": {"Type": "Pass", "Output": "{% $states.input %}", "End": True}},
    }
    made = states.create_state_machine(
        name=platform.machine_name(name), definition=json.dumps(definition), roleArn=role, publish=True
    )
    routing = [{"stateMachineVersionArn": made["stateMachineVersionArn"], "weight": 100}]
    states.create_state_machine_alias(name=platform.LIVE, routingConfiguration=routing)
    return str(made["stateMachineArn"])


def runs(place: Place, machine: str) -> list[Any]:
    """Return the inputs of a pipeline's runs, once all have ended."""
    states = place.client("stepfunctions")
    found = states.list_executions(stateMachineArn=machine)["executions"]
    return [json.loads(place.settle(each["executionArn"])["input"]) for each in found]


def base_model(*pipelines: str, **more: str) -> dict[str, Any]:
    return {"base_model": MODEL, "pipelines": list(pipelines), **more}


@pytest.mark.parametrize("names", [[], [f"p{number}" for number in range(12)]])
def test_a_new_base_model_starts_every_pipeline_once(place: Place, names: list[str]) -> None:
    machines = [add_pipeline(place, name) for name in names]
    for _ in range(2):
        ended = place.run("edgepipe-base-model", base_model(*names))
        assert ended["status"] == "SUCCEEDED", ended
        assert [runs(place, machine) for machine in machines] == [[{"params": {"base_model": MODEL}}]] * len(
            names
        )


def test_the_run_is_named_after_the_model_and_the_parameter_may_be_another(place: Place) -> None:
    machine = add_pipeline(place, "a")
    assert place.run("edgepipe-base-model", base_model("a", param="weights"))["status"] == "SUCCEEDED"
    assert runs(place, machine) == [{"params": {"weights": MODEL}}]
    (run,) = place.client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]
    assert run["name"] == f"base-model-{hashlib.sha256(MODEL.encode()).hexdigest()[:32]}"
    assert run["stateMachineAliasArn"] == f"{machine}:live"


def test_a_pipeline_that_was_started_before_is_not_started_again(place: Place) -> None:
    """Its first run may have been given other parameters: the name decides."""
    machine = add_pipeline(place, "a")
    assert place.run("edgepipe-base-model", base_model("a"))["status"] == "SUCCEEDED"
    runs(place, machine)
    again = place.start("edgepipe-base-model", base_model("a", param="weights"))
    assert place.settle(again)["status"] == "SUCCEEDED"
    assert "Started already" in place.entered(again)
    assert runs(place, machine) == [{"params": {"base_model": MODEL}}]


@pytest.mark.parametrize("lost", [["ghost"], ["ghost", "spirit"]])
def test_one_that_cannot_be_started_holds_back_no_other_and_is_named(place: Place, lost: list[str]) -> None:
    machines = [add_pipeline(place, name) for name in ("a", "b")]
    ended = place.run("edgepipe-base-model", base_model("a", *lost, "b"))
    assert (ended["status"], ended["error"]) == ("FAILED", "NotStartedError")
    told = json.loads(ended["cause"])
    assert [each["pipeline"] for each in told] == lost
    assert all("edgepipe-" in each["error"] for each in told), told
    assert [len(runs(place, machine)) for machine in machines] == [1, 1]


CASE = usecase.draft(
    "bakery",
    account=THERE,
    region=REGION,
    orchestrator=usecase.Orchestrator(account=HOME, region=REGION),
    external_id="edgepipe-4711",
)
NEW = {
    "RoleArn": CASE.operator,
    "ExternalId": CASE.external_id,
    "Region": REGION,
    "Account": THERE,
    "Buckets": [CASE.results_bucket, CASE.data_bucket, CASE.component_bucket],
    "ComponentBucket": CASE.component_bucket,
}


def add_onboarding(place: Place) -> None:
    """Create the function with the zip that the assembly uploads."""
    functions = (each for _, each in place.assembly.resources("AWS::Lambda::Function", STACK))
    function = next(each for each in functions if each["FunctionName"] == "edgepipe-onboarding")
    content = place.assembly.folder.joinpath(f"asset.{function['Code']['S3Key']}").read_bytes()
    role = add_role(place.client("iam"), "onboarding", trust({"Service": "lambda.amazonaws.com"}))
    place.client("lambda").create_function(
        FunctionName=function["FunctionName"],
        Runtime=function["Runtime"],
        Architectures=function["Architectures"],
        Role=role,
        Handler=function["Handler"],
        Timeout=function["Timeout"],
        Code={"ZipFile": content},
    )


def add_account(place: Place, *, buckets: bool = True) -> None:
    """Make what the use case's stack makes, as far as onboarding looks at it."""
    person = trust({"AWS": f"arn:aws:iam::{HOME}:root"}, CASE.external_id)
    add_role(place.client("iam", THERE), CASE.operator.rsplit("/", 1)[1], person)
    for bucket in NEW["Buckets"] if buckets else ():
        place.client("s3", THERE).create_bucket(Bucket=bucket)


def published(place: Place) -> list[str]:
    return [
        each["componentName"] for each in place.client("greengrassv2", THERE).list_components()["components"]
    ]


def test_a_new_use_case_gets_the_shared_component_once(place: Place) -> None:
    add_onboarding(place)
    add_account(place)
    for _ in range(2):
        ended = place.run("edgepipe-onboarding", NEW)
        assert ended["status"] == "SUCCEEDED", ended
        assert json.loads(ended["output"]) == NEW
        component = packages.read_local_server()
        assert published(place) == [component.name]
        stored = place.client("s3", THERE).get_object(Bucket=CASE.component_bucket, Key=component.key)
        assert stored["Body"].read() == component.program


def test_an_account_that_is_not_ready_is_waited_for(place: Place) -> None:
    add_onboarding(place)
    add_account(place, buckets=False)
    execution = place.start("edgepipe-onboarding", NEW)
    log = place.cloud.context.log_path("/aws/lambda", "edgepipe-onboarding")
    give_up = time.monotonic() + PATIENCE
    while not (log.exists() and "cannot see" in log.read_text(encoding="utf-8")):
        assert time.monotonic() < give_up, "it never looked"
        time.sleep(0.02)
    for bucket in NEW["Buckets"]:
        place.client("s3", THERE).create_bucket(Bucket=bucket)
    assert place.settle(execution)["status"] == "SUCCEEDED"
    assert published(place) == [packages.read_local_server().name]


@pytest.mark.soak
def test_one_that_never_gets_ready_fails_and_says_what_it_lacks(place: Place) -> None:
    add_onboarding(place)
    add_account(place, buckets=False)
    execution = place.start("edgepipe-onboarding", NEW)
    ended = place.settle(execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "NotReadyError")
    assert f"cannot see {CASE.results_bucket}" in ended["cause"]
    assert place.entered(execution) == ["Check"]
    assert published(place) == []


@pytest.mark.soak
def test_a_role_that_leads_elsewhere_is_not_taken(place: Place) -> None:
    add_onboarding(place)
    add_account(place)
    ended = place.run("edgepipe-onboarding", {**NEW, "Account": "345678901234"})
    assert (ended["status"], ended["error"]) == ("FAILED", "NotReadyError")
    assert f"leads into account {THERE}, not into 345678901234" in ended["cause"]


@pytest.mark.soak
def test_a_role_that_does_not_let_us_in_is_tried_and_said(place: Place) -> None:
    add_onboarding(place)
    ended = place.run("edgepipe-onboarding", NEW)
    assert (ended["status"], ended["error"]) == ("FAILED", "ClientError")
    assert "AssumeRole" in ended["cause"]


def test_a_component_that_cannot_be_published_fails_the_workflow(place: Place) -> None:
    add_onboarding(place)
    add_account(place)
    execution = place.start("edgepipe-onboarding", {**NEW, "ComponentBucket": "nowhere-210987654321"})
    ended = place.settle(execution)
    assert ended["status"] == "FAILED"
    assert "NoSuchBucket" in ended["cause"]
    assert place.entered(execution) == ["Check", "Provision"]
