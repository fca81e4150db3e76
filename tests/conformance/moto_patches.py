"""Moto's interpreter of the States Language, patched where it could not be compared at all.

Stock moto has no JSONata evaluator, pastes variables into the source of an expression, and sleeps between
retries. So: expressions are evaluated by jsonata-python with their values bound, in a small implementation of
its own (not our engine's); functions are Python functions; retries do not sleep; and an ending is read from
the execution itself, because DescribeExecution drops what it has. Everything else is moto's own.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import random
import threading
import types
import uuid
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
from botocore.exceptions import ClientError
from jsonata import Jsonata
from jsonata.utils import Utils
from moto import mock_aws
from moto.stepfunctions.parser.api import EvaluationFailedEventDetails, HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.common.string import string_expression
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.responses import get_backend

from local_cloud.context import ORCHESTRATOR_ACCOUNT
from local_cloud.engine.errors import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

REGION = "us-east-1"
_ALGORITHMS = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}


@contextmanager
def patched_moto(functions: Mapping[str, Callable[[Any], Any]]) -> Iterator[None]:
    """Run moto with its own interpreter and these functions; names outside the table do not exist."""
    with ExitStack() as stack:
        stack.enter_context(mock_aws(config={"stepfunctions": {"execute_state_machine": True}}))
        stack.enter_context(patch.object(string_expression.StringJSONata, "_eval_body", _evaluate))
        stack.enter_context(patch.object(lambda_eval_utils, "_invoke_lambda_function", _invoker(functions)))
        no_sleep = types.SimpleNamespace(sleep=lambda _: None)
        stack.enter_context(patch.object(retrier_decl, "time", no_sleep))
        yield


def ending(arn: str) -> dict[str, Any] | None:
    """Return how an execution ended, None while it runs."""
    execution = get_backend(ORCHESTRATOR_ACCOUNT, REGION).describe_execution(arn)
    if execution.status == "RUNNING":
        return None
    if execution.status == "SUCCEEDED":
        return {"output": _with_our_cause(json.loads(json.dumps(execution.output)))}
    return {"error": execution.error, "failed": True}


def _with_our_cause(output: Any) -> Any:
    """Spell the cause of a function's error as the other runners' functions do."""
    if not isinstance(output, dict) or "errorType" not in str(output.get("Cause")):
        return output
    told = {name: value for name, value in json.loads(output["Cause"]).items() if name != "errorType"}
    return {**output, "Cause": json.dumps(told)}


def answer_token(token: str, **answer: str) -> None:
    """Answer a token from another thread, as soon as moto accepts it."""

    def send() -> None:
        states = boto3.client("stepfunctions", region_name=REGION)
        for _ in range(1000):
            try:
                if "output" in answer:
                    states.send_task_success(taskToken=token, output=answer["output"])
                else:
                    states.send_task_failure(taskToken=token, **answer)
            except ClientError:
                threading.Event().wait(0.01)
            else:
                return

    threading.Thread(target=send, daemon=True).start()


def _invoker(functions: Mapping[str, Callable[[Any], Any]]) -> Callable[..., dict[str, Any]]:
    def invoke(parameters: dict[str, Any], **_: Any) -> dict[str, Any]:
        name = parameters["FunctionName"]
        if name not in functions:
            said = {"Code": "ResourceNotFoundException", "Message": "Function not found"}
            metadata = {"HTTPStatusCode": 404, "RequestId": "0"}
            raise ClientError({"Error": said, "ResponseMetadata": metadata}, "Invoke")  # type: ignore[typeddict-item,unused-ignore] # what moto reads
        payload = parameters.get("Payload", b"{}")
        value = json.loads(payload.read() if isinstance(payload, io.IOBase) else payload)
        reply = {"ExecutedVersion": "$LATEST", "StatusCode": 200}
        try:
            return {**reply, "Payload": functions[name](value)}
        except Failure as failure:
            told = {"errorType": failure.error, **json.loads(failure.cause or "{}")}
            return {**reply, "FunctionError": "Unhandled", "Payload": told}

    return invoke


def _evaluate(self: Any, env: Any) -> None:
    data = env.states._states_data
    states = {
        name: value for name in ("input", "result", "errorOutput") if (value := data.get(name)) is not None
    }
    states.setdefault("input", Utils.NULL_VALUE)
    states["context"] = json.loads(json.dumps(data["context"], default=_iso))
    store = env.variable_store
    variables = {**store._outer_scope, **store._inner_scope}
    bindings = {name: Utils.NULL_VALUE if value is None else value for name, value in variables.items()}
    try:
        value = _run(self.expression, {**bindings, "states": states})
    except Exception as error:
        _fail(env, f"The JSONata expression '{self.expression}' threw an error during evaluation. {error}")
    if value is None:
        _fail(env, f"The JSONata expression '{self.expression}' returned nothing (undefined).")
    try:
        env.stack.append(_plain(value))
    except TypeError:
        _fail(env, f"The JSONata expression '{self.expression}' returned an unsupported result type.")


def _run(code: str, bindings: dict[str, Any]) -> Any:
    compiled = Jsonata(code)
    compiled.set_output_convert_nulls(False)
    for name, function in _FUNCTIONS.items():
        compiled.register_lambda(name, function)
    Jsonata.CURRENT.jsonata = compiled
    compiled.environment.set_runtime_bounds(10_000, 500)
    return compiled.evaluate(None, bindings)


def _fail(env: Any, cause: str) -> None:
    name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
    details = EvaluationFailedEventDetails(
        cause=cause, error=name.error_name, state=env.next_state_name or ""
    )
    raise FailureEventException(
        FailureEvent(
            env=env,
            error_name=name,
            event_type=HistoryEventType.EvaluationFailed,
            event_details=EventDetails(evaluationFailedEventDetails=details),  # type: ignore[typeddict-item] # as moto does
        )
    )


def _plain(value: Any) -> Any:
    if value is Utils.NULL_VALUE:
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(type(value).__name__)


def _iso(value: Any) -> str:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


def _random(*seed: float) -> float:
    return random.Random(*seed).random()


def _parse(text: str) -> Any:
    value = json.loads(text)
    return Utils.NULL_VALUE if value is None else value


def _range(first: int, last: int, step: int) -> Any:
    numbers = list(range(first, last + (1 if step > 0 else -1), step))
    return numbers if len(numbers) > 1 else next(iter(numbers), None)


def _hash(text: str, algorithm: str) -> str:
    return hashlib.new(_ALGORITHMS[algorithm], text.encode()).hexdigest()


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "partition": lambda items, size: [items[at : at + size] for at in range(0, len(items), size)] or None,
    "range": _range,
    "hash": _hash,
    "uuid": lambda: str(uuid.uuid4()),
    "random": _random,
    "parse": _parse,
}
