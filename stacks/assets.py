"""A pipeline's files (its scripts, its components' programs) on their way to the use case's account."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk

from stacks import uploads
from stacks.deployment import ASSETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs import Construct

    from pipelines.usecase import UseCase
    from stacks.places import Place


@dataclass(frozen=True, kw_only=True)
class PackedAsset:
    """An asset's archive; `marker` is the marker of the definition that its address replaces."""

    name: str
    marker: str
    content: bytes

    @property
    def key(self) -> str:
        """Return the key in the results bucket, made of the content: `edgepipe apply` uses the same."""
        return f"assets/{hashlib.sha256(self.content).hexdigest()}/{self.name}.tar.gz"


def add_assets(
    scope: Construct, *, assets: Sequence[PackedAsset], pipeline: str, usecase: UseCase, home: Place
) -> tuple[Mapping[str, str], cdk.CustomResource | None]:
    """Have the assets copied; return marker → address, and the resource after which they are there."""
    addresses = {each.marker: f"s3://{usecase.results_bucket}/{each.key}" for each in assets}
    if not assets:
        return addresses, None
    staged = [
        uploads.stage(scope, each.name, name=f"{each.name}.tar.gz", content=each.content) for each in assets
    ]
    copied = cdk.CustomResource(
        scope,
        "Assets",
        service_token=home.function(ASSETS),
        properties={
            "Pipeline": pipeline,
            "RoleArn": usecase.operator,
            "ExternalId": usecase.external_id,
            "Region": usecase.region,
            "Bucket": usecase.results_bucket,
            "Files": [
                {"SourceBucket": file.s3_bucket_name, "SourceKey": file.s3_object_key, "Key": each.key}
                for each, file in zip(assets, staged, strict=True)
            ],
        },
    )
    return addresses, copied
