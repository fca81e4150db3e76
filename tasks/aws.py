"""AWS clients: made when first needed, kept for the life of the Lambda, the only place that imports boto3.

`client("dynamodb")` acts in the orchestrator's account; `client("s3", usecase, run)` acts in the use case's
account, by its role and ExternalId, under a session name that tells CloudTrail which run it was.
"""

from __future__ import annotations

import gc
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from tasks.errors import CapacityError, TaskError, TaskInputError, TransientError

if TYPE_CHECKING:
    from tasks.event import Run, UseCase

ACTIONS = ("sts:AssumeRole",)

Client: TypeAlias = Any
"""A boto3 client: its methods are made at run time."""

_RENEW_SECONDS = 600
"""A session is replaced this long before it ends, so that no call starts with keys about to expire."""

TRANSIENT = frozenset(
    (
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "InternalServerException",
        "InternalServiceException",
        "OperationAborted",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServerException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    )
)
CAPACITY = frozenset(
    (
        "InsufficientCapacityException",
        "LimitExceeded",
        "LimitExceededException",
        "ResourceLimitExceeded",
        "ServiceQuotaExceededException",
    )
)

_clients: dict[tuple[str, ...], tuple[Client, float]] = {}
_lock = threading.Lock()


def client(
    service: str, usecase: UseCase | None = None, run: Run | None = None, *, region: str = ""
) -> Client:
    """Return the client of `service` in the use case's account, or in the orchestrator's when there is none.

    `region` is that of a resource in the latter, where it is not the platform's. Raises TaskInputError when
    the use case's role cannot be assumed.
    """
    key = (
        (service, region)
        if usecase is None
        else (service, usecase.role_arn, usecase.external_id, usecase.region, session_name(run))
    )
    with _lock:
        made, expires = _clients.get(key, (None, 0.0))
        if made is None or expires - time.time() < _RENEW_SECONDS:
            with _no_collection():
                made, expires = _connect(service, usecase, run, region)
            _clients[key] = (made, expires)
        return made


def forget() -> None:
    """Drop every client, so that the next call makes new ones: for who changes credentials or regions."""
    with _lock:
        _clients.clear()


def session_name(run: Run | None) -> str:
    """Return the role session's name, which tells the run; STS takes [\\w+=,.@-]{2,64}."""
    name = f"edgepipe-{run.id}" if run else "edgepipe"
    return re.sub(r"[^\w+=,.@-]", "-", name, flags=re.ASCII)[:64]


def ask(method: Callable[..., Any], request: Mapping[str, Any], *, unless: tuple[str, ...]) -> Any:  # noqa: ANN401 - a reply's shape is the method's
    """Return the reply to `method(**request)`, or None for a service error whose code is in `unless`."""
    try:
        return method(**request)
    except Exception as error:
        if error_code(error) not in unless:
            raise
        return None


def error_code(error: BaseException) -> str:
    """Return the service's error code of a botocore ClientError, or nothing for any other error."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, Mapping) else ""


def translate(error: BaseException) -> TaskError | None:
    """Return the task error that stands for a botocore error, or None when it is none of botocore's."""
    code = error_code(error)
    if code:
        return _translate_answer(code, error)
    from botocore.exceptions import BotoCoreError, HTTPClientError, IncompleteReadError
    from botocore.exceptions import ConnectionError as BotoConnectionError

    # A body is read after its call has been answered, so a broken one shows as IncompleteReadError.
    broken = (BotoConnectionError, HTTPClientError, IncompleteReadError, ConnectionError, TimeoutError)
    if isinstance(error, broken):
        return TransientError(f"the connection to AWS failed: {error}")
    return (
        TaskInputError(f"the call to AWS cannot be made: {error}")
        if isinstance(error, BotoCoreError)
        else None
    )


def _translate_answer(code: str, error: BaseException) -> TaskError:
    response: Mapping[str, Any] = getattr(error, "response", {})
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in CAPACITY:
        return CapacityError(f"AWS has no capacity or quota left: {error}")
    if code in TRANSIENT or status >= 500 or status == 429:
        return TransientError(f"AWS could not answer now: {error}")
    return TaskInputError(f"AWS refused: {error}")


@contextmanager
def _no_collection() -> Iterator[None]:
    """Keep Python's collector from the SDK that the block imports: it lives as long as the Lambda."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def _connect(service: str, usecase: UseCase | None, run: Run | None, region: str) -> tuple[Client, float]:
    from boto3.session import Session
    from botocore.config import Config

    config = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=5,
        read_timeout=60,
        max_pool_connections=16,
        user_agent_extra="edgepipe",
    )
    if usecase is None:
        here = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
        return Session(region_name=here).client(service, config=config), float("inf")
    keys = _assume(usecase, run, Session(region_name=usecase.region).client("sts", config=config))
    session = Session(
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        region_name=usecase.region,
    )
    return session.client(service, config=config), keys["Expiration"].timestamp()


def _assume(usecase: UseCase, run: Run | None, sts: Client) -> Mapping[str, Any]:
    request = {
        "RoleArn": usecase.role_arn,
        "RoleSessionName": session_name(run),
        "ExternalId": usecase.external_id,
    }
    reply = ask(sts.assume_role, request, unless=("AccessDenied", "AccessDeniedException"))
    if reply is None:
        message = (
            f"cannot assume {usecase.role_arn} of use case {usecase.id!r}; let its trust policy name this "
            "handler's role and the ExternalId with which the use case is registered"
        )
        raise TaskInputError(message)
    keys: Mapping[str, Any] = reply["Credentials"]
    return keys
