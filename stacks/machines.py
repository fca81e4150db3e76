"""What every state machine has in common: a log of what happens in it, without what flows through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_stepfunctions as sfn

from stacks.functions import add_log_group

if TYPE_CHECKING:
    from constructs import Construct


def add_machine_log(scope: Construct, name: str, machine: sfn.CfnStateMachine) -> None:
    """Log every event of a state machine; not the data of its steps, which holds task tokens."""
    group = add_log_group(scope, f"{name}-log", f"/aws/vendedlogs/states/{name}")
    machine.logging_configuration = sfn.CfnStateMachine.LoggingConfigurationProperty(
        level="ALL",
        include_execution_data=False,
        destinations=[
            sfn.CfnStateMachine.LogDestinationProperty(
                cloud_watch_logs_log_group=sfn.CfnStateMachine.CloudWatchLogsLogGroupProperty(
                    log_group_arn=group.attr_arn
                )
            )
        ],
    )
