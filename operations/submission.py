"""`submit`: starts a run of a live pipeline; the same commit, spec and parameters are the same run."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from operations.console import run_url
from operations.errors import OperationError, error_code
from operations.session import ask
from pipelines import parameters
from pipelines.compiler import compile_text
from pipelines.platform import LIVE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from operations.session import Aws
    from operations.source import Source
    from operations.versions import Machines, Version
    from pipelines.compiler import Compiled
    from pipelines.usecase import UseCase

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_LONGEST = 80
"""An execution's name has at most 80 characters (StartExecution)."""


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked for: parameters as given, the commit, and a word that makes another run of the same."""

    params: Mapping[str, str]
    commit: str = ""
    again: str = ""


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A run that was started, or that was there already."""

    run: str
    arn: str
    pipeline: str
    version: int
    status: str
    started: bool
    url: str

    def render(self) -> str:
        """Return what to tell the user, as lines."""
        if self.started:
            head = f"started {self.run} on version {self.version} of '{self.pipeline}'"
        else:
            head = (
                f"the same commit, spec and parameters have a run already, {self.run}: {self.status}. "
                "For another one give --force-new NAME"
            )
        return f"{head}\n  {self.arn}\n  {self.url}"


def submit(machines: Machines, pipeline: Compiled, version: Version, wish: Wish) -> Submission:
    """Start a run of the live version, or find the one that the same request started before.

    Raises ParameterError, OperationError, botocore's errors.
    """
    given = parameters.resolve(pipeline.pipeline, wish.params)
    name = run_name(pipeline.pipeline.name, version, given, wish)
    arn = machines.run_arn(pipeline.pipeline.name, name)
    found = Submission(
        run=name,
        arn=arn,
        pipeline=pipeline.pipeline.name,
        version=version.number,
        status="RUNNING",
        started=True,
        url=run_url(arn),
    )
    before = _status(machines, arn)
    if before is None and _start(machines, pipeline.pipeline.name, name, given):
        return found
    return replace(found, status=before or _status(machines, arn) or "RUNNING", started=False)


def run_name(pipeline: str, version: Version, params: Mapping[str, Any], wish: Wish) -> str:
    """Return the name that a request's run has: the pipeline, the commit, and a digest of all that counts.

    Outside git there is no commit in it. Raises OperationError for an `again` that cannot stand in a name.
    """
    again = wish.again
    if again and not _NAME.fullmatch(again):
        message = f"--force-new '{again}' must be 1 to 40 letters, digits or any of _ . -"
        raise OperationError(message)
    source = version.origin.source if version.origin else version.definition
    parts = [wish.commit, source, json.dumps(params, sort_keys=True), again]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
    return "-".join(filter(None, [pipeline, wish.commit[:8], digest, again]))[:_LONGEST]


def check_live(source: Source, version: Version) -> None:
    """Refuse to start a spec that is not the live one. Raises OperationError."""
    live = version.origin
    if live is None or not source.digest.startswith(live.source):
        message = (
            f"version {version.number} of '{source.compiled.pipeline.name}', which is live, is not what "
            f"{source.spec} says: run `edgepipe apply {source.spec}` first"
        )
        raise OperationError(message)


def read_live(aws: Aws, usecase: UseCase | None, version: Version, pipeline: str) -> Compiled:
    """Compile the spec that the live version was made from, as `apply` kept it. Raises OperationError."""
    origin = version.origin
    if origin is None:
        message = (
            f"version {version.number} of '{pipeline}' was not made by `edgepipe apply`: "
            "give the spec's file, or apply it"
        )
        raise OperationError(message)
    bucket, _, key = origin.spec.removeprefix("s3://").partition("/")
    there = aws.enter(usecase) if usecase else aws
    reply = ask(there.client("s3").get_object, "NoSuchKey", "404", Bucket=bucket, Key=key)
    if reply is None:
        message = f"{origin.spec} is gone: give the spec's file instead of the pipeline's name"
        raise OperationError(message)
    return compile_text(reply["Body"].read().decode(), path=origin.spec)


def _start(machines: Machines, pipeline: str, name: str, params: Mapping[str, Any]) -> bool:
    """Start the execution on the alias; False where somebody else was faster."""
    try:
        machines.client.start_execution(
            stateMachineArn=f"{machines.arn(pipeline)}:{LIVE}",
            name=name,
            input=json.dumps({"params": params}, sort_keys=True),
        )
    except Exception as error:
        if error_code(error) != "ExecutionAlreadyExists":
            raise
        return False
    return True


def _status(machines: Machines, arn: str) -> str | None:
    reply = ask(machines.client.describe_execution, "ExecutionDoesNotExist", executionArn=arn)
    return str(reply["status"]) if reply else None


def usecase_id(version: Version) -> str:
    """Return the id of the use case that a version's runs act in."""
    start = json.loads(version.definition)["States"]["Start"]
    return str(start["Assign"]["usecase"]["id"])
