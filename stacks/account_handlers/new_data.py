"""Starts a pipeline when enough new objects lie under a prefix: the `new_data` trigger of a spec.

It looks every few minutes instead of counting events, so that none can be lost or count twice. Its memory is
the list of executions: an object is new if it came after the last run that this trigger started. The name of
a run is made of that run's, so that two looks at once start one.

What it is called with: {"Machine", "Alias", "RoleArn", "ExternalId", "Region", "Bucket", "Prefix",
"MinObjects"}.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from .entrance import enter

if TYPE_CHECKING:
    from collections.abc import Mapping

STARTED_BY_DATA = "new-data-"


def look(states: Any, s3: Any, event: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401 - boto3 clients
    """Start a run if there is enough; return {"objects": how many are new, "started": its name, or none}."""
    last = _last_run(states, event)
    count = _count_new(s3, event, last)
    if count < int(event["MinObjects"]):
        return {"objects": count, "started": None}
    seed = f"{event['Bucket']}/{event['Prefix']}/{last['name'] if last else ''}"
    name = STARTED_BY_DATA + _own(event) + hashlib.sha256(seed.encode()).hexdigest()[:32]
    try:
        states.start_execution(stateMachineArn=event["Alias"], name=name, input="{}")
    except Exception as error:
        code = getattr(error, "response", {}).get("Error", {}).get("Code")
        if code != "ExecutionAlreadyExists":
            raise
    return {"objects": count, "started": name}


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Look once."""
    import boto3

    s3 = enter(event).client("s3", region_name=event["Region"])
    return look(boto3.client("stepfunctions"), s3, event)


def _own(event: Mapping[str, Any]) -> str:
    """Return what tells this trigger's runs from those of the pipeline's other ones."""
    place = f"{event['Bucket']}/{event['Prefix']}"
    return hashlib.sha256(place.encode()).hexdigest()[:8] + "-"


def _last_run(states: Any, event: Mapping[str, Any]) -> Mapping[str, Any] | None:  # noqa: ANN401 - a boto3 client
    """Return the newest execution that this trigger started; Step Functions lists the newest first."""
    mine = STARTED_BY_DATA + _own(event)
    pages = states.get_paginator("list_executions").paginate(stateMachineArn=event["Machine"])
    return next(
        (each for page in pages for each in page["executions"] if each["name"].startswith(mine)), None
    )


def _count_new(s3: Any, event: Mapping[str, Any], last: Mapping[str, Any] | None) -> int:  # noqa: ANN401 - a boto3 client
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=event["Bucket"], Prefix=event["Prefix"])
    since = last["startDate"] if last else None
    return sum(
        1
        for page in pages
        for item in page.get("Contents", ())
        if item["Size"] and (since is None or item["LastModified"] > since)
    )
