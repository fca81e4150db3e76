"""What a deployed platform gives every pipeline, in the local cloud: roles, buckets, table, functions."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_cloud.context import ORCHESTRATOR_ACCOUNT, Context
from pipelines import packages
from pipelines.platform import (
    ARCHITECTURE,
    FUNCTION_SECONDS,
    JOBS_TABLE,
    JOBS_TABLE_SCHEMA,
    RUNTIME,
    SERVICE_FUNCTIONS,
    function_name,
)
from pipelines.usecase import Orchestrator, draft

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipelines.usecase import UseCase

USECASE_ACCOUNT = "210987654321"


def local_usecase(usecase_id: str, *, region: str) -> UseCase:
    """Return the use case that every local run acts in: its own account, roles and buckets."""
    made = draft(
        usecase_id,
        account=USECASE_ACCOUNT,
        region=region,
        orchestrator=Orchestrator(account=ORCHESTRATOR_ACCOUNT, region=region),
        external_id=f"edgepipe-{usecase_id}",
    )
    topic = f"arn:aws:sns:{region}:{ORCHESTRATOR_ACCOUNT}:edgepipe-{usecase_id}"
    return replace(made, optimize_image_uri="local/edgepipe-optimize:latest", topic=topic)


def provision(
    context: Context, usecase: UseCase, handlers: Mapping[str, str], own_code: Mapping[str, bytes]
) -> dict[str, str]:
    """Create the platform for one use case, or bring what exists up to date.

    `handlers` maps a function's name to its dotted handler. `own_code` is the zip of each function that
    does not have the platform's.
    Returns the markers `<name>_function_arn` → ARN.
    """
    _create_table(context.client("dynamodb", ORCHESTRATOR_ACCOUNT))
    role = _create_role(
        context.client("iam", ORCHESTRATOR_ACCOUNT),
        "edgepipe-functions",
        {"Service": "lambda.amazonaws.com"},
    )
    client = context.client("lambda", ORCHESTRATOR_ACCOUNT)
    arns = _create_functions(client, role, {**handlers, **SERVICE_FUNCTIONS}, own_code)
    _create_usecase(context, usecase)
    return {f"{name}_function_arn": arn for name, arn in arns.items()}


def create_topic(context: Context, arn: str) -> None:
    """Create a topic in whatever account and region its ARN names; one that is there stays."""
    *_, region, account, name = arn.split(":")
    context.client_of(None, "sns", account, region).create_topic(Name=name)


def publish_local_server(context: Context, usecase: UseCase) -> None:
    """Register the platform's LocalServer component, its program packed as the recipe's artifact."""
    component = packages.read_local_server()
    s3, greengrass = (context.client(name, usecase.account) for name in ("s3", "greengrassv2"))
    changed = _put(s3, usecase.component_bucket, component.key, component.program)

    def publish() -> Any:  # noqa: ANN401 - the reply of a boto3 call
        return greengrass.create_component_version(
            inlineRecipe=component.recipe_for(usecase.component_bucket)
        )

    if _unless("ConflictException", publish) is None and changed:
        # The version is the installation's own: a newer edgepipe brings another program under it.
        greengrass.delete_component(arn=component.arn(region=usecase.region, account=usecase.account))
        publish()


def _put(s3: Any, bucket: str, key: str, body: bytes) -> bool:  # noqa: ANN401 - a boto3 client
    """Write an object and return whether it was another before."""
    before = _unless("404", lambda: s3.head_object(Bucket=bucket, Key=key))
    after = s3.put_object(Bucket=bucket, Key=key, Body=body)
    return before is None or before["ETag"] != after["ETag"]


def _create_usecase(context: Context, usecase: UseCase) -> None:
    iam = context.client("iam", usecase.account)
    functions = {"AWS": f"arn:aws:iam::{ORCHESTRATOR_ACCOUNT}:role/edgepipe-functions"}
    _create_role(iam, _name(usecase.role_arn), functions, external_id=usecase.external_id)
    _create_role(iam, _name(usecase.execution_role_arn), {"Service": "sagemaker.amazonaws.com"})
    s3 = context.client("s3", usecase.account)
    for bucket in (usecase.data_bucket, usecase.results_bucket, usecase.component_bucket):
        _unless("BucketAlreadyOwnedByYou", lambda bucket=bucket: s3.create_bucket(Bucket=bucket))  # type: ignore[misc] # mypy cannot infer a lambda with a default


def _create_role(
    iam: Any,  # noqa: ANN401 - a boto3 client
    name: str,
    trusted: Mapping[str, str],
    *,
    external_id: str | None = None,
) -> str:
    """Create a role, or set the trust of the one that exists; return its ARN."""
    statement: dict[str, Any] = {"Effect": "Allow", "Principal": trusted, "Action": "sts:AssumeRole"}
    if external_id is not None:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    _unless("EntityAlreadyExists", lambda: iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust))
    iam.update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    arn: str = iam.get_role(RoleName=name)["Role"]["Arn"]
    return arn


def _name(role_arn: str) -> str:
    return role_arn.rsplit("/", 1)[1]


def _create_table(dynamodb: Any) -> None:  # noqa: ANN401 - a boto3 client
    _unless(
        "ResourceInUseException", lambda: dynamodb.create_table(TableName=JOBS_TABLE, **JOBS_TABLE_SCHEMA)
    )


def _create_functions(
    client: Any,  # noqa: ANN401 - a boto3 client
    role: str,
    handlers: Mapping[str, str],
    own_code: Mapping[str, bytes],
) -> dict[str, str]:
    code = platform_code()
    return {
        name: _create_function(
            client,
            FunctionName=function_name(name),
            Runtime=RUNTIME,
            Role=role,
            Handler=handler,
            Timeout=FUNCTION_SECONDS,
            Environment={"Variables": {"EDGEPIPE_JOBS_TABLE": JOBS_TABLE}},
            code=own_code.get(name, code),
        )
        for name, handler in handlers.items()
    }


def _create_function(client: Any, *, code: bytes, **fields: Any) -> str:  # noqa: ANN401 - a boto3 client, and its fields
    """Create a function, or give the one that exists this code and configuration; return its ARN."""
    created = _unless(
        "ResourceConflictException",
        lambda: client.create_function(**fields, Architectures=[ARCHITECTURE], Code={"ZipFile": code}),
    )
    if created is None:
        name = fields["FunctionName"]
        created = client.get_function_configuration(FunctionName=name)
        if created["CodeSha256"] != base64.b64encode(hashlib.sha256(code).digest()).decode():
            client.update_function_code(FunctionName=name, ZipFile=code)
        if any(created.get(field) != value for field, value in fields.items()):
            client.update_function_configuration(**fields)
    arn: str = created["FunctionArn"]
    return arn


def _unless(code: str, make: Callable[[], Any]) -> Any:  # noqa: ANN401 - the reply of a boto3 call
    """Return the reply of a call that creates something; None if it exists, which the error `code` says."""
    try:
        return make()
    except ClientError as error:
        if error.response["Error"]["Code"] != code:
            raise
        return None


@cache
def platform_code() -> bytes:
    """Return the zip of the handlers that this installation brings."""
    return packages.pack(packages.read_handlers())
