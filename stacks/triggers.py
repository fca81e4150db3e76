"""What starts a pipeline by itself: a schedule, or new data.

The language has a third trigger, `drift`. It is refused: no component of the devices publishes a figure of
what they predict, and an alarm on a metric that nobody publishes would look like a trigger and be none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_scheduler as scheduler
from constructs import Construct

from pipelines import platform
from stacks.deployment import NEW_DATA
from stacks.functions import DeadLetters
from stacks.roles import add_role, allow, trust_service
from stacks.sections import read_section

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.spec import Pipeline
    from pipelines.usecase import UseCase
    from stacks.places import Place

LOOK_FOR_DATA = "rate(15 minutes)"


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
                message = (
                    f"a trigger on the drift of {value['metric']} cannot be deployed: nothing publishes that "
                    "figure of the devices' predictions. Leave the trigger out"
                )
                raise TriggerError(message)

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

    def _add_role(self, name: str, service: str, statements: list[dict[str, Any]]) -> str:
        trust = [trust_service(service, account=self._home.account)]
        arn: str = add_role(self, f"{name}-role", name=None, trust=trust, statements=statements).attr_arn
        return arn

    def _bury(self) -> dict[str, Any]:
        return allow(["sqs:SendMessage"], [self.undelivered.arn])
