"""A data account: who may read the images of a bucket that is there already, and from which web pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk

from pipelines import packages, platform
from stacks import uploads
from stacks.deployment import log_statement
from stacks.functions import Function, FunctionPlan
from stacks.places import Place
from stacks.roles import add_role, allow, trust_account

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import Construct

    from pipelines.usecase import DataAccount, UseCase

READ = ("s3:GetObject", "s3:GetObjectVersion")
LIST = ("s3:GetBucketLocation", "s3:ListBucket")
LOOK = (*LIST, "s3:GetBucketPolicy")
"""What `doctor` needs beside: it reads who is let in."""


class DataAccountStack(cdk.Stack):
    """What one use case needs of a data account. The bucket and everything else about it stay its owners'."""

    def __init__(self, scope: Construct, construct_id: str, *, usecase: UseCase, data: DataAccount) -> None:
        env = cdk.Environment(account=data.account, region=usecase.region)
        description = f"edgepipe: the images of use case {usecase.id}"
        super().__init__(scope, construct_id, env=env, description=description)
        _add_reader_role(self, usecase, data)
        function = _add_rule_writer(self, usecase, Place(account=data.account, region=usecase.region))
        cdk.CustomResource(
            self,
            "BucketRules",
            service_token=function.arn,
            properties={
                "Bucket": usecase.data_bucket,
                "Owner": usecase.id,
                "Statements": json.dumps(bucket_statements(usecase)),
                "CorsRules": json.dumps(cors_rules(usecase.id, data.origins)),
            },
        )


def bucket_statements(usecase: UseCase) -> list[dict[str, Any]]:
    """Return the statements that let the use case's roles read the bucket; known by their Sids."""
    bucket = f"arn:aws:s3:::{usecase.data_bucket}"
    readers = sorted((usecase.role_arn, usecase.execution_role_arn))
    return [
        {"Sid": f"edgepipe-{usecase.id}-{name}", "Principal": {"AWS": readers}, **allow(actions, [resource])}
        for name, actions, resource in (("list", LIST, bucket), ("read", READ, f"{bucket}/*"))
    ]


def reader_statements(usecase: UseCase) -> list[dict[str, Any]]:
    """Return what people, and checks of theirs, may do there."""
    bucket = f"arn:aws:s3:::{usecase.data_bucket}"
    account = usecase.data.account if usecase.data else usecase.account
    parameter = Place(account=account, region=usecase.region).parameter(platform.BOOTSTRAP)
    return [allow(LOOK, [bucket]), allow(READ, [f"{bucket}/*"]), allow(["ssm:GetParameter"], [parameter])]


def cors_rules(usecase_id: str, origins: Sequence[str]) -> list[dict[str, Any]]:
    """Return the CORS rule that lets pages of these origins load images; none without an origin."""
    rule = {
        "ID": f"edgepipe-{usecase_id}",
        "AllowedOrigins": list(origins),
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedHeaders": ["*"],
    }
    return [rule] if origins else []


def _add_reader_role(scope: Construct, usecase: UseCase, data: DataAccount) -> None:
    """Add the role that people and checks of the orchestrator's account look at the images by."""
    name = (data.role_arn or f"/edgepipe-{usecase.id}-data").rpartition("/")[2]
    external_id = data.external_id or usecase.external_id
    add_role(
        scope,
        "Reader",
        name=name,
        trust=[trust_account(usecase.orchestrator.account, external_id=external_id)],
        statements=reader_statements(usecase),
    )


def _add_rule_writer(scope: Construct, usecase: UseCase, here: Place) -> Function:
    """Add the function that merges our rules into the bucket's; one for each use case, on its bucket only."""
    name = platform.function_name(f"bucket-rules-{usecase.id}")
    policy = [f"s3:{verb}Bucket{what}" for what in ("Policy", "CORS") for verb in ("Get", "Put")]
    plan = FunctionPlan(
        name=name,
        handler="account_handlers.bucket_rules.handler",
        statements=[
            allow([*policy, "s3:DeleteBucketPolicy"], [f"arn:aws:s3:::{usecase.data_bucket}"]),
            log_statement(here, name),
        ],
        called_back=False,
        seconds=120,
    )
    content = packages.pack(uploads.read_account_handlers())
    code = uploads.stage(scope, "Code", name="account_handlers.zip", content=content)
    return Function(scope, "RuleWriter", plan=plan, code=code)
