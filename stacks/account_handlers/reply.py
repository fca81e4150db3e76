"""The edge of a custom resource: CloudFormation gets an answer whatever happens, or it would wait for hours.

docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

Event = Mapping[str, Any]
Send = Callable[[str, bytes], None]

MAX_REASON = 1_000


def answered(work: Callable[[Event], str]) -> Callable[[Event, object], None]:
    """Return the Lambda handler around `work`, which returns the resource's physical id.

    An error of `work` is CloudFormation's to show; one of sending is raised, so that Lambda tries again.
    """

    def handler(event: Event, _context: object) -> None:
        answer(event, work, send)

    return handler


def answer(event: Event, work: Callable[[Event], str], send: Send) -> None:
    """Do the work that an event asks for and send the reply."""
    try:
        reply = {"Status": "SUCCESS", "PhysicalResourceId": work(event)}
    except Exception as error:  # CloudFormation must hear of it, whatever it is
        known = str(event.get("PhysicalResourceId") or event["LogicalResourceId"])
        reason = f"{type(error).__name__}: {error}"[:MAX_REASON]
        reply = {"Status": "FAILED", "PhysicalResourceId": known, "Reason": reason}
    same = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    send(str(event["ResponseURL"]), json.dumps({**same, **reply}).encode())


def send(url: str, body: bytes) -> None:
    """Put the reply where CloudFormation waits for it; raises ValueError for any address but https."""
    if not url.startswith("https://"):
        message = "CloudFormation's reply address is no https address"
        raise ValueError(message)
    request = urllib.request.Request(url, data=body, method="PUT", headers={"Content-Type": ""})  # noqa: S310 - https, above
    with urllib.request.urlopen(request, timeout=30):  # noqa: S310 - https, above
        pass
