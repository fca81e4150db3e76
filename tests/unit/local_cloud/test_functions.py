from __future__ import annotations

from decimal import Decimal

import pytest

from local_cloud import functions, invoking
from local_cloud.invoking import FunctionError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ({"a": [1, "é"]}, '{"a": [1, "é"]}'),
        (Decimal("5"), "5"),
        ([Decimal("0.5")], "[0.5]"),
    ],
)
def test_a_result_becomes_json(value: object, text: str) -> None:
    assert invoking.encode_response(value) == text


@pytest.mark.parametrize("value", [object(), {1, 2}, float("nan"), b"bytes"])
def test_a_result_that_is_no_json_is_a_marshal_error(value: object) -> None:
    with pytest.raises(FunctionError) as caught:
        invoking.encode_response(value)
    assert caught.value.kind == "Runtime.MarshalError"
    assert caught.value.message.startswith("Unable to marshal response")


def test_a_response_has_a_limit() -> None:
    with pytest.raises(FunctionError) as caught:
        invoking.encode_response("x" * invoking.MAX_RESPONSE)
    assert caught.value.kind == "Function.ResponseSizeTooLarge"


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        ("no_such_package.module.handler", "Runtime.ImportModuleError"),
        ("json.no_such_name", "Runtime.HandlerNotFound"),
        ("json.__name__", "Runtime.HandlerNotFound"),
    ],
)
def test_a_handler_that_cannot_be_found(handler: str, kind: str) -> None:
    with pytest.raises(FunctionError) as caught:
        functions.load_handler(handler)
    assert caught.value.kind == kind
