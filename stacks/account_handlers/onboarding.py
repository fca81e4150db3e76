"""Makes a use case's account ready: looks whether its roles and buckets are there, and puts the shared
components into it. Called by the onboarding workflow, which tries again while IAM still spreads a new role.

What a function is called with: {"action": "check" | "provision", "usecase": {"RoleArn", "ExternalId",
"Region", "Account", "Buckets": [...], "ComponentBucket"}}.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .entrance import enter

if TYPE_CHECKING:
    from collections.abc import Mapping

COMPONENT = "com.edgepipe.LocalServer"
ROOT = Path(__file__).resolve().parents[1]
"""Where the function's zip is unpacked: the component's files lie at its top."""


class NotReadyError(Exception):
    """The account lacks something; the message names it. Worth another try a little later."""


def check(session: Any, usecase: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - a boto3 session
    """Look whether the role leads into the right account and every bucket is there."""
    account = session.client("sts").get_caller_identity()["Account"]
    if account != usecase["Account"]:
        message = f"{usecase['RoleArn']} leads into account {account}, not into {usecase['Account']}"
        raise NotReadyError(message)
    s3 = session.client("s3", region_name=usecase["Region"])
    missing = [bucket for bucket in usecase["Buckets"] if not _is_there(s3, bucket)]
    if missing:
        message = f"cannot see {', '.join(missing)}: deploy the use case's stacks first"
        raise NotReadyError(message)
    return {"account": account, "buckets": list(usecase["Buckets"])}


def provision(
    session: Any,  # noqa: ANN401 - a boto3 session
    usecase: Mapping[str, Any],
    *,
    recipe: str,
    archive: bytes,
    version: str,
) -> dict[str, Any]:
    """Publish the shared component, if that version is not there yet."""
    key = f"components/{COMPONENT}/{version}/local_server.zip"
    bucket, region = usecase["ComponentBucket"], usecase["Region"]
    session.client("s3", region_name=region).put_object(Bucket=bucket, Key=key, Body=archive)
    greengrass = session.client("greengrassv2", region_name=region)
    try:
        greengrass.create_component_version(
            inlineRecipe=recipe.replace("${component_bucket}", bucket).encode()
        )
    except Exception as error:
        if _code(error) != "ConflictException":
            raise
    return {"component": COMPONENT, "version": version}


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Do one of the workflow's steps. Raises NotReadyError, or what AWS answers."""
    usecase = event["usecase"]
    session = enter(usecase)
    if event["action"] == "check":
        return check(session, usecase)
    recipe = ROOT.joinpath("recipe.yaml").read_text(encoding="utf-8")
    archive = ROOT.joinpath("local_server.zip").read_bytes()
    version = ROOT.joinpath("version.txt").read_text(encoding="utf-8")
    return provision(session, usecase, recipe=recipe, archive=archive, version=version)


def _is_there(s3: Any, bucket: str) -> bool:  # noqa: ANN401 - a boto3 client
    try:
        s3.head_bucket(Bucket=bucket)
    except Exception as error:
        if _code(error) in {"403", "404", "NoSuchBucket", "AccessDenied"}:
            return False
        raise
    return True


def _code(error: BaseException) -> str:
    return str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
