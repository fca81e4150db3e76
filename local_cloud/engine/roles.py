"""In whose name a task calls a service: the machine's role, or the one in its `Credentials`.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-access-cross-acct-resources.html
A role is really assumed through STS, for each task anew, so that what STS refuses fails the task.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from local_cloud.engine.errors import PERMISSIONS, Failure

if TYPE_CHECKING:
    from local_cloud.context import Context

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/\S+")


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The clients of one machine's account; safe to share between threads."""

    context: Context
    account: str
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def client(self, service: str, role: str | None) -> Any:  # noqa: ANN401 - a boto3 client
        """Return a client that acts as `role`, or as the machine; raises Failure if STS refuses the role."""
        if role is None:
            return self.context.client(service, self.account)
        keys = self._assume(role)
        with self._lock:
            if (service, role) not in self._clients:
                self._clients[(service, role)] = _connect(service, self.context.region, keys)
            return self._clients[(service, role)]

    def enter(self, role: str | None) -> str:
        """Return the account that a task acts in, its role assumed; raises Failure as above."""
        if role is None:
            return self.account
        self._assume(role)
        return account_of(role)

    def _assume(self, role: str) -> dict[str, str]:
        account_of(role)
        sts = self.context.client("sts", self.account)
        try:
            reply = sts.assume_role(RoleArn=role, RoleSessionName="step-functions")
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


def _connect(service: str, region: str, keys: dict[str, str]) -> Any:  # noqa: ANN401 - a boto3 client
    import boto3

    return boto3.client(
        service,
        region_name=region,
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
