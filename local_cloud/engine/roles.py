"""In whose name a task calls a service: the machine's role, or the one in its `Credentials`.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-access-cross-acct-resources.html
The machine's role assumes the other one through STS, for each task anew, so that what STS refuses fails the
task. What the machine's role itself may do is not looked at.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_cloud.engine.errors import PERMISSIONS, Failure
from local_cloud.identity import session_arn

if TYPE_CHECKING:
    from local_cloud.context import Context
    from local_cloud.engine.world import Call

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/\S+")
_SESSION = "step-functions"
_SPARE = timedelta(minutes=5)
"""How long a session must still last for a call to be made in it."""


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The clients of one machine's account; safe to share between threads."""

    context: Context
    account: str
    _clients: dict[tuple[str, str, str], tuple[Any, datetime]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def client(self, service: str, call: Call) -> Any:  # noqa: ANN401 - a boto3 client
        """Return a client that acts as the task does; raises Failure if STS refuses its role."""
        if call.role is None:
            return self._own(service, call)
        session = self._assume(call, call.role)
        key = (service, call.role, call.machine_role)
        with self._lock:
            kept = self._clients.get(key)
            if kept is None or kept[1] < datetime.now(UTC) + _SPARE:
                kept = _connect(service, self.context.region, session), session["Expiration"]
                self._clients[key] = kept
            return kept[0]

    def enter(self, call: Call) -> str:
        """Return the account that a task acts in, its role assumed; raises Failure as above."""
        if call.role is None:
            return self.account
        self._assume(call, call.role)
        return account_of(call.role)

    def _own(self, service: str, call: Call) -> Any:  # noqa: ANN401 - as above
        return self.context.client_of(session_arn(call.machine_role, _SESSION), service, self.account)

    def _assume(self, call: Call, role: str) -> dict[str, Any]:
        account_of(role)
        try:
            reply = self._own("sts", call).assume_role(RoleArn=role, RoleSessionName=_SESSION)
        except ClientError as error:
            message = str(error.response.get("Error", {}).get("Message", error))
            cause = f"The role {role} is not authorized to be assumed by the task state's role: {message}"
            raise Failure(PERMISSIONS, cause) from None
        return dict(reply["Credentials"])


def account_of(role: str) -> str:
    """Return the account in a role's ARN; raises Failure where the text is no such ARN."""
    match = _ROLE.fullmatch(role)
    if match is None:
        raise Failure(PERMISSIONS, f"Credentials: '{role}' is not the ARN of an IAM role")
    return match[1]


def _connect(service: str, region: str, keys: dict[str, Any]) -> Any:  # noqa: ANN401 - a boto3 client
    import boto3

    return boto3.client(
        service,
        region_name=region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
