"""The engine and the functions behind moto, for one test."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws

from local_cloud import engine, functions, identity
from local_cloud.clock import SystemClock
from local_cloud.context import ORCHESTRATOR_ACCOUNT, Context

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROLE = f"arn:aws:iam::{ORCHESTRATOR_ACCOUNT}:role/test"
LIVING = ("step-functions", "lambda")


LOOK_SECONDS = 0.005
SETTLING_LOOKS = 24_000
"""Two minutes of them at least: a busy machine may be slow."""


@dataclass(frozen=True)
class Cloud:
    context: Context
    engine: engine.Engine
    functions: functions.Functions
    states: Any
    lambdas: Any

    def create_function(self, name: str, handler: str, *, timeout: int = 30, **fields: Any) -> str:
        reply = self.lambdas.create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=ROLE,
            Handler=handler,
            Timeout=timeout,
            Code={"ZipFile": _empty_zip()},
            **fields,
        )
        return str(reply["FunctionArn"])

    def create_machine(self, definition: dict[str, Any] | str, name: str = "m") -> str:
        text = definition if isinstance(definition, str) else json.dumps(definition)
        reply = self.states.create_state_machine(name=name, definition=text, roleArn=ROLE)
        return str(reply["stateMachineArn"])

    def start(self, machine: str, value: Any = None, **fields: Any) -> str:
        reply = self.states.start_execution(stateMachineArn=machine, input=json.dumps(value or {}), **fields)
        return str(reply["executionArn"])

    def settle(self, execution: str) -> dict[str, Any]:
        for _ in range(SETTLING_LOOKS):
            described = self.states.describe_execution(executionArn=execution)
            if described["status"] != "RUNNING":
                return dict(described)
            threading.Event().wait(LOOK_SECONDS)
        message = f"{execution} did not end"
        raise AssertionError(message)

    def wait_for_event(self, execution: str, kind: str) -> None:
        """Wait until the execution's history has an event of this type."""
        for _ in range(SETTLING_LOOKS):
            if any(event["type"] == kind for event in self.events(execution)):
                return
            threading.Event().wait(LOOK_SECONDS)
        message = f"{execution} had no {kind}"
        raise AssertionError(message)

    def events(self, execution: str) -> list[dict[str, Any]]:
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=execution)
        return [event for page in pages for event in page["events"]]

    def log(self, function: str) -> str:
        path = self.context.state_dir / "logs" / "aws" / "lambda" / f"{function}.log"
        return path.read_text(encoding="utf-8")


@contextmanager
def serverless(tmp_path: Path, *, scale: float = 1.0, path: Path | None = None) -> Iterator[Cloud]:
    """A cloud whose clock is `scale` times as fast; when the block ends, none of its threads runs.

    What its executions come to is kept in `path`.
    """
    context = Context(state_dir=tmp_path)
    machines = engine.install(context, clock=SystemClock(scale), path=path)
    lambdas = functions.install(context)
    trust = identity.install(context)
    aws = mock_aws(config={"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}})
    aws.start()
    try:
        boto3.client("iam", region_name="us-east-1").create_role(
            RoleName="test", AssumeRolePolicyDocument="{}"
        )
        yield Cloud(
            context=context,
            engine=machines,
            functions=lambdas,
            states=boto3.client("stepfunctions", region_name="us-east-1"),
            lambdas=boto3.client("lambda", region_name="us-east-1"),
        )
    finally:
        machines.close()
        lambdas.close()
        trust.close()
        aws.stop()
    assert [thread.name for thread in threading.enumerate() if thread.name in LIVING] == []


def _empty_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("empty.txt", "")
    return buffer.getvalue()
