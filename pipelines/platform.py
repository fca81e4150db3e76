"""What the platform is called and shaped like in every account: stacks make it, the CLI finds it by name.

Names are fixed, so that a role in one account can trust a role in another before anything is looked up. There
is one platform in an orchestrator account.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from pipelines import availability
from pipelines.kinds import STEP_KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping

JOBS_TABLE = "edgepipe-jobs"
JOBS_TABLE_SCHEMA: Mapping[str, Any] = {
    "BillingMode": "PAY_PER_REQUEST",
    "AttributeDefinitions": [
        {"AttributeName": "job_key", "AttributeType": "S"},
        {"AttributeName": "open", "AttributeType": "S"},
    ],
    "KeySchema": [{"AttributeName": "job_key", "KeyType": "HASH"}],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "open-jobs",
            "KeySchema": [
                {"AttributeName": "open", "KeyType": "HASH"},
                {"AttributeName": "job_key", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
}
"""The table of open jobs as CreateTable takes it, but for its name; the index holds the open ones only."""

RUNTIME = "python3.13"
ARCHITECTURE = "arm64"
FUNCTION_SECONDS = 900
"""What every handler may take: the longest that Lambda allows."""
SERVICE_FUNCTIONS: Mapping[str, str] = {
    "events": "tasks.events.handler",
    "judge": "tasks.judge.handler",
    "sweeper": "tasks.sweeper.handler",
}
"""The functions beside the kinds': name → handler."""

BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
"""Where `cdk bootstrap` leaves its version (docs.aws.amazon.com/cdk/v2/guide/bootstrapping-env.html)."""

LIVE = "live"
"""The alias of a state machine on which runs start; `rollback` moves it back."""
EVENT_BUS = "edgepipe"
"""The orchestrator's bus, which use-case accounts forward their events to."""

_LONGEST_FUNCTION = 64


def kind_functions() -> dict[str, str]:
    """Return the name and the handler of each kind's function; a custom step brings its own."""
    return {
        name: kind.handler
        for name, kind in STEP_KINDS.items()
        if not kind.own_function and name not in availability.KINDS
    }


def function_name(name: str) -> str:
    """Return the Lambda function's name for a kind or a service."""
    return f"edgepipe-{name}"


def custom_function_name(pipeline: str, step: str) -> str:
    """Return the Lambda function's name for a custom step, which is its pipeline's alone."""
    name = f"edgepipe-{pipeline}-{step}"
    if len(name) <= _LONGEST_FUNCTION:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_FUNCTION - 9]}-{digest}"


def function_role_name(name: str) -> str:
    """Return the role of a kind's or a service's function; all custom steps share that of `custom`."""
    return f"edgepipe-function-{name}"


def machine_name(pipeline: str) -> str:
    """Return the state machine's name."""
    return f"edgepipe-{pipeline}"


def machine_role_name(pipeline: str) -> str:
    """Return the role that the state machine runs under."""
    return f"edgepipe-machine-{pipeline}"
