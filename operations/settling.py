"""Calls that name a role which may be a moment old: AWS's services learn of roles one after the other.

IAM is eventually consistent (docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html). Step Functions and
Lambda try at once whether they may assume a role, and say that they may not where it has not reached them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from operations.errors import OperationError, error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

WAITS = (1, 2, 4, 8, 15, 15, 15)
"""Seconds between the attempts: a minute in all."""

_UNKNOWN_YET: Mapping[str, str] = {
    "AccessDeniedException": "is authorized to assume the provided role",
    "InvalidParameterValueException": "cannot be assumed by Lambda",
}
"""Step Functions' and Lambda's error code → words of its message. The codes alone mean other things too."""


def is_unknown_yet(error: BaseException) -> bool:
    """Say whether a service refused a role because it may not know it yet."""
    words = _UNKNOWN_YET.get(error_code(error))
    return words is not None and words in str(error)


def patiently(call: Callable[..., Any], **request: Any) -> Any:  # noqa: ANN401 - a reply
    """Make a call until the service knows the role that it names. Raises OperationError after a minute."""
    for wait in WAITS:
        try:
            return call(**request)
        except Exception as error:
            if not is_unknown_yet(error):
                raise
            time.sleep(wait)
    try:
        return call(**request)
    except Exception as error:
        if not is_unknown_yet(error):
            raise
        message = (
            f"{error}: it stayed so for a minute. A new role may take longer: run the same command again; "
            "if that does not help, its trust policy is wrong"
        )
        raise OperationError(" ".join(message.split())) from error
