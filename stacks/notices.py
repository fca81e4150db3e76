"""Tells a topic how runs end: the spec's `notify`.

The topic's own policy must let events.amazonaws.com publish; it is its owner's. That a run waits for an
approval is no event of Step Functions: the handler of approvals tells the topic itself (tasks.approve).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_events as events

from stacks.sections import read_section, resolve
from stacks.services import target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_stepfunctions as sfn
    from constructs import Construct

    from pipelines.spec import Pipeline
    from pipelines.usecase import UseCase
    from stacks.functions import DeadLetters

STATUSES: Mapping[str, Sequence[str]] = {
    "failed": ("ABORTED", "FAILED", "TIMED_OUT"),
    "succeeded": ("SUCCEEDED",),
    "waiting": (),
}
"""What a spec may ask to be told → the statuses of an execution that say so; `waiting`: its handler tells."""


def add_notices(
    scope: Construct,
    pipeline: Pipeline,
    *,
    usecase: UseCase,
    machine: sfn.CfnStateMachine,
    undelivered: DeadLetters,
) -> None:
    """Add the rule that tells the topic, if the spec has one."""
    wanted = read_section(pipeline, "notify")
    statuses = sorted(status for name in wanted["on"] for status in STATUSES[name]) if wanted else []
    if not statuses:
        return
    message = '"<run> of pipeline <pipeline>: <status>"'
    paths = {"run": "$.detail.name", "status": "$.detail.status"}
    told = events.CfnRule.InputTransformerProperty(
        input_template=message.replace("<pipeline>", pipeline.name), input_paths_map=paths
    )
    rule = events.CfnRule(
        scope,
        "Notices",
        event_pattern={
            "source": ["aws.states"],
            "detail-type": ["Step Functions Execution Status Change"],
            "detail": {"stateMachineArn": [machine.attr_arn], "status": statuses},
        },
        targets=[target(resolve(wanted["topic"], usecase), undelivered, input_transformer=told)],
    )
    undelivered.allow_rule(rule.attr_arn)
