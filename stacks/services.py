"""What looks after open jobs: the sweeper on its schedule, and the listener behind the bus for events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from pipelines import platform
from stacks.functions import DeadLetters, Function, FunctionPlan
from stacks.permissions import function_statements
from stacks.roles import add_role, allow, trust_service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_s3_assets as s3_assets

    from pipelines.usecase import UseCase
    from stacks.places import Place

SWEEP = "rate(1 minute)"
SWEEP_SECONDS = 300

EVENTS: Mapping[str, Sequence[str]] = {
    "aws.greengrass": ("Greengrass V2 Effective Deployment Status Change",),
    "aws.sagemaker": (
        "SageMaker Training Job State Change",
        "SageMaker Processing Job State Change",
        "SageMaker Ground Truth Labeling Job State Change",
        "SageMaker Ground Truth Labeling Job Task Status Change",
    ),
}
"""What use-case accounts tell the orchestrator: source → the kinds of events. All of them are hints only."""

RUN_ENDED: Mapping[str, object] = {
    "source": ["aws.states"],
    "detail-type": ["Step Functions Execution Status Change"],
    "detail": {"status": ["ABORTED", "FAILED", "TIMED_OUT"]},
}
"""What the orchestrator's own account tells: a run has ended whose jobs may go on. A hint as well."""


def plan_function(name: str, handler: str, home: Place, usecases: Sequence[UseCase]) -> FunctionPlan:
    """Plan one of the platform's own functions that Step Functions calls, with the rights of the table."""
    return FunctionPlan(
        name=platform.function_name(name),
        handler=handler,
        role_name=platform.function_role_name(name),
        statements=function_statements(name, home, usecases),
        called_back=True,
        environment={"EDGEPIPE_JOBS_TABLE": platform.JOBS_TABLE},
    )


class Sweeper(Construct):
    """The sweeper and its schedule; the next sweep is the retry of one that failed."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        home: Place,
        usecases: Sequence[UseCase],
        code: s3_assets.Asset,
        concurrency: int | None,
    ) -> None:
        super().__init__(scope, construct_id)
        handler = platform.SERVICE_FUNCTIONS["sweeper"]
        plan = replace(
            plan_function("sweeper", handler, home, usecases),
            called_back=False,
            seconds=SWEEP_SECONDS,
            retries=0,
            concurrency=concurrency,
        )
        self.function = Function(self, "Handler", plan=plan, code=code)
        self.undelivered = DeadLetters(self, "Undelivered")
        self._add_schedule(self._add_role(home))

    def _add_role(self, home: Place) -> iam.CfnRole:
        statements = [
            allow(["lambda:InvokeFunction"], [home.function("sweeper")]),
            allow(["sqs:SendMessage"], [self.undelivered.arn]),
        ]
        trust = [trust_service("scheduler", account=home.account)]
        return add_role(self, "Role", name=None, trust=trust, statements=statements)

    def _add_schedule(self, role: iam.CfnRole) -> None:
        scheduler.CfnSchedule(
            self,
            "Schedule",
            schedule_expression=SWEEP,
            flexible_time_window={"mode": "OFF"},
            target=scheduler.CfnSchedule.TargetProperty(
                arn=self.function.arn,
                role_arn=role.attr_arn,
                input="{}",
                dead_letter_config={"arn": self.undelivered.arn},
                retry_policy={"maximumEventAgeInSeconds": 60, "maximumRetryAttempts": 0},
            ),
        )


class Listener(Construct):
    """The bus that exactly the use-case accounts may put their events on, and the function behind it.

    The function also hears when a run ends otherwise than well: its jobs then need not wait for the sweeper.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        home: Place,
        usecases: Sequence[UseCase],
        code: s3_assets.Asset,
        concurrency: int | None,
    ) -> None:
        super().__init__(scope, construct_id)
        handler = platform.SERVICE_FUNCTIONS["events"]
        plan = replace(
            plan_function("events", handler, home, usecases), called_back=False, concurrency=concurrency
        )
        self.function = Function(self, "Handler", plan=plan, code=code)
        self.undelivered = DeadLetters(self, "Undelivered")
        self.bus = events.CfnEventBus(self, "Bus", name=platform.EVENT_BUS)
        accounts = sorted({each.account for each in usecases})
        if accounts:
            self._admit(accounts, home)
            for source, kinds in EVENTS.items():
                heard = {"source": [source], "detail-type": list(kinds), "account": accounts}
                self._listen(source.partition(".")[2], heard, home, bus=self.bus.ref)
        self._listen("runs", RUN_ENDED, home)

    def _admit(self, accounts: Sequence[str], home: Place) -> None:
        """Let these accounts put events of the known sources on the bus, and nobody else."""
        statement = {
            "Sid": "usecase-accounts",
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::{each}:root" for each in accounts]},
            "Action": "events:PutEvents",
            "Resource": home.bus(),
            "Condition": {"StringEquals": {"events:source": sorted(EVENTS)}},
        }
        policy = cdk.CfnResource(
            self,
            "Admitted",
            type="AWS::Events::EventBusPolicy",
            properties={
                "EventBusName": platform.EVENT_BUS,
                "StatementId": statement["Sid"],
                "Statement": statement,
            },
        )
        policy.add_resource_dependency(self.bus)

    def _listen(
        self, name: str, pattern: Mapping[str, object], home: Place, *, bus: str | None = None
    ) -> None:
        rule = events.CfnRule(
            self,
            f"{name}-rule",
            event_bus_name=bus,
            event_pattern=pattern,
            targets=[target(self.function.arn, self.undelivered)],
        )
        self.function.allow_service(f"from-{name}", "events", source_arn=rule.attr_arn, account=home.account)
        self.undelivered.allow_rule(rule.attr_arn)


def target(arn: str, undelivered: DeadLetters, **more: object) -> events.CfnRule.TargetProperty:
    """Return a rule's target; what cannot be delivered within a day goes to the dead-letter queue."""
    return events.CfnRule.TargetProperty(
        id="target", arn=arn, dead_letter_config={"arn": undelivered.arn}, **more
    )
