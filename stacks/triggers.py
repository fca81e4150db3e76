"""What starts a pipeline by itself: a schedule, new data, or a figure of its devices that drifts.

A figure is read from CloudWatch: namespace `edgepipe`, the metric's name, dimensions Pipeline and UseCase.
Whoever knows the devices' predictions publishes it there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from pipelines import configs, platform
from stacks.alarms import NAMESPACE
from stacks.deployment import NEW_DATA
from stacks.functions import DeadLetters
from stacks.roles import add_role, allow, trust_service
from stacks.sections import read_section
from stacks.services import target

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.spec import Pipeline
    from pipelines.usecase import UseCase
    from stacks.places import Place

LOOK_FOR_DATA = "rate(15 minutes)"
DAY_SECONDS = 86_400


class TriggerError(Exception):
    """A trigger cannot be carried out; the message says why."""


class Triggers(Construct):
    """The triggers of one pipeline; what they could not deliver waits in one queue."""

    def __init__(
        self, scope: Construct, *, pipeline: Pipeline, usecase: UseCase, home: Place, alias_arn: str
    ) -> None:
        super().__init__(scope, "Triggers")
        self._pipeline, self._usecase, self._home, self._alias = pipeline, usecase, home, alias_arn
        self.undelivered = DeadLetters(self, "Undelivered")
        for number, trigger in enumerate(read_section(pipeline, "triggers") or ()):
            ((kind, value),) = trigger.items()
            self._add(f"{kind}-{number}", kind, value)

    def _add(self, name: str, kind: str, value: Any) -> None:  # noqa: ANN401 - a text or an object
        match kind:
            case "schedule":
                self._schedule(name, value)
            case "new_data":
                self._look_for_data(name, value)
            case _:
                self._watch(name, value)

    def _schedule(self, name: str, expression: str) -> None:
        self._call(name, expression, self._alias, "states:StartExecution", {})

    def _look_for_data(self, name: str, value: Mapping[str, Any]) -> None:
        request = {
            "Machine": self._home.machine(platform.machine_name(self._pipeline.name)),
            "Alias": self._alias,
            "RoleArn": self._usecase.operator,
            "ExternalId": self._usecase.external_id,
            "Region": self._usecase.region,
            "Bucket": self._usecase.data_bucket,
            "Prefix": value["prefix"],
            "MinObjects": value.get("min_objects", 1),
        }
        self._call(name, LOOK_FOR_DATA, self._home.function(NEW_DATA), "lambda:InvokeFunction", request)

    def _call(self, name: str, expression: str, arn: str, action: str, request: Mapping[str, Any]) -> None:
        """Add a schedule that calls one thing, and may do nothing else."""
        role = self._add_role(name, "scheduler", [allow([action], [arn]), self._bury()])
        scheduler.CfnSchedule(
            self,
            name,
            schedule_expression=expression,
            flexible_time_window={"mode": "OFF"},
            target=scheduler.CfnSchedule.TargetProperty(
                arn=arn,
                role_arn=role,
                input=cdk.Stack.of(self).to_json_string(request),
                dead_letter_config={"arn": self.undelivered.arn},
                retry_policy={"maximumEventAgeInSeconds": 3_600, "maximumRetryAttempts": 10},
            ),
        )

    def _watch(self, name: str, value: Mapping[str, Any]) -> None:
        """Start a run when the figure leaves its range; the next one only after it has come back."""
        alarm = _add_drift_alarm(self, f"{name}-alarm", value, self._dimensions())
        role = self._add_role(name, "events", [allow(["states:StartExecution"], [self._alias])])
        rule = events.CfnRule(
            self,
            name,
            event_pattern={
                "source": ["aws.cloudwatch"],
                "detail-type": ["CloudWatch Alarm State Change"],
                "resources": [alarm.attr_arn],
                "detail": {"state": {"value": ["ALARM"]}},
            },
            targets=[target(self._alias, self.undelivered, role_arn=role, input=json.dumps({}))],
        )
        self.undelivered.allow_rule(rule.attr_arn)

    def _dimensions(self) -> list[cloudwatch.CfnAlarm.DimensionProperty]:
        named = {"Pipeline": self._pipeline.name, "UseCase": self._usecase.id}
        return [
            cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value) for name, value in named.items()
        ]

    def _add_role(self, name: str, service: str, statements: list[dict[str, Any]]) -> str:
        trust = [trust_service(service, account=self._home.account)]
        arn: str = add_role(self, f"{name}-role", name=None, trust=trust, statements=statements).attr_arn
        return arn

    def _bury(self) -> dict[str, Any]:
        return allow(["sqs:SendMessage"], [self.undelivered.arn])


def _add_drift_alarm(
    scope: Construct,
    name: str,
    value: Mapping[str, Any],
    dimensions: list[cloudwatch.CfnAlarm.DimensionProperty],
) -> cloudwatch.CfnAlarm:
    seconds = configs.seconds(value["over"])
    if seconds > DAY_SECONDS:
        message = (
            f"drift of {value['metric']}: CloudWatch averages over a day at most, not over {value['over']}"
        )
        raise TriggerError(message)
    below = "below" in value
    return cloudwatch.CfnAlarm(
        scope,
        name,
        alarm_description=f"{value['metric']} drifts: a new run is started",
        namespace=NAMESPACE,
        metric_name=value["metric"],
        dimensions=dimensions,
        statistic="Average",
        period=-(-seconds // 60) * 60,
        evaluation_periods=1,
        comparison_operator="LessThanThreshold" if below else "GreaterThanThreshold",
        threshold=value["below"] if below else value["above"],
        treat_missing_data="ignore",
    )
