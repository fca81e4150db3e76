"""What of an Invoke request is read here: moto takes its qualifier for a key of the event.

Facts: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias
from unittest.mock import patch

from moto.awslambda.responses import LambdaResponse
from moto.core.exceptions import JsonRESTError

Tell: TypeAlias = Callable[[str, bool], None]
"""Gets a response and whether it is an error, in some thread."""
_answer = LambdaResponse.invoke


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


def _invoke(response: LambdaResponse) -> Any:  # noqa: ANN401 - moto's
    response.querystring["qualifier"] = response.querystring.get("Qualifier", [None])
    return _answer(response)
