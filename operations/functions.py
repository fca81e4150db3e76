"""The Lambda functions that a pipeline calls: the platform's, found by name, and its own custom steps'."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operations.changes import Change
from operations.errors import OperationError
from operations.session import ask
from operations.settling import patiently
from pipelines import packages, platform
from pipelines.spec import identifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.session import Aws, Client
    from operations.source import File, Source
    from pipelines.spec import Step

_ABSENT = "ResourceNotFoundException"
_DECLARATION = "edgepipe-custom.json"
_HANDLER = "tasks.custom.handler"


@dataclass(frozen=True, kw_only=True)
class CustomFunction:
    """The function of one custom step, as it should be."""

    marker: str
    name: str
    code: bytes

    @property
    def digest(self) -> str:
        """Return the digest that Lambda gives its code."""
        return base64.b64encode(hashlib.sha256(self.code).digest()).decode()


def find_platform(aws: Aws, source: Source) -> dict[str, str]:
    """Return the markers of the platform's functions that a pipeline calls. Raises OperationError."""
    client = aws.client("lambda")
    own = {f"custom_{identifier(step.id.value)}" for step in custom_steps(source)}
    found, absent = {}, []
    for name in source.compiled.functions:
        if name in own:
            continue
        reply = ask(client.get_function_configuration, _ABSENT, FunctionName=platform.function_name(name))
        if reply is None:
            absent.append(platform.function_name(name))
        else:
            found[f"{name}_function_arn"] = str(reply["FunctionArn"])
    if absent:
        message = f"the platform in {aws.region} lacks {', '.join(absent)}: run `edgepipe deploy` there first"
        raise OperationError(message)
    return found


def custom_steps(source: Source) -> list[Step]:
    """Return the steps that call a function of the spec's own folder."""
    steps = source.compiled.pipeline.steps
    return [s for s in steps if s.known_kind.own_function and not s.config["handler"].startswith("arn:")]


def plan_custom(source: Source) -> list[CustomFunction]:
    """Pack the function of each custom step: all handlers, the author's files, and what to call."""
    files = {file.asset.step: file for file in source.files if file.asset.name.endswith("_handler")}
    return [_plan(source, step, files[step.id.value]) for step in custom_steps(source)]


def put_custom(aws: Aws, function: CustomFunction, role: str) -> tuple[str, Change]:
    """Create or update a function and publish a version of it; return the version's ARN.

    Runs call a version, so that an older version of the pipeline keeps calling the code that it came with.
    """
    client = aws.client("lambda")
    now = ask(client.get_function_configuration, _ABSENT, FunctionName=function.name)
    if now is None:
        return _create(client, function, role), Change(what=f"function {function.name}", action="created")
    published = _published(client, function) if now["CodeSha256"] == function.digest else None
    if published:
        return published, Change(what=f"function {function.name}", action="unchanged")
    reply = client.update_function_code(FunctionName=function.name, ZipFile=function.code, Publish=True)
    client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
    return _qualify(reply), Change(what=f"function {function.name}", action="updated")


def _plan(source: Source, step: Step, file: File) -> CustomFunction:
    module, _, function = step.config["handler"].partition(":")
    kind = step.known_kind
    declaration = {"module": module, "function": function, "gives": kind.gives, "outputs": dict(kind.reports)}
    own = {**packages.unpack(file.data), _DECLARATION: json.dumps(declaration, sort_keys=True).encode()}
    return CustomFunction(
        marker=f"custom_{identifier(step.id.value)}_function_arn",
        name=platform.custom_function_name(source.compiled.pipeline.name, step.id.value),
        code=packages.pack({**packages.read_handlers(), **own}),
    )


def _create(client: Client, function: CustomFunction, role: str) -> str:
    reply: Mapping[str, str] = patiently(
        client.create_function,
        FunctionName=function.name,
        Runtime=platform.RUNTIME,
        Architectures=[platform.ARCHITECTURE],
        Role=role,
        Handler=_HANDLER,
        Timeout=platform.FUNCTION_SECONDS,
        Environment={"Variables": {"EDGEPIPE_JOBS_TABLE": platform.JOBS_TABLE}},
        Code={"ZipFile": function.code},
        Publish=True,
    )
    client.get_waiter("function_active_v2").wait(FunctionName=function.name)
    return _qualify(reply)


def _published(client: Client, function: CustomFunction) -> str | None:
    """Return the newest version that has this code; an upload that was cut off may have published none."""
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function.name)
    versions = [each for page in pages for each in page["Versions"]]
    same = [v for v in versions if v["CodeSha256"] == function.digest and v["Version"] != "$LATEST"]
    return max((int(v["Version"]), str(v["FunctionArn"])) for v in same)[1] if same else None


def _qualify(reply: Mapping[str, str]) -> str:
    """Return the version's ARN: some replies name the function, others the version."""
    arn, version = reply["FunctionArn"], reply["Version"]
    return arn if version == "$LATEST" or arn.endswith(f":{version}") else f"{arn}:{version}"
