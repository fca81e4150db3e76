"""What AWS answers beside the good case: service errors, and one page at a time."""

from __future__ import annotations

from typing import Any, NoReturn

from botocore.exceptions import ClientError


def service_error(
    code: str, operation: str = "Operation", status: int = 400, message: str = ""
) -> ClientError:
    error = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(error, operation)


def refuse(code: str, *, status: int = 400, message: str = "") -> NoReturn:
    raise service_error(code, status=status, message=message)


def page_of(key: str, items: list[Any], token: str) -> dict[str, Any]:
    """Return one page, of one item: whoever forgets to page sees only the first."""
    start = int(token)
    reply: dict[str, Any] = {key: items[start : start + 1]}
    return reply | ({"nextToken": str(start + 1)} if start + 1 < len(items) else {})
