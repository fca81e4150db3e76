"""What tells people that the platform needs them: a topic that alarms ring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from constructs import Construct

if TYPE_CHECKING:
    from stacks.functions import DeadLetters, Function

NAMESPACE = "edgepipe"
_SERVICES = ("cloudwatch", "events")
"""Who may tell the topic something."""
_MINUTE = cdk.Duration.minutes(1)
_ABOVE = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD


@dataclass(frozen=True, kw_only=True)
class When:
    """When an alarm rings: a figure above the threshold (or below it) in each of `periods` periods."""

    means: str
    threshold: float = 0
    periods: int = 1
    below: bool = False
    missing_is_bad: bool = False


class Bell(Construct):
    """The topic that people subscribe to, encrypted under a key of its own, and the alarms that ring it."""

    def __init__(self, scope: Construct, construct_id: str, *, name: str) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(
            self, "Topic", topic_name=name, master_key=_add_key(self, "Key"), enforce_ssl=True
        )
        for service in _SERVICES:
            self.topic.add_to_resource_policy(_publish(service, self.topic, cdk.Stack.of(self).account))

    def ring(self, construct_id: str, metric: cloudwatch.IMetric, when: When) -> None:
        """Ring while a metric says so, and once more when it is over."""
        operator = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD if when.below else _ABOVE
        missing = cloudwatch.TreatMissingData
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            metric=metric,
            alarm_description=when.means,
            threshold=when.threshold,
            comparison_operator=operator,
            evaluation_periods=when.periods,
            treat_missing_data=missing.BREACHING if when.missing_is_bad else missing.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))

    def ring_for_dead_letters(self, letters: DeadLetters, *, of: str) -> None:
        """Ring when something lies in a dead-letter queue."""
        metric = letters.queue.metric_approximate_number_of_messages_visible(
            period=_MINUTE, statistic="Maximum"
        )
        lost = When(means=f"{of}: something could not be delivered; look at the queue and redrive it")
        self.ring(f"DeadLetters-{of.replace(' ', '-')}", metric, lost)


def function_metric(function: Function, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
    """Return a function's metric by minutes: Errors, Invocations, Duration, Throttles."""
    return cloudwatch.Metric(
        namespace="AWS/Lambda",
        metric_name=name,
        dimensions_map={"FunctionName": function.name},
        period=_MINUTE,
        statistic=statistic,
    )


def machine_metric(machine_arn: str, name: str, statistic: str = "Sum") -> cloudwatch.Metric:
    """Return a state machine's metric: ExecutionsFailed, ExecutionsTimedOut, ..."""
    return cloudwatch.Metric(
        namespace="AWS/States",
        metric_name=name,
        dimensions_map={"StateMachineArn": machine_arn},
        period=cdk.Duration.minutes(5),
        statistic=statistic,
    )


def log_metric(scope: Construct, construct_id: str, *, log_group: str, field: str) -> cloudwatch.Metric:
    """Return the metric of a number that a function's log lines hold as JSON, such as {"overdue": 0}."""
    logs.CfnMetricFilter(
        scope,
        construct_id,
        log_group_name=log_group,
        filter_pattern=f"{{ $.{field} >= 0 }}",
        metric_transformations=[
            logs.CfnMetricFilter.MetricTransformationProperty(
                metric_namespace=NAMESPACE, metric_name=field, metric_value=f"$.{field}"
            )
        ],
    )
    return cloudwatch.Metric(namespace=NAMESPACE, metric_name=field, period=_MINUTE, statistic="Maximum")


def _add_key(scope: Construct, construct_id: str) -> kms.Key:
    """Add a key that the services which tell the topic may use, in this account's name only."""
    key = kms.Key(scope, construct_id, enable_key_rotation=True, description="edgepipe: what its topics say")
    key.add_to_resource_policy(
        iam.PolicyStatement(
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            principals=[iam.ServicePrincipal(f"{service}.amazonaws.com") for service in _SERVICES],
            conditions={"StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account}},
        )
    )
    return key


def _publish(service: str, topic: sns.Topic, account: str) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        actions=["sns:Publish"],
        resources=[topic.topic_arn],
        principals=[iam.ServicePrincipal(f"{service}.amazonaws.com")],
        conditions={"StringEquals": {"aws:SourceAccount": account}},
    )
