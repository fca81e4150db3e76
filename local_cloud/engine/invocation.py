"""The integration `lambda:invoke`: calls the Lambda service in process.

A function's ARN says whose it is; a bare name is one of the account that the task acts in.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
The result has ExecutedVersion, Payload and StatusCode; AWS adds the HTTP and SDK metadata, which we do not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from moto.awslambda.utils import get_backend
from moto.core.exceptions import JsonRESTError

from local_cloud.engine.errors import RUNTIME, Failure
from local_cloud.engine.payload import encode
from local_cloud.engine.replies import Outcome
from local_cloud.engine.world import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.engine.expression import Json
    from local_cloud.engine.roles import Roles
    from local_cloud.engine.world import Call
    from local_cloud.functions import FunctionsBackend

_STATUS = {"RequestResponse": 200, "Event": 202, "DryRun": 204}


@dataclass(frozen=True, kw_only=True)
class LambdaInvocation(Prompt):
    """Invokes functions for the state machines of one account and region."""

    roles: Roles
    region: str

    def begin(self, call: Call, give: Callable[[Outcome], None]) -> None:
        """Give what the function answers, or a failure with its error; raises `Lambda.<service error>`."""
        arguments = call.arguments
        name, kind = str(arguments["FunctionName"]), arguments.get("InvocationType", "RequestResponse")
        if kind not in _STATUS:
            raise Failure(RUNTIME, f"InvocationType must be one of {', '.join(_STATUS)}, not {kind!r}")
        account, region = self._place(name, self.roles.enter(call))
        functions = cast("FunctionsBackend", get_backend(account, region))
        body = encode(arguments.get("Payload", {}))

        try:
            function = functions.get_function(name, arguments.get("Qualifier"))
            version = str(function.version)

            def tell(text: str, failed: bool) -> None:
                if kind == "RequestResponse":
                    give(_function_failure(text) if failed else _outcome(version, _payload(text), kind))

            if kind != "DryRun":
                functions.begin(function, body, tell)
        except JsonRESTError as error:
            msg = f"Lambda.{error.error_type}"
            raise Failure(msg, f"{error.message} (Service: Lambda)") from None
        if kind != "RequestResponse":
            give(_outcome(version, {}, kind))

    def _place(self, name: str, account: str) -> tuple[str, str]:
        parts = name.split(":")
        return (parts[4], parts[3]) if name.startswith("arn:") and len(parts) > 6 else (account, self.region)


def _outcome(version: str, payload: Json, kind: str) -> Outcome:
    return Outcome(value={"ExecutedVersion": version, "Payload": payload, "StatusCode": _STATUS[kind]})


def _function_failure(body: str) -> Outcome:
    try:
        error = json.loads(body)["errorType"]
    except (ValueError, KeyError, TypeError):
        error = "Exception"
    return Outcome(failure=Failure(str(error), body))


def _payload(body: str) -> Json:
    try:
        return json.loads(body) if body else {}
    except ValueError:
        return body
