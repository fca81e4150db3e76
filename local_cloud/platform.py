"""What a deployed platform gives every pipeline, in the local cloud: roles, buckets, table, functions."""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_cloud.context import ORCHESTRATOR_ACCOUNT, Context
from pipelines.platform import JOBS_TABLE, JOBS_TABLE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

USECASE_ACCOUNT = "210987654321"
SERVICE_FUNCTIONS = {"sweeper": "tasks.sweeper.handler", "events": "tasks.events.handler"}
LAMBDA_TIMEOUT_SECONDS = 900
ROOT = Path(__file__).parents[1]
LOCAL_SERVER = ROOT / "edge_components" / "local_server"


@dataclass(frozen=True, kw_only=True)
class UseCase:
    """The facts of a use case that a definition's `${usecase_...}` markers stand for."""

    id: str
    account: str
    region: str
    role_arn: str
    external_id: str
    execution_role_arn: str
    data_bucket: str
    results_bucket: str
    component_bucket: str
    optimize_image_uri: str

    def markers(self) -> dict[str, str]:
        """Return marker name → value."""
        return {f"usecase_{name}": value for name, value in asdict(self).items()}


def local_usecase(usecase_id: str, *, region: str) -> UseCase:
    """Return the use case that every local run acts in: its own account, roles and buckets."""
    account = USECASE_ACCOUNT
    return UseCase(
        id=usecase_id,
        account=account,
        region=region,
        role_arn=f"arn:aws:iam::{account}:role/edgepipe-{usecase_id}",
        external_id=f"edgepipe-{usecase_id}",
        execution_role_arn=f"arn:aws:iam::{account}:role/edgepipe-{usecase_id}-jobs",
        data_bucket=f"{usecase_id}-data-{account}",
        results_bucket=f"{usecase_id}-results-{account}",
        component_bucket=f"{usecase_id}-components-{account}",
        optimize_image_uri="local/edgepipe-optimize:latest",
    )


def provision(
    context: Context, usecase: UseCase, handlers: Mapping[str, str], own_code: Mapping[str, bytes]
) -> dict[str, str]:
    """Create the platform for one use case; `handlers` maps a function's name to its dotted handler.

    `own_code` is the zip of each function that does not have the platform's.
    Returns the markers `<name>_function_arn` → ARN.
    """
    _create_table(context.client("dynamodb", ORCHESTRATOR_ACCOUNT))
    role = _create_role(context.client("iam", ORCHESTRATOR_ACCOUNT), "edgepipe-functions", "lambda")
    client = context.client("lambda", ORCHESTRATOR_ACCOUNT)
    arns = _create_functions(client, role, {**handlers, **SERVICE_FUNCTIONS}, own_code)
    _create_usecase(context, usecase)
    return {f"{name}_function_arn": arn for name, arn in arns.items()}


def function_name(name: str) -> str:
    """Return the Lambda function's name for a kind or service handler."""
    return f"edgepipe-{name}"


def publish_local_server(context: Context, usecase: UseCase) -> None:
    """Register the platform's LocalServer component, its program packed as the recipe's artifact."""
    recipe = (LOCAL_SERVER / "recipe.yaml").read_text(encoding="utf-8")
    recipe = recipe.replace("${component_bucket}", usecase.component_bucket)
    key = "components/com.edgepipe.LocalServer/0.1.0/local_server.zip"
    program = _zip(LOCAL_SERVER.parent, (p for p in LOCAL_SERVER.rglob("*") if p.suffix in {".py", ".txt"}))
    context.client("s3", usecase.account).put_object(Bucket=usecase.component_bucket, Key=key, Body=program)
    context.client("greengrassv2", usecase.account).create_component_version(inlineRecipe=recipe.encode())


def _create_usecase(context: Context, usecase: UseCase) -> None:
    iam = context.client("iam", usecase.account)
    _create_role(
        iam,
        usecase.role_arn.rsplit("/", 1)[1],
        f"arn:aws:iam::{ORCHESTRATOR_ACCOUNT}:role/edgepipe-functions",
    )
    _create_role(iam, usecase.execution_role_arn.rsplit("/", 1)[1], "sagemaker")
    s3 = context.client("s3", usecase.account)
    for bucket in (usecase.data_bucket, usecase.results_bucket, usecase.component_bucket):
        s3.create_bucket(Bucket=bucket)


def _create_role(iam: Any, name: str, trusted: str) -> str:  # noqa: ANN401 - a boto3 client
    principal = {"AWS": trusted} if trusted.startswith("arn:") else {"Service": f"{trusted}.amazonaws.com"}
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }
    arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    return arn


def _create_table(dynamodb: Any) -> None:  # noqa: ANN401 - a boto3 client
    dynamodb.create_table(TableName=JOBS_TABLE, **JOBS_TABLE_SCHEMA)


def _create_functions(
    client: Any,  # noqa: ANN401 - a boto3 client
    role: str,
    handlers: Mapping[str, str],
    own_code: Mapping[str, bytes],
) -> dict[str, str]:
    os.environ["EDGEPIPE_JOBS_TABLE"] = JOBS_TABLE
    code = _zip(ROOT, (ROOT / "tasks").rglob("*.py"))
    return {
        name: client.create_function(
            FunctionName=function_name(name),
            Runtime="python3.13",
            Architectures=["arm64"],
            Role=role,
            Handler=handler,
            Timeout=LAMBDA_TIMEOUT_SECONDS,
            Environment={"Variables": {"EDGEPIPE_JOBS_TABLE": JOBS_TABLE}},
            Code={"ZipFile": own_code.get(name, code)},
        )["FunctionArn"]
        for name, handler in handlers.items()
    }


def _zip(root: Path, files: Iterable[Path]) -> bytes:
    """Return a zip of `files`, named relative to `root`; same files, same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path.relative_to(root).as_posix()), path.read_bytes())
    return buffer.getvalue()
