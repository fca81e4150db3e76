"""The role that a pipeline's state machine runs under: it may call its functions, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from operations.changes import Change
from operations.session import ask
from pipelines import platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from operations.session import Aws

_POLICY = "edgepipe"
_ABSENT = "NoSuchEntity"


def put_machine_role(aws: Aws, pipeline: str, account: str, functions: Iterable[str]) -> tuple[str, Change]:
    """Create a pipeline's role, or give it the rights that the pipeline needs now; return its ARN."""
    name, client = platform.machine_role_name(pipeline), aws.client("iam")
    found = ask(client.get_role, _ABSENT, RoleName=name)
    if found is None:
        arn = client.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(_trust(account)))["Role"][
            "Arn"
        ]
    else:
        arn = found["Role"]["Arn"]
    wanted = _rights(functions)
    before = ask(client.get_role_policy, _ABSENT, RoleName=name, PolicyName=_POLICY)
    if before is None or _document(before["PolicyDocument"]) != wanted:
        client.put_role_policy(RoleName=name, PolicyName=_POLICY, PolicyDocument=json.dumps(wanted))
        return arn, Change(what=f"role {name}", action="updated" if found else "created")
    return arn, Change(what=f"role {name}", action="unchanged")


def _trust(account: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "states.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _rights(functions: Iterable[str]) -> dict[str, Any]:
    """Allow the functions; a custom step's other versions too, which older versions of the pipeline call."""
    plain = {":".join(arn.split(":")[:7]) for arn in functions}
    versioned = {f"{':'.join(arn.split(':')[:7])}:*" for arn in functions if arn.count(":") > 6}
    statement = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": sorted(plain | versioned)}
    return {"Version": "2012-10-17", "Statement": [statement]}


def _document(found: Any) -> Any:  # noqa: ANN401 - botocore gives a mapping, some servers its text
    return json.loads(found) if isinstance(found, str) else found
