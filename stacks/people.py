"""What people and CI may do in the orchestrator's account: three policies to attach to their own roles.

`edgepipe-look` reads. `edgepipe-run` starts, stops and answers runs, `edgepipe-release` changes pipelines;
both take `edgepipe-look` beside them, and enter use cases by the roles that are there for commands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_iam as iam

from pipelines import platform
from stacks.permissions import CUSTOM
from stacks.roles import acknowledge_wildcards, allow, document

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs import Construct

    from pipelines.usecase import UseCase
    from stacks.places import Place

Statements = list[dict[str, Any]]

LOOK, RUN, RELEASE = "edgepipe-look", "edgepipe-run", "edgepipe-release"

VERBS: Mapping[str, tuple[str, ...]] = {
    "plan --against deployed": (LOOK,),
    "runs": (LOOK,),
    "status": (LOOK,),
    "watch": (LOOK,),
    "logs": (LOOK, RUN),
    "submit": (LOOK, RUN),
    "stop": (LOOK, RUN),
    "redrive": (LOOK, RUN),
    "approve": (LOOK, RUN),
    "reject": (LOOK, RUN),
    "doctor": (LOOK, RUN),
    "usecase check": (LOOK, RUN),
    "usecase register": (LOOK, RUN),
    "apply": (LOOK, RELEASE),
    "rollback": (LOOK, RELEASE),
}
"""Verb of the command line → the policies that it takes. `deploy` runs CDK, whose rights are its own."""


def statements(home: Place, usecases: Sequence[UseCase]) -> Mapping[str, Statements]:
    """Return what each policy allows."""
    entering = _entering(usecases)
    return {LOOK: _look(home), RUN: [*_run(home), *entering], RELEASE: [*_release(home), *entering]}


def add_policies(scope: Construct, home: Place, usecases: Sequence[UseCase]) -> None:
    """Add the policies; whom they are attached to is the account's own matter."""
    for name, allowed in statements(home, usecases).items():
        policy = iam.CfnManagedPolicy(
            scope,
            name,
            managed_policy_name=name,
            description="For people and CI that work with edgepipe",
            policy_document=document(allowed),
        )
        acknowledge_wildcards(policy, allowed)


def _look(home: Place) -> Statements:
    machines, executions = home.machine("edgepipe-*"), home.arn("states", "execution:edgepipe-*")
    of_machines = (
        "states:DescribeStateMachine",
        "states:DescribeStateMachineAlias",
        "states:ListExecutions",
        "states:ListStateMachineVersions",
    )
    of_runs = (
        "states:DescribeExecution",
        "states:DescribeStateMachineForExecution",
        "states:GetExecutionHistory",
    )
    return [
        allow(of_machines, [machines]),
        allow(of_runs, [executions]),
        allow(["states:ListStateMachines"], ["*"]),
        allow(["logs:FilterLogEvents"], [f"{home.log_group('edgepipe-*')}:*"]),
        allow(["lambda:GetFunctionConfiguration"], [_functions(home)]),
        allow(["dynamodb:DescribeTable"], [home.jobs_table()]),
        allow(["cloudwatch:DescribeAlarms"], [home.arn("cloudwatch", "alarm:*")]),
        allow(["ssm:GetParameter"], [home.parameter(platform.BOOTSTRAP)]),
    ]


def _run(home: Place) -> Statements:
    return [
        allow(["states:StartExecution"], [home.machine("edgepipe-*")]),
        allow(
            ["states:RedriveExecution", "states:StopExecution"], [home.arn("states", "execution:edgepipe-*")]
        ),
        allow(["dynamodb:Query"], [f"{home.jobs_table()}/index/open-jobs"]),
        allow(["dynamodb:UpdateItem"], [home.jobs_table()]),
        allow(["states:SendTaskFailure", "states:SendTaskSuccess"], ["*"]),
    ]


def _release(home: Place) -> Statements:
    machine_roles = home.role(platform.machine_role_name("*"))
    custom_role = home.role(platform.function_role_name(CUSTOM))
    of_machines = (
        "states:CreateStateMachine",
        "states:CreateStateMachineAlias",
        "states:ListTagsForResource",
        "states:PublishStateMachineVersion",
        "states:UpdateStateMachine",
        "states:UpdateStateMachineAlias",
    )
    of_functions = (
        "lambda:CreateFunction",
        "lambda:GetFunction",
        "lambda:ListVersionsByFunction",
        "lambda:UpdateFunctionCode",
    )
    return [
        allow(of_machines, [home.machine("edgepipe-*")]),
        allow(of_functions, [_functions(home)]),
        allow(["iam:CreateRole", "iam:GetRolePolicy", "iam:PutRolePolicy"], [machine_roles]),
        allow(["iam:GetRole"], [machine_roles, custom_role]),
        _pass(machine_roles, "states"),
        _pass(custom_role, "lambda"),
    ]


def _pass(role: str, service: str) -> dict[str, Any]:
    return allow(["iam:PassRole"], [role], StringEquals={"iam:PassedToService": f"{service}.amazonaws.com"})


def _functions(home: Place) -> str:
    return home.arn("lambda", "function:edgepipe-*")


def _entering(usecases: Sequence[UseCase]) -> Statements:
    """Allow the roles for commands: each use case's, and its data account's."""
    readers = {each.data.role_arn for each in usecases if each.data and each.data.role_arn}
    roles = sorted({each.operator for each in usecases} | readers)
    return [allow(["sts:AssumeRole"], roles)] if roles else []
