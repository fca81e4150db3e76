"""Who talks to AWS, and where: profiles, regions and endpoints as in the AWS CLI, and roles to enter by."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from operations.errors import OperationError, error_code

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipelines.usecase import UseCase

Client: TypeAlias = Any
"""A boto3 client: its methods are made at run time."""

_DENIED = frozenset(("AccessDenied", "AccessDeniedException"))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the user chose; everything left out is found as the AWS CLI finds it.

    `account` is the only one that anything may be done in, or empty.
    """

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    account: str | None = None


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whose credentials these are."""

    account: str
    arn: str
    region: str

    def __str__(self) -> str:
        """Return the line that a person checks."""
        return f"account {self.account}, region {self.region}, as {self.arn}"


@dataclass(kw_only=True)
class Aws:
    """One session; `client` acts as the caller, `enter` gives the session of a role in another account."""

    session: Any
    region: str
    endpoint_url: str | None
    _clients: dict[str, Client] = field(default_factory=dict)

    def client(self, service: str) -> Client:
        """Return a service's client; made once."""
        if service not in self._clients:
            from botocore.config import Config

            config = Config(
                retries={"mode": "standard", "total_max_attempts": 5}, user_agent_extra="edgepipe"
            )
            self._clients[service] = self._connect(service, config)
        return self._clients[service]

    def _connect(self, service: str, config: object) -> Client:
        from botocore.exceptions import BotoCoreError

        try:
            return self.session.client(
                service, region_name=self.region, endpoint_url=self.endpoint_url, config=config
            )
        except BotoCoreError:  # some are ValueErrors, and are explained elsewhere
            raise
        except ValueError as error:  # botocore's, about an address that is none
            message = f"{error}: --endpoint-url, AWS_ENDPOINT_URL and the profile take http(s)://HOST[:PORT]"
            raise OperationError(message) from error

    def caller(self) -> Caller:
        """Ask AWS whose credentials these are."""
        found = self.client("sts").get_caller_identity()
        return Caller(account=found["Account"], arn=found["Arn"], region=self.region)

    def assume(self, role_arn: str, external_id: str, *, region: str) -> Aws:
        """Return the session of a role; raises botocore's ClientError where it does not let us in."""
        from boto3.session import Session

        reply = self.client("sts").assume_role(
            RoleArn=role_arn, ExternalId=external_id, RoleSessionName="edgepipe-cli"
        )
        keys = reply["Credentials"]
        session = Session(
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
            aws_session_token=keys["SessionToken"],
            region_name=region,
        )
        return Aws(session=session, region=region, endpoint_url=self.endpoint_url)

    def enter(self, usecase: UseCase) -> Aws:
        """Return the session of a use case's role for commands. Raises OperationError."""
        try:
            return self.assume(usecase.operator, usecase.external_id, region=usecase.region)
        except Exception as error:
            if error_code(error) not in _DENIED:
                raise
            message = (
                f"{usecase.operator} does not let us in: its trust policy must name this caller and the "
                f"ExternalId of usecases/{usecase.id}.yaml. Deploy the account's stack again: "
                f"edgepipe usecase register {usecase.id}"
            )
            raise OperationError(message) from error


def connect(
    settings: Settings, *, region: str | None = None, environ: Mapping[str, str] | None = None
) -> Aws:
    """Open a session; `region` is where to go when the user has not chosen. Raises OperationError."""
    from boto3.session import Session

    session = Session(profile_name=settings.profile)
    chosen = settings.region or (environ or os.environ).get("AWS_REGION") or session.region_name or region
    if not chosen:
        message = "no AWS region is known. Give one with --region, AWS_REGION or in the profile"
        raise OperationError(message)
    return Aws(session=session, region=chosen, endpoint_url=settings.endpoint_url)


def open_orchestrator(
    settings: Settings, usecase: UseCase | None, say: Callable[[str], None]
) -> tuple[Aws, Caller]:
    """Open a session in the orchestrator's account, show which it is, and refuse any other.

    The expected account is the use case's orchestrator's, or `settings.account`; with neither, it is only
    shown. Raises OperationError.
    """
    there = usecase.orchestrator if usecase else None
    aws = connect(settings, region=there.region if there else None)
    caller = aws.caller()
    say(f"AWS: {caller}")
    if usecase:
        _check_account(caller, usecase.orchestrator.account, f"use case '{usecase.id}' is run from there")
        _check_region(caller, usecase)
    if settings.account:
        _check_account(caller, settings.account, "--account says so")
    return aws, caller


def check_account(
    settings: Settings, *, account: str, region: str, what: str, option: str, say: Callable[[str], None]
) -> tuple[Aws, Caller]:
    """Show whose credentials something is about to be done with, and refuse those of any other account.

    `option` is the one that chooses them. Returns the session. Raises OperationError.
    """
    aws = connect(settings, region=region)
    caller = aws.caller()
    say(f"AWS: {what}: {caller}")
    if caller.account != account:
        message = (
            f"{what} goes into account {account}, and these credentials are of {caller.account}: "
            f"give {option} with a profile of {account}"
        )
        raise OperationError(message)
    return aws, caller


def _check_account(caller: Caller, expected: str, reason: str) -> None:
    if caller.account != expected:
        message = (
            f"these credentials are of account {caller.account}, not {expected} ({reason}): "
            f"use a --profile of {expected}"
        )
        raise OperationError(message)


def _check_region(caller: Caller, usecase: UseCase) -> None:
    region = usecase.orchestrator.region
    if caller.region != region:
        message = (
            f"the platform of use case '{usecase.id}' is in {region}, not {caller.region}: "
            f"give --region {region}"
        )
        raise OperationError(message)


def ask(method: Callable[..., Any], *absent: str, **request: Any) -> Any:  # noqa: ANN401 - a reply
    """Return the reply, or None where the service answers with one of the codes in `absent`."""
    from botocore.exceptions import ClientError

    try:
        return method(**request)
    except ClientError as error:
        if error_code(error) not in absent:
            raise
        return None
