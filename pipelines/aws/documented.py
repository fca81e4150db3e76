"""Limits that AWS's documentation states and its models leave out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Documented:
    """A greatest value, what it bounds, and the AWS page that says so."""

    most: int
    source: str


S3_KEY_BYTES = Documented(most=1024, source='Amazon S3 user guide, "Naming Amazon S3 objects"')
VERSION_NUMBER = Documented(
    most=999_999,
    source='AWS IoT Greengrass V2 developer guide, "AWS IoT Greengrass component recipe reference"',
)
LABELING_SECONDS = Documented(
    most=30 * 86_400, source='SageMaker API reference, "HumanTaskConfig", TaskAvailabilityLifetimeInSeconds'
)
