"""Copies a pipeline's files into the use case's results bucket, under names made of their content.

CDK uploads into the orchestrator's own bucket; jobs in the use case's account read from that account's. A
name is made of the content, so copying twice is the same as copying once, and nothing is ever deleted: a run
that began before an update still reads the old files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .entrance import enter
from .reply import Event, answered

if TYPE_CHECKING:
    from collections.abc import Mapping


def copy(source: Any, target: Any, properties: Mapping[str, Any]) -> None:  # noqa: ANN401 - boto3 clients
    """Copy each of the resource's files that is not there yet."""
    bucket = str(properties["Bucket"])
    for item in properties["Files"]:
        if not _exists(target, bucket, item["Key"]):
            body = source.get_object(Bucket=item["SourceBucket"], Key=item["SourceKey"])["Body"].read()
            target.put_object(Bucket=bucket, Key=item["Key"], Body=body)


def _exists(s3: Any, bucket: str, key: str) -> bool:  # noqa: ANN401 - a boto3 client
    found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
    return any(each["Key"] == key for each in found.get("Contents", ()))


def _work(event: Event) -> str:
    import boto3

    properties = event["ResourceProperties"]
    if event["RequestType"] != "Delete":
        target = enter(properties).client("s3", region_name=properties["Region"])
        copy(boto3.client("s3"), target, properties)
    return f"{properties['Bucket']}/{properties['Pipeline']}"


handler = answered(_work)
