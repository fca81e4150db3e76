"""A use case's account: the roles that handlers, commands and jobs act by, buckets, events."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam

from pipelines import platform
from stacks.alarms import Bell
from stacks.buckets import OLD_VERSIONS, RESULTS, add_bucket, add_log_bucket
from stacks.functions import DeadLetters
from stacks.permissions import (
    CALLERS,
    device_statements,
    execution_statements,
    operator_statements,
    usecase_statements,
)
from stacks.places import Place
from stacks.roles import (
    acknowledge_wildcards,
    add_role,
    allow,
    document,
    trust_account,
    trust_roles,
    trust_service,
)
from stacks.services import EVENTS, target

if TYPE_CHECKING:
    from constructs import Construct

    from pipelines.usecase import UseCase


class UseCaseStack(cdk.Stack):
    """What one use case has in its own account; deployed there, after the orchestrator."""

    def __init__(self, scope: Construct, construct_id: str, *, usecase: UseCase) -> None:
        env = cdk.Environment(account=usecase.account, region=usecase.region)
        super().__init__(scope, construct_id, env=env, description=f"edgepipe: use case {usecase.id}")
        home = Place(account=usecase.orchestrator.account, region=usecase.orchestrator.region)
        _add_handlers_role(self, usecase, home)
        _add_operator_role(self, usecase, home)
        _add_execution_role(self, usecase)
        _add_device_policy(self, usecase)
        _add_buckets(self, usecase)
        bell = Bell(self, "Bell", name=f"edgepipe-{usecase.id}-alarms")
        bell.ring_for_dead_letters(_add_forwarding(self, usecase, home), of="events")
        cdk.CfnOutput(self, "AlarmTopic", value=bell.topic.topic_arn)


def _add_handlers_role(scope: Construct, usecase: UseCase, home: Place) -> None:
    """Add the role that exactly the handlers' roles may take, saying the ExternalId."""
    callers = [home.role(platform.function_role_name(name)) for name in CALLERS]
    add_role(
        scope,
        "Handlers",
        name=_name(usecase.role_arn),
        trust=[trust_roles(callers, external_id=usecase.external_id)],
        statements=usecase_statements(usecase),
    )


def _add_operator_role(scope: Construct, usecase: UseCase, home: Place) -> None:
    """Add the role for edgepipe's commands and deployments, for whom the orchestrator's account allows it."""
    if usecase.operator_role_arn:
        add_role(
            scope,
            "Operator",
            name=_name(usecase.operator_role_arn),
            trust=[trust_account(home.account, external_id=usecase.external_id)],
            statements=operator_statements(usecase),
        )


def _add_execution_role(scope: Construct, usecase: UseCase) -> None:
    add_role(
        scope,
        "Jobs",
        name=_name(usecase.execution_role_arn),
        trust=[trust_service("sagemaker", account=usecase.account)],
        statements=execution_statements(usecase),
    )


def _add_device_policy(scope: Construct, usecase: UseCase) -> None:
    """Add the policy to attach to the core devices' token exchange role."""
    statements = device_statements(usecase)
    policy = iam.CfnManagedPolicy(
        scope,
        "Devices",
        managed_policy_name=f"edgepipe-{usecase.id}-devices",
        description="Core devices of this use case fetch their components",
        policy_document=document(statements),
    )
    acknowledge_wildcards(policy, statements)


def _add_buckets(scope: Construct, usecase: UseCase) -> None:
    """Add the use case's buckets; a data bucket in an account of its own is there already."""
    logs = add_log_bucket(scope, "AccessLogs")
    add_bucket(scope, "results", name=usecase.results_bucket, logs=logs, versioned=False, rules=RESULTS)
    add_bucket(
        scope, "components", name=usecase.component_bucket, logs=logs, versioned=True, rules=OLD_VERSIONS
    )
    if usecase.data is None:
        add_bucket(scope, "data", name=usecase.data_bucket, logs=logs, versioned=True, rules=OLD_VERSIONS)


def _add_forwarding(scope: Construct, usecase: UseCase, home: Place) -> DeadLetters:
    """Send the events of jobs and deployments to the orchestrator's bus; the sweeper does without them.

    Returns the queue of those that could not be sent.
    """
    undelivered = DeadLetters(scope, "UndeliveredEvents")
    role = add_role(
        scope,
        "Forwarder",
        name=None,
        trust=[trust_service("events", account=usecase.account)],
        statements=[allow(["events:PutEvents"], [home.bus()])],
    )
    for source, kinds in EVENTS.items():
        rule = events.CfnRule(
            scope,
            f"forward-{source.partition('.')[2]}",
            event_pattern={"source": [source], "detail-type": list(kinds)},
            targets=[target(home.bus(), undelivered, role_arn=role.attr_arn)],
        )
        undelivered.allow_rule(rule.attr_arn)
    return undelivered


def _name(role_arn: str) -> str:
    return role_arn.rpartition("/")[2]
