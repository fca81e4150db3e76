"""errors: each of the errors that a person meets, in one line that names the remedy."""

from __future__ import annotations

import pytest
from botocore import exceptions
from botocore.exceptions import ClientError

from operations.errors import OperationError, explain, explained
from operations.session import Settings

SETTINGS = Settings(profile="factory")


def answer(code: str, message: str = "said\nso") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStateMachine")


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (answer("ExpiredToken"), "aws sso login --profile factory"),
        (answer("ExpiredTokenException"), "aws sso login --profile factory"),
        (answer("InvalidClientTokenId"), "aws sso login --profile factory"),
        (answer("AccessDeniedException"), "use another --profile"),
        (answer("ThrottlingException"), "Run the same command again"),
        (answer("Strange"), "AWS refused DescribeStateMachine (Strange): said so"),
        (exceptions.NoCredentialsError(), "there are no AWS credentials. Sign in with"),
        (exceptions.ProfileNotFound(profile="factory"), "aws configure list-profiles"),
        (exceptions.NoRegionError(), "no AWS region is known. Give one with --region"),
        (exceptions.InvalidRegionError(region_name="a b"), "'a b'"),
        (exceptions.EndpointConnectionError(endpoint_url="https://x"), "--endpoint-url"),
        (exceptions.SSOTokenLoadError(error_msg="gone"), "aws sso login --profile factory"),
        (exceptions.UnauthorizedSSOTokenError(), "aws sso login --profile factory"),
    ],
)
def test_the_remedy_is_named_on_one_line(error: Exception, remedy: str) -> None:
    line = explain(error, SETTINGS)
    assert remedy in line
    assert "\n" not in line


def test_other_errors_pass() -> None:
    with pytest.raises(ZeroDivisionError), explained(SETTINGS):
        _ = 1 // 0
    with pytest.raises(OperationError, match="no AWS region"), explained(SETTINGS):
        raise exceptions.NoRegionError
