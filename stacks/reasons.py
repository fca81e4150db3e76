"""Why a right is as wide as it is, and why a finding of cdk-nag stands: the only place for either.

A role with a wildcard that no row explains is not synthesised; a row that explains nothing fails a test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LOG_DELIVERY = (
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
)
TRACING = (
    "xray:GetSamplingRules",
    "xray:GetSamplingTargets",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
)

STARS: Mapping[str, str] = {
    "cloudwatch:PutMetricData": "CloudWatch offers no resource; a condition names SageMaker's namespaces",
    "ecr:GetAuthorizationToken": "ECR's token is for the whole registry; the pull itself is limited",
    "greengrass:CreateDeployment": "takes no resource; the IoT actions beside it limit its reach",
    "greengrass:ListDeployments": "takes no resource in the service authorization reference",
    "servicequotas:ListAWSDefaultServiceQuotas": "quotas have no resource to list them by",
    "servicequotas:ListServiceQuotas": "quotas have no resource to list them by",
    "states:ListStateMachines": "takes no resource in the service authorization reference",
    "states:SendTaskFailure": "a task token has no ARN, and Step Functions offers no resource",
    "states:SendTaskHeartbeat": "a task token has no ARN, and Step Functions offers no resource",
    "states:SendTaskSuccess": "a task token has no ARN, and Step Functions offers no resource",
    **dict.fromkeys(
        LOG_DELIVERY,
        "log deliveries have no ARN (Step Functions developer guide, Logging in CloudWatch Logs)",
    ),
    **dict.fromkeys(
        TRACING,
        "X-Ray offers no resource for it (Step Functions developer guide, X-Ray tracing)",
    ),
}
"""Action → why it is allowed on `*`."""


@dataclass(frozen=True, kw_only=True)
class Prefix:
    """Resources that end in a wildcard: the form of their ARN, and why it cannot be narrower."""

    form: str
    reason: str

    def explains(self, resource: str) -> bool:
        """Say whether the row is about that resource."""
        return re.fullmatch(self.form, resource) is not None


_HERE = r"[a-z0-9-]+:\d{12}"

PREFIXES: tuple[Prefix, ...] = (
    Prefix(
        form=rf"arn:aws:logs:{_HERE}:log-group:/aws/lambda/[a-zA-Z0-9_-]+\*?:\*",
        reason="Lambda names the streams in a function's own log group; custom steps share one role",
    ),
    Prefix(
        form=rf"arn:aws:logs:{_HERE}:log-group:/aws/sagemaker/\*",
        reason="SageMaker keeps the logs of all jobs of an account in groups that it names",
    ),
    Prefix(
        form=rf"arn:aws:states:{_HERE}:(execution|stateMachine):edgepipe-\*(:\*)?",
        reason="the platform serves every pipeline, and these come by `edgepipe apply` alone",
    ),
    Prefix(
        form=rf"arn:aws:lambda:{_HERE}:function:edgepipe-[a-z0-9_-]+:\*",
        reason="older versions of a pipeline call the version of the code that they came with",
    ),
    Prefix(
        form=rf"arn:aws:lambda:{_HERE}:function:edgepipe-\*",
        reason="the functions of custom steps come with their pipelines, by `edgepipe apply` alone",
    ),
    Prefix(
        form=r"arn:aws:iam::\d{12}:role/edgepipe-machine-\*",
        reason="each pipeline has a role of its own, and pipelines come by `edgepipe apply` alone",
    ),
    Prefix(
        form=rf"arn:aws:cloudwatch:{_HERE}:alarm:\*",
        reason="alarms are listed by how their names begin, which CloudFormation chooses",
    ),
    Prefix(
        form=rf"arn:aws:sagemaker:{_HERE}:(training|processing|labeling)-job/\*",
        reason="job names begin with the pipeline's, and a use case's pipelines come by `edgepipe apply`",
    ),
    Prefix(
        form=rf"arn:aws:greengrass:({_HERE}|[a-z0-9-]+:aws):components:\*(:versions:\*)?",
        reason="pipelines name the components that they publish; the account is the use case's own",
    ),
    Prefix(
        form=rf"arn:aws:greengrass:{_HERE}:(coreDevices|deployments):\*",
        reason="devices come and go with the factory, and Greengrass chooses the ids of deployments",
    ),
    Prefix(
        form=rf"arn:aws:iot:{_HERE}:(thing|thinggroup|job)/\*",
        reason="devices and groups come and go, and Greengrass chooses the names of IoT jobs",
    ),
    Prefix(
        form=r"arn:aws:s3:::[a-z0-9.-]+/(assets/|components/|runs/|)\*",
        reason="the objects of a bucket or a folder are named by runs and by those who add images",
    ),
    Prefix(
        form=r"arn:aws:ecr:[a-z0-9-]+:\*:repository/[a-z-]+",
        reason="AWS keeps the images of its frameworks in an account for each region, and names no list",
    ),
)

FINDINGS: Mapping[str, str] = {
    "AwsSolutions-L1": "handlers run on Python 3.13, the version that the project is tested with",
    "AwsSolutions-SQS3": "this queue is itself a dead-letter queue",
}
"""Finding of cdk-nag → why it stands where it does."""


class UnexplainedError(Exception):
    """A role would get a wildcard that no row here explains."""


def explain(action: str, resource: str) -> str:
    """Return why an action is allowed on a resource with a wildcard. Raises UnexplainedError."""
    reason = (
        STARS.get(action)
        if resource == "*"
        else next((each.reason for each in PREFIXES if each.explains(resource)), None)
    )
    if reason is None:
        message = f"{action} on {resource}: no row of stacks/reasons.py says why it must be so wide"
        raise UnexplainedError(message)
    return reason
