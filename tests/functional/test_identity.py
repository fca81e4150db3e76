"""identity: a role is handed to those whom it trusts, and to nobody else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local_cloud.cloud import LocalCloud, local_cloud

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE, THERE = "123456789012", "210987654321"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCloud]:
    with local_cloud(tmp_path_factory.mktemp("state")) as running:
        yield running


def make_role(
    cloud: LocalCloud, account: str, name: str, principal: Any, external_id: str | None = None
) -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = cloud.context.client("iam", account).create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    return str(made["Role"]["Arn"])


def assume(role: str, keys: dict[str, str] | None = None, **fields: str) -> dict[str, str]:
    given = keys or {}
    sts = boto3.client(
        "sts",
        aws_access_key_id=given.get("AccessKeyId"),
        aws_secret_access_key=given.get("SecretAccessKey"),
        aws_session_token=given.get("SessionToken"),
    )
    return dict(sts.assume_role(RoleArn=role, RoleSessionName="test", **fields)["Credentials"])


def refused(role: str, keys: dict[str, str] | None = None, **fields: str) -> str:
    with pytest.raises(ClientError) as caught:
        assume(role, keys, **fields)
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return str(caught.value.response["Error"]["Message"])


def test_the_external_id_must_be_the_roles(cloud: LocalCloud) -> None:
    role = make_role(cloud, THERE, "guarded", {"AWS": HERE}, external_id="known")
    for words in (refused(role), refused(role, ExternalId="guessed")):
        assert words.startswith(f"User: arn:aws:sts::{HERE}:user/moto is not authorized to perform")
        assert words.endswith(f": sts:AssumeRole on resource: {role}")
    keys = assume(role, ExternalId="known")
    sts = boto3.client(
        "sts",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::{THERE}:assumed-role/guarded/test"


def test_a_role_that_does_not_exist_is_refused_like_one_that_does_not_trust(cloud: LocalCloud) -> None:
    role = make_role(cloud, THERE, "others", {"AWS": "arn:aws:iam::333333333333:root"})
    missing = role.replace("others", "missing")
    elsewhere = missing.replace(THERE, "444444444444")
    assert refused(role).replace("others", "missing") == refused(missing)
    assert refused(elsewhere).endswith(elsewhere)
    assert refused("arn:aws:iam::nonsense").endswith("nonsense")


def test_chains_go_from_role_to_role(cloud: LocalCloud) -> None:
    first = make_role(cloud, HERE, "first", {"AWS": HERE})
    second = make_role(cloud, THERE, "second", {"AWS": first})
    refused(second)
    keys = assume(second, assume(first))
    iam = boto3.client(
        "iam",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    assert "second" in [role["RoleName"] for role in iam.list_roles()["Roles"]]


def test_a_services_role_is_not_for_people(cloud: LocalCloud) -> None:
    refused(make_role(cloud, HERE, "for-lambda", {"Service": "lambda.amazonaws.com"}))


def test_identity_providers_are_refused(cloud: LocalCloud) -> None:
    sts = boto3.client("sts")
    with pytest.raises(ClientError, match="no identity providers"):
        sts.assume_role_with_web_identity(
            RoleArn=make_role(cloud, HERE, "web", "*"), RoleSessionName="test", WebIdentityToken="token"
        )
