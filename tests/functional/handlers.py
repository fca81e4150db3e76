"""Lambda handlers for tests; they are imported by their dotted names, as a deployment's are."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from typing import Any

from tasks import judge

TOKENS: list[str] = []
CAME = threading.Condition()
STARTED = threading.Event()


class QualityGateError(Exception):
    """Stands for an error of our tasks."""


def echo(event: Any, _context: Any) -> Any:
    return event


def describe(_event: Any, context: Any) -> dict[str, Any]:
    return {
        "name": context.function_name,
        "arn": context.invoked_function_arn,
        "version": context.function_version,
        "group": context.log_group_name,
        "remaining": context.get_remaining_time_in_millis(),
        "request": len(context.aws_request_id),
        "variable": os.environ.get("EDGEPIPE_TEST_VARIABLE"),
    }


def fail(event: Any, _context: Any) -> None:
    message = f"recall {event['recall']} is below 0.9"
    raise QualityGateError(message)


def leave(_event: Any, _context: Any) -> None:
    sys.exit(3)


def marshal(_event: Any, _context: Any) -> Any:
    return {1, 2}


def hang(_event: Any, _context: Any) -> None:
    """Runs until it is killed."""
    STARTED.set()
    while True:
        threading.Event().wait(0.01)


def talk(event: Any, _context: Any) -> None:
    print("printed", len(event))
    print("to stderr", file=sys.stderr, end="")
    logging.getLogger("handler").warning("logged %s", "this")


def account(_event: Any, _context: Any) -> str:
    import boto3

    return str(boto3.client("sts", region_name="us-east-1").get_caller_identity()["Account"])


def assume(_event: Any, _context: Any) -> str:
    import boto3

    role = "arn:aws:iam::210987654321:role/usecase"
    sts = boto3.client("sts", region_name="us-east-1")
    keys = sts.assume_role(RoleArn=role, RoleSessionName="test", ExternalId="known")["Credentials"]
    there = boto3.client(
        "sts",
        region_name="us-east-1",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    return str(there.get_caller_identity()["Account"])


def keep(event: Any, _context: Any) -> dict[str, Any]:
    with CAME:
        TOKENS.append(event["token"])
        CAME.notify_all()
    return {}


def wait_for_tokens(count: int) -> list[str]:
    with CAME:
        assert CAME.wait_for(lambda: len(TOKENS) >= count, timeout=120)
        return list(TOKENS)


FAILURES: dict[str, tuple[str, str, int]] = {}
"""What a step (or step/target) raises: error, message, how often."""
EVENTS: list[dict[str, Any]] = []


def step(event: Any, _context: Any) -> dict[str, Any]:
    """Stands for every kind: does the step in no time, through its token where it has one."""
    import boto3

    EVENTS.append(event)
    if "redriven" in event:
        return judge.handler(event, None)
    name = "/".join(filter(None, [event["step"], event.get("target")]))
    error, message, times = FAILURES.get(name, ("", "", 0))
    failed = sum(_name(each) == name for each in EVENTS) <= times
    if "token" not in event:
        if failed:
            raise type(error, (Exception,), {})(message)
        return output(event)
    # Made before the handler returns: its credentials are gone with the invocation.
    states = boto3.client("stepfunctions", region_name="us-east-1")
    given = (states, event, (error, message) if failed else None)
    threading.Thread(target=_answer, args=given, daemon=True).start()
    return {}


def note(name: str, _context: Any) -> str:
    """Notes that it was called, and fails as often as FAILURES says."""
    EVENTS.append({"step": name})
    error, message, times = FAILURES.get(name, ("", "", 0))
    if sum(each["step"] == name for each in EVENTS) <= times:
        raise type(error, (Exception,), {})(message)
    return name


def _name(event: dict[str, Any]) -> str:
    return "/".join(filter(None, [event.get("step"), event.get("target")]))


def _answer(states: Any, event: dict[str, Any], failure: tuple[str, str] | None) -> None:
    if failure:
        states.send_task_failure(taskToken=event["token"], error=failure[0], cause=failure[1])
    else:
        states.send_task_success(taskToken=event["token"], output=json.dumps(output(event)))


def output(event: dict[str, Any]) -> dict[str, Any]:
    """The artifacts that a step of the kind gives, as small as they can be."""

    def artifact(kind: str, name: str) -> dict[str, Any]:
        return {"type": kind, "uri": f"s3://results/{name}", "digest": "sha256:00", "facts": {}}

    step_id, inputs = event["step"], event.get("inputs", {})
    outputs: dict[str, Any] = {
        "label": lambda: {"labels": artifact("labels", "labels.jsonl")},
        "transform": lambda: {"manifest": artifact("manifest", inputs["labels"]["uri"][5:])},
        "train": lambda: {
            "model": artifact("model", "model.tar.gz"),
            "metrics": {"recall": 0.95},
            "gate": [],
        },
        "compile": lambda: {
            "target": event["target"],
            "artifact": artifact("compiled_model", event["target"]),
        },
        "package": lambda: {
            "package": {name: artifact("package", name) for name in inputs["compiled_model"]}
        },
        "publish": lambda: {"component": artifact("component", "recipe.json")},
        "deploy": lambda: {"deployment": artifact("deployment", "deployment.json")},
    }
    return dict(outputs[step_id]())
