"""Buckets: closed to the public, TLS only, encrypted, kept when their stack goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import Construct

LOG_DAYS = 365
IA_DAYS = 30
RESULT_DAYS = 90
OLD_VERSION_DAYS = 30

RESULTS = (
    s3.LifecycleRule(
        id="results",
        prefix="runs/",
        transitions=[
            s3.Transition(
                storage_class=s3.StorageClass.INFREQUENT_ACCESS,
                transition_after=cdk.Duration.days(IA_DAYS),
            )
        ],
        expiration=cdk.Duration.days(RESULT_DAYS),
    ),
)
"""What a run wrote is seldom read after 30 days and goes after 90; published components lie elsewhere."""
OLD_VERSIONS = (
    s3.LifecycleRule(id="old-versions", noncurrent_version_expiration=cdk.Duration.days(OLD_VERSION_DAYS)),
)
_UNFINISHED = s3.LifecycleRule(
    id="unfinished-uploads", abort_incomplete_multipart_upload_after=cdk.Duration.days(7)
)


def add_bucket(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    logs: s3.Bucket,
    versioned: bool,
    rules: Sequence[s3.LifecycleRule] = (),
) -> s3.Bucket:
    """Add a bucket whose access is logged."""
    return s3.Bucket(
        scope,
        construct_id,
        bucket_name=name,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        versioned=versioned,
        lifecycle_rules=[*rules, _UNFINISHED],
        removal_policy=cdk.RemovalPolicy.RETAIN,
        server_access_logs_bucket=logs,
        server_access_logs_prefix=f"{construct_id}/",
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    )


def add_log_bucket(scope: Construct, construct_id: str) -> s3.Bucket:
    """Add the bucket that takes the access logs of the others."""
    return s3.Bucket(
        scope,
        construct_id,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        lifecycle_rules=[s3.LifecycleRule(id="logs", expiration=cdk.Duration.days(LOG_DAYS)), _UNFINISHED],
        removal_policy=cdk.RemovalPolicy.RETAIN,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
    )
