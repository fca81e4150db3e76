"""Functions that deployments and triggers call: they enter use-case accounts by the operator role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from constructs import Construct

from pipelines import packages, platform
from stacks import uploads
from stacks.functions import Function, FunctionPlan
from stacks.roles import allow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipelines.usecase import UseCase
    from stacks.places import Place

ASSETS = "assets"
NEW_DATA = "new-data"


class DeploymentFunctions(Construct):
    """What copies a pipeline's files, and what looks for new data; `functions` are by their names."""

    def __init__(
        self, scope: Construct, construct_id: str, *, home: Place, usecases: Sequence[UseCase]
    ) -> None:
        super().__init__(scope, construct_id)
        files = packages.pack(uploads.read_account_handlers())
        code = uploads.stage(self, "Code", name="account_handlers.zip", content=files)
        machines = home.machine("edgepipe-*")
        plans = {
            ASSETS: [allow(["s3:GetObject"], [f"arn:aws:s3:::{_bootstrap_bucket(home)}/*"])],
            NEW_DATA: [
                allow(["states:ListExecutions"], [machines]),
                allow(["states:StartExecution"], [f"{machines}:*"]),
            ],
        }
        self.functions: Mapping[str, Function] = {
            name: Function(self, name, plan=_plan(name, statements, home, usecases), code=code)
            for name, statements in plans.items()
        }


def _plan(
    name: str, statements: Sequence[Mapping[str, Any]], home: Place, usecases: Sequence[UseCase]
) -> FunctionPlan:
    full = platform.function_name(name)
    return FunctionPlan(
        name=full,
        handler=f"account_handlers.{'asset_copy' if name == ASSETS else 'new_data'}.handler",
        role_name=platform.function_role_name(name),
        statements=[*statements, *enter_statements(usecases), log_statement(home, full)],
        called_back=False,
        seconds=300,
    )


def enter_statements(usecases: Sequence[UseCase]) -> list[dict[str, Any]]:
    """Return the right to enter every use case's account by its operator role."""
    roles = sorted({each.operator for each in usecases})
    return [allow(["sts:AssumeRole"], roles)] if roles else []


def log_statement(home: Place, function: str) -> dict[str, Any]:
    """Return the right to write a function's log."""
    return allow(["logs:CreateLogStream", "logs:PutLogEvents"], [f"{home.log_group(function)}:*"])


def _bootstrap_bucket(home: Place) -> str:
    """Return the bucket that `cdk bootstrap` makes for files to deploy."""
    qualifier = cdk.DefaultStackSynthesizer.DEFAULT_QUALIFIER
    return f"cdk-{qualifier}-assets-{home.account}-{home.region}"
