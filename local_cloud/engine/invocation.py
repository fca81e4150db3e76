"""The integration `lambda:invoke`: calls the Lambda service in process.

A function's ARN says whose it is; a bare name is one of the account that the task acts in.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
The result has ExecutedVersion, Payload and StatusCode; AWS adds the HTTP and SDK metadata, which we do not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moto.awslambda.utils import get_backend
from moto.core.exceptions import JsonRESTError

from local_cloud.engine.errors import RUNTIME, Failure
from local_cloud.engine.payload import encode

if TYPE_CHECKING:
    from local_cloud.engine.expression import Json
    from local_cloud.engine.roles import Roles
    from local_cloud.engine.world import Call

_STATUS = {"RequestResponse": 200, "Event": 202, "DryRun": 204}


@dataclass(frozen=True, kw_only=True)
class LambdaInvocation:
    """Invokes functions for the state machines of one account and region."""

    roles: Roles
    region: str

    def __call__(self, call: Call) -> Json:
        """Return what the function gave; raises Failure with its error, or with `Lambda.<service error>`."""
        arguments = call.arguments
        name = str(arguments["FunctionName"])
        kind = arguments.get("InvocationType", "RequestResponse")
        if kind not in _STATUS:
            raise Failure(RUNTIME, f"InvocationType must be one of {', '.join(_STATUS)}, not {kind!r}")
        headers: dict[str, str] = {}
        body = self._invoke(name, call, kind, headers)
        if "x-amz-function-error" in headers:
            raise _function_failure(body)
        version = headers.get("x-amz-executed-version", "$LATEST")
        return {"ExecutedVersion": version, "Payload": _payload(body), "StatusCode": _STATUS[kind]}

    def _invoke(self, name: str, call: Call, kind: str, headers: dict[str, str]) -> str:
        account, region = self._place(name, self.roles.enter(call))
        arguments = call.arguments
        body = encode(arguments.get("Payload", {}))
        request = {"X-Amz-Invocation-Type": kind}
        try:
            reply = get_backend(account, region).invoke(
                name, arguments.get("Qualifier"), body, request, headers
            )
        except JsonRESTError as error:
            msg = f"Lambda.{error.error_type}"
            raise Failure(msg, f"{error.message} (Service: Lambda)") from None
        return reply.decode() if isinstance(reply, bytes) else str(reply or "")

    def _place(self, name: str, account: str) -> tuple[str, str]:
        parts = name.split(":")
        return (parts[4], parts[3]) if name.startswith("arn:") and len(parts) > 6 else (account, self.region)


def _function_failure(body: str) -> Failure:
    try:
        error = json.loads(body)["errorType"]
    except (ValueError, KeyError, TypeError):
        error = "Exception"
    return Failure(str(error), body)


def _payload(body: str) -> Json:
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return body
