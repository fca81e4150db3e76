"""How a deployment's own functions enter a use case's account: by its operator role, with the ExternalId."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def enter(properties: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a boto3 session
    """Return a session as the role that `properties` names: {"RoleArn", "ExternalId"}."""
    import boto3

    keys = boto3.client("sts").assume_role(
        RoleArn=properties["RoleArn"],
        ExternalId=properties["ExternalId"],
        RoleSessionName="edgepipe-deployment",
    )["Credentials"]
    return boto3.Session(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
