"""A stack for one spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk

from stacks.alarms import Bell, When, machine_metric
from stacks.edge_pipeline import EdgePipeline

if TYPE_CHECKING:
    from pathlib import Path

    from constructs import Construct

    from pipelines.usecase import UseCase


class PipelineStack(cdk.Stack):
    """One pipeline in the orchestrator's account, and the alarms on its runs."""

    def __init__(self, scope: Construct, construct_id: str, *, spec: Path, usecase: UseCase) -> None:
        home = usecase.orchestrator
        env = cdk.Environment(account=home.account, region=home.region)
        super().__init__(scope, construct_id, env=env, description=f"edgepipe: pipeline of {spec.name}")
        pipeline = EdgePipeline(self, "Pipeline", spec=spec, usecase=usecase)
        bell = Bell(self, "Bell", name=f"{construct_id}-alarms")
        arn = pipeline.machine.attr_arn
        for metric in ("ExecutionsFailed", "ExecutionsTimedOut"):
            bell.ring(metric, machine_metric(arn, metric), When(means=f"{metric}: `edgepipe runs` says why"))
        bell.ring_for_dead_letters(pipeline.undelivered, of="triggers")
        cdk.CfnOutput(self, "Live", value=pipeline.alias.attr_arn)
        cdk.CfnOutput(self, "AlarmTopic", value=bell.topic.topic_arn)
