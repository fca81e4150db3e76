"""Lambda functions: their own role and log group, a dead-letter queue where nobody waits for them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from pipelines import platform
from stacks.roles import acknowledge, add_role, allow, trust_service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_s3_assets as s3_assets

LOG_DAYS = 90
RETRY_SECONDS = 3_600
"""How long Lambda tries an event again that failed, before it goes to the dead-letter queue."""


@dataclass(frozen=True, kw_only=True)
class FunctionPlan:
    """What a function is; `name` is its full name.

    Its role gets `role_name` and `statements`, unless `role_arn` names one that is there already.
    `called_back` says that its caller waits and sees its errors: it needs no dead-letter queue.
    `retries` are Lambda's own, for who does not wait.
    """

    name: str
    handler: str
    called_back: bool
    role_name: str | None = None
    statements: Sequence[Mapping[str, Any]] = ()
    role_arn: str | None = None
    memory: int = 512
    seconds: int = platform.FUNCTION_SECONDS
    retries: int = 2
    concurrency: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Function(Construct):
    """A function with its log group and, for who does not wait for it, its dead-letter queue."""

    def __init__(
        self, scope: Construct, construct_id: str, *, plan: FunctionPlan, code: s3_assets.Asset
    ) -> None:
        super().__init__(scope, construct_id)
        self.log = f"/aws/lambda/{plan.name}"
        log = add_log_group(self, "Log", self.log)
        self.dead_letters = None if plan.called_back else DeadLetters(self, "DeadLetters", of_function=True)
        self.resource = _add_function(self, plan, code, role_arn=plan.role_arn or self._add_role(plan))
        self.resource.add_resource_dependency(log)
        self.name = plan.name
        if self.dead_letters:
            self._limit_retries(plan)

    @property
    def arn(self) -> str:
        """Return the function's ARN, as a reference that orders the deployment."""
        arn: str = self.resource.attr_arn
        return arn

    def allow_service(self, construct_id: str, service: str, *, source_arn: str, account: str) -> None:
        """Let a service call the function, for one resource of one account."""
        lambda_.CfnPermission(
            self,
            construct_id,
            action="lambda:InvokeFunction",
            function_name=self.arn,
            principal=f"{service}.amazonaws.com",
            source_arn=source_arn,
            source_account=account,
        )

    def _add_role(self, plan: FunctionPlan) -> str:
        dead = [allow(["sqs:SendMessage"], [self.dead_letters.arn])] if self.dead_letters else []
        role = add_role(
            self,
            "Role",
            name=plan.role_name,
            trust=[trust_service("lambda")],
            statements=[*plan.statements, *dead],
        )
        arn: str = role.attr_arn
        return arn

    def _limit_retries(self, plan: FunctionPlan) -> None:
        lambda_.CfnEventInvokeConfig(
            self,
            "Retries",
            function_name=self.resource.ref,
            qualifier="$LATEST",
            maximum_event_age_in_seconds=RETRY_SECONDS,
            maximum_retry_attempts=plan.retries,
        )


class DeadLetters(Construct):
    """A queue that keeps what could not be delivered for 14 days; cdk-nag knows a function's by itself."""

    def __init__(self, scope: Construct, construct_id: str, *, of_function: bool = False) -> None:
        super().__init__(scope, construct_id)
        self.queue = sqs.Queue(
            self,
            "Queue",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=cdk.Duration.days(14),
        )
        if not of_function:
            acknowledge(self.queue, "AwsSolutions-SQS3")

    @property
    def arn(self) -> str:
        """Return the queue's ARN."""
        arn: str = self.queue.queue_arn
        return arn

    def allow_rule(self, rule_arn: str) -> None:
        """Let a rule of EventBridge put here what it could not deliver."""
        self.queue.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sqs:SendMessage"],
                resources=[self.arn],
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                conditions={"ArnEquals": {"aws:SourceArn": rule_arn}},
            )
        )


def add_log_group(scope: Construct, construct_id: str, name: str) -> logs.CfnLogGroup:
    """Add a log group that is kept for LOG_DAYS."""
    return logs.CfnLogGroup(scope, construct_id, log_group_name=name, retention_in_days=LOG_DAYS)


def _add_function(
    scope: Function, plan: FunctionPlan, code: s3_assets.Asset, *, role_arn: str
) -> lambda_.CfnFunction:
    dead_letters = scope.dead_letters
    function = lambda_.CfnFunction(
        scope,
        "Function",
        function_name=plan.name,
        runtime=platform.RUNTIME,
        architectures=[platform.ARCHITECTURE],
        handler=plan.handler,
        role=role_arn,
        timeout=plan.seconds,
        memory_size=plan.memory,
        reserved_concurrent_executions=plan.concurrency,
        code=lambda_.CfnFunction.CodeProperty(s3_bucket=code.s3_bucket_name, s3_key=code.s3_object_key),
        environment=lambda_.CfnFunction.EnvironmentProperty(variables=dict(plan.environment))
        if plan.environment
        else None,
        dead_letter_config=lambda_.CfnFunction.DeadLetterConfigProperty(target_arn=dead_letters.arn)
        if dead_letters
        else None,
    )
    acknowledge(function, "AwsSolutions-L1")
    return function
