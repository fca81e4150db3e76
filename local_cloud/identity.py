"""STS that looks at whom a role trusts; moto hands every role to everybody, also roles that do not exist.

Who calls is known by the access key (a session's or a user's), or inside this process by the function that
calls. Keys that moto does not know stand for the person at this machine: a user of the orchestrator account.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from moto.core.exceptions import AccessDeniedError
from moto.core.utils import utcnow
from moto.iam.models import iam_backends
from moto.sts import urls
from moto.sts.exceptions import STSValidationError
from moto.sts.models import STSBackend, sts_backends
from moto.sts.responses import TokenResponse
from moto.utilities.utils import get_partition

from local_cloud.context import PRINCIPAL_HEADER
from local_cloud.trust import ACTION, Caller, allows

if TYPE_CHECKING:
    from moto.core.responses import ActionResult

    from local_cloud.context import Context


class IdentityResponse(TokenResponse):
    """STS where it gives credentials; the rest is moto's."""

    def assume_role(self) -> ActionResult:
        """Give a session of a role to a caller whom it trusts."""
        arn = str(self._get_param("RoleArn"))
        caller = self._caller()
        policy = _trust_policy(arn)
        if policy is None or not allows(policy, caller, self._get_param("ExternalId")):
            # AWS says the same of a role that does not exist, so that nobody can ask which ones do.
            raise AccessDeniedError(user_arn=caller.arn, action=f"{ACTION} on resource: {arn}")
        _forget_expired(sts_backends[arn.split(":")[4]][self.partition])
        return super().assume_role()

    def assume_role_with_web_identity(self) -> ActionResult:
        """Refuse: the local cloud knows no identity providers."""
        return self._refuse("AssumeRoleWithWebIdentity")

    def assume_role_with_saml(self) -> ActionResult:
        """Refuse as above."""
        return self._refuse("AssumeRoleWithSAML")

    def _refuse(self, action: str) -> ActionResult:
        message = f"The local cloud knows no identity providers and cannot carry out {action}; use AssumeRole"
        raise STSValidationError(message)

    def _caller(self) -> Caller:
        named = self.headers.get(PRINCIPAL_HEADER)
        if named:
            return Caller(account=self.current_account, arn=named)
        _, arn, account = self.backend.get_caller_identity(self.get_access_key(), self.region)
        return Caller(account=account, arn=arn)


class Identity:
    """The installed service."""

    def __init__(self) -> None:
        self._patches: list[Any] = [patch.dict(urls.url_paths, {"{0}/$": IdentityResponse.dispatch})]

    def open(self) -> None:
        """Put the service behind moto's STS API."""
        for each in self._patches:
            each.start()

    def close(self) -> None:
        """Give the API back to moto; may be repeated."""
        patches, self._patches = self._patches, []
        for each in patches:
            each.stop()


def install(_context: Context) -> Identity:
    """Check trust in every account; call it before `mock_aws().start()`."""
    identity = Identity()
    identity.open()
    return identity


def session_arn(role_arn: str, session: str) -> str:
    """Return the ARN of a role's session."""
    partition, account, name = role_arn.split(":")[1], role_arn.split(":")[4], role_arn.rsplit("/", 1)[-1]
    return f"arn:{partition}:sts::{account}:assumed-role/{name}/{session}"


def _trust_policy(arn: str) -> str | None:
    parts = arn.split(":")
    if len(parts) != 6 or parts[2] != "iam" or parts[4] not in list(iam_backends):
        return None
    roles = iam_backends[parts[4]][get_partition("us-east-1")].get_roles()
    return next((str(role.assume_role_policy_document) for role in roles if role.arn == arn), None)


def _forget_expired(backend: STSBackend) -> None:
    """Drop sessions that have ended: the state that is kept would grow with every one."""
    now = utcnow()
    keys = iam_backends[backend.account_id][backend.partition].access_keys
    for role in [one for one in backend.assumed_roles if one.expiration < now]:
        backend.assumed_roles.remove(role)
        keys.pop(role.access_key_id, None)
