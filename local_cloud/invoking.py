"""Invoke's request as it is read here, and its response as it is written.

Moto takes the request's qualifier for a key of the event.
Facts: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeAlias
from unittest.mock import patch

from moto.awslambda.responses import LambdaResponse
from moto.core.exceptions import JsonRESTError

Tell: TypeAlias = Callable[[str, bool], None]
"""Gets a response and whether it is an error, in some thread."""
MAX_RESPONSE = 6_291_556
"""Bytes of a synchronous response."""
_answer = LambdaResponse.invoke


class FunctionError(Exception):
    """A failed invocation, shaped as the caller sees it."""

    def __init__(self, kind: str, message: str, frames: list[str] | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.frames = frames or []

    def payload(self, request_id: str) -> str:
        """Return the invocation's response."""
        shape = {"errorMessage": self.message, "errorType": self.kind, "requestId": request_id}
        return json.dumps({**shape, "stackTrace": self.frames}, ensure_ascii=False)


def patched() -> Any:  # noqa: ANN401 - a patch of unittest's, which has no public type
    """Return the patch that makes Invoke heed `Qualifier`."""
    return patch.object(LambdaResponse, "invoke", _invoke)


def read_event(body: str | bytes | None) -> str:
    """Return the event of a request; raises what Lambda answers to one that is no JSON."""
    text = body.decode() if isinstance(body, bytes) else body or "{}"
    try:
        json.loads(text)
    except ValueError as error:
        message = f"Could not parse request body into json: {error}"
        raise JsonRESTError(error_type="InvalidRequestContentException", message=message) from None
    return text


def encode_response(value: object) -> str:
    """Return a handler's result as JSON text; raises FunctionError."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_encode_decimal)
    except (TypeError, ValueError, RecursionError) as error:
        raise FunctionError(
            kind="Runtime.MarshalError", message=f"Unable to marshal response: {error}"
        ) from None
    if len(text.encode(errors="surrogatepass")) > MAX_RESPONSE:
        message = f"Response payload size exceeded maximum allowed payload size ({MAX_RESPONSE} bytes)."
        raise FunctionError(kind="Function.ResponseSizeTooLarge", message=message)
    return text


def _invoke(response: LambdaResponse) -> Any:  # noqa: ANN401 - moto's
    response.querystring["qualifier"] = response.querystring.get("Qualifier", [None])
    return _answer(response)


def _encode_decimal(value: object) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    message = f"Object of type {type(value).__name__} is not JSON serializable"
    raise TypeError(message)
