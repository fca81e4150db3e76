"""A platform on the local cloud as the stacks make it: three accounts, their roles, buckets and functions."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud.cloud import LocalCloud, local_cloud
from local_cloud.platform import platform_code
from pipelines import platform, usecase
from tests.functional import handlers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ORCHESTRATOR, USECASE, DATA = "123456789012", "210987654321", "345678901234"
REGION = "us-east-1"
CALLER = f"arn:aws:sts::{ORCHESTRATOR}:user/moto"
HANDLER = "tests.functional.handlers.step"

SPEC = """version: 1
name: cookies
usecase: bakery
params:
  epochs: {type: integer, default: 3, minimum: 1}
steps:
  label: {method: folders, dataset: "s3://${{ usecase.data_bucket }}/images/", labels: [a, b]}
  transform: {}
  train:
    script: train.py
    framework: {name: sklearn, version: "1.4-2"}
    hyperparameters: {n: "${{ params.epochs }}"}
"""


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A platform that has been deployed, a registered use case, and a folder to work in."""

    cloud: LocalCloud
    usecase: usecase.UseCase
    folder: Path

    @property
    def spec(self) -> Path:
        return self.folder / "pipeline.yaml"

    def client(self, service: str, account: str = ORCHESTRATOR) -> Any:
        return self.cloud.context.client(service, account)

    def live(self, pipeline: str = "cookies") -> int | None:
        """Return the number of the version that the alias points at."""
        states = self.client("stepfunctions")
        arn = f"arn:aws:states:{REGION}:{ORCHESTRATOR}:stateMachine:edgepipe-{pipeline}"
        try:
            reply = states.describe_state_machine_alias(stateMachineAliasArn=f"{arn}:live")
        except (states.exceptions.ResourceNotFound, states.exceptions.StateMachineDoesNotExist):
            return None
        return int(reply["routingConfiguration"][0]["stateMachineVersionArn"].rsplit(":", 1)[1])


@pytest.fixture
def deployed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A deployed platform whose handlers do every step in no time."""
    with local_cloud(tmp_path / "state") as cloud:
        case = register(tmp_path / "usecases")
        made = Platform(cloud=cloud, usecase=case, folder=tmp_path)
        deploy(made, dict.fromkeys([*platform.kind_functions(), *platform.SERVICE_FUNCTIONS], HANDLER))
        made.spec.write_text(SPEC, encoding="utf-8")
        tmp_path.joinpath("train.py").write_text("print('accuracy=1')\n", encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(handlers, "EVENTS", [])
        monkeypatch.setattr(handlers, "FAILURES", {})
        yield made
        settle(made)


def settle(made: Platform) -> None:
    """Let runs that a test has left end."""
    states = made.client("stepfunctions")
    give_up = time.monotonic() + 60
    for machine in states.list_state_machines()["stateMachines"]:
        arn = machine["stateMachineArn"]
        while states.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
            assert time.monotonic() < give_up, "a run did not end"
            time.sleep(0.05)


def register(folder: Path, **changes: Any) -> usecase.UseCase:
    """Write the use case's file."""
    drafted = usecase.draft(
        "bakery",
        account=USECASE,
        region=REGION,
        orchestrator=usecase.Orchestrator(account=ORCHESTRATOR, region=REGION),
        external_id="edgepipe-4711",
    )
    folder.mkdir(exist_ok=True)
    folder.joinpath("bakery.yaml").write_text(usecase.render(drafted), encoding="utf-8")
    return drafted


def deploy(made: Platform, functions: dict[str, str]) -> None:
    """Make what the orchestrator's and the accounts' stacks make, as far as commands look at it."""
    case = made.usecase
    made.client("dynamodb").create_table(TableName=platform.JOBS_TABLE, **platform.JOBS_TABLE_SCHEMA)
    names = {*functions, "custom"}
    roles = {name: add_role(made.client("iam"), platform.function_role_name(name), LAMBDA) for name in names}
    for name, handler in functions.items():
        add_function(made.client("lambda"), name, handler, roles[name])
    iam = made.client("iam", USECASE)
    handlers_trust = trust({"AWS": sorted(roles.values())}, case.external_id)
    add_role(iam, case.role_arn.rsplit("/", 1)[1], handlers_trust)
    caller = {"AWS": f"arn:aws:iam::{ORCHESTRATOR}:root"}
    add_role(iam, case.operator.rsplit("/", 1)[1], trust(caller, case.external_id))
    add_role(iam, case.execution_role_arn.rsplit("/", 1)[1], trust({"Service": "sagemaker.amazonaws.com"}))
    made.client("s3", USECASE).create_bucket(Bucket=case.results_bucket)
    made.client("s3", USECASE).create_bucket(Bucket=case.component_bucket)
    made.client("s3", DATA).create_bucket(Bucket=case.data_bucket)


def trust(principal: dict[str, Any], external_id: str = "") -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return {"Version": "2012-10-17", "Statement": [statement]}


LAMBDA = trust({"Service": "lambda.amazonaws.com"})


def add_role(iam: Any, name: str, trusted: dict[str, Any]) -> str:
    reply = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trusted))
    return str(reply["Role"]["Arn"])


def add_function(client: Any, name: str, handler: str, role: str) -> None:
    client.create_function(
        FunctionName=platform.function_name(name),
        Runtime=platform.RUNTIME,
        Architectures=[platform.ARCHITECTURE],
        Role=role,
        Handler=handler,
        Timeout=platform.FUNCTION_SECONDS,
        Environment={"Variables": {"EDGEPIPE_JOBS_TABLE": platform.JOBS_TABLE}},
        Code={"ZipFile": platform_code()},
    )
