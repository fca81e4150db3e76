"""What AWS refuses, said in one line that names the remedy."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from operations.session import Settings

_EXPIRED = frozenset(
    (
        "ExpiredToken",
        "ExpiredTokenException",
        "RequestExpired",
        "TokenRefreshRequired",
        "UnauthorizedSSOTokenError",
    )
)
_UNKNOWN = frozenset(
    (
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "AuthFailure",
    )
)
DENIED = frozenset(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "Forbidden"))
_BUSY = frozenset(
    ("Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown", "RequestLimitExceeded")
)
_SIGN_IN = frozenset(
    (
        "SSOTokenLoadError",
        "UnauthorizedSSOTokenError",
        "TokenRetrievalError",
        "CredentialRetrievalError",
        "SSOError",
        "LoginRefreshRequired",
        "RefreshWithMFAUnsupportedError",
    )
)
_NO_ANSWER = frozenset(
    (
        "EndpointConnectionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "ProxyConnectionError",
        "SSLError",
        "ConnectionClosedError",
    )
)


class OperationError(Exception):
    """Something outside of the spec is in the way; the message is one line and names the remedy."""


def error_code(error: BaseException) -> str:
    """Return the service's error code of a botocore ClientError, or nothing for any other error."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def error_message(error: BaseException) -> str:
    """Return what the service said in a botocore ClientError, or the text of any other error."""
    response: Mapping[str, Any] = getattr(error, "response", None) or {}
    said = response.get("Error", {}).get("Message") if isinstance(response, dict) else None
    return str(said or error)


@contextmanager
def explained(settings: Settings) -> Iterator[None]:
    """Turn botocore's errors into OperationErrors that name the remedy."""
    try:
        from botocore.exceptions import BotoCoreError, ClientError
    except ModuleNotFoundError as error:
        message = "working on AWS needs boto3, which is not installed: pip install 'edgepipe[aws]'"
        raise OperationError(message) from error
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise OperationError(explain(error, settings)) from error


def explain(error: Exception, settings: Settings) -> str:
    """Return one line about a botocore error."""
    code = error_code(error)
    line = _explain_answer(code, error, settings) if code else _explain_local(error, settings)
    return " ".join(line.split())


def _explain_answer(code: str, error: Exception, settings: Settings) -> str:
    if code in _EXPIRED:
        return f"the credentials have expired. {sign_in(settings)}"
    if code in _UNKNOWN:
        return f"AWS does not know these credentials ({code}). {sign_in(settings)}"
    operation = getattr(error, "operation_name", "a call")
    words = str(getattr(error, "response", {}).get("Error", {}).get("Message", "")) or str(error)
    if code in DENIED:
        return f"AWS does not allow {operation}: {words}. Ask for that right, or use another --profile"
    if code in _BUSY:
        return f"AWS is busy and did not answer {operation} ({code}). Run the same command again"
    return f"AWS refused {operation} ({code}): {words}"


def _explain_local(error: Exception, settings: Settings) -> str:
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError"):
        return f"there are no AWS credentials. {sign_in(settings)}"
    if name in _SIGN_IN:
        return f"the sign-in has ended. {sign_in(settings)}"
    if name == "ProfileNotFound":
        return f"{error}. `aws configure list-profiles` names those that are there"
    if name in ("NoRegionError", "InvalidRegionError"):
        wrong = "no AWS region is known." if name == "NoRegionError" else str(error)
        return f"{wrong} Give one with --region, AWS_REGION or in the profile"
    if name in _NO_ANSWER:
        return f"AWS did not answer: {error}. Look at the network, the region and --endpoint-url"
    return f"the call to AWS could not be made: {error}"


def sign_in(settings: Settings) -> str:
    """Return the sentence that says how to get credentials."""
    profile = f" --profile {settings.profile}" if settings.profile else ""
    return f"Sign in with `aws sso login{profile}` (or `aws configure{profile}`), or give another --profile"
