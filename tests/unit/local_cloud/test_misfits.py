from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from botocore.parsers import create_parser

from local_cloud import misfits

if TYPE_CHECKING:
    from local_cloud.misfits import Answer

FORM = {"CONTENT_TYPE": "application/x-www-form-urlencoded; charset=utf-8"}


def asked(service: str, body: bytes = b"", **more: str) -> dict[str, Any]:
    scope = f"AWS4-HMAC-SHA256 Credential=KEY/20300101/us-east-1/{service}/aws4_request, SignedHeaders=host"
    plain = {"REQUEST_METHOD": "POST", "PATH_INFO": "/", "CONTENT_LENGTH": str(len(body))}
    return {**plain, "HTTP_AUTHORIZATION": scope, "wsgi.input": io.BytesIO(body), **more}


def parsed(answer: Answer, protocol: str) -> dict[str, Any]:
    """Return the error as botocore reads it."""
    reply = {"status_code": 400, "headers": dict(answer.headers), "body": answer.body}
    found: dict[str, Any] = create_parser(protocol).parse(reply, None)
    return dict(found["Error"])


CASES = [
    (
        asked("sagemaker", HTTP_X_AMZ_TARGET="SageMaker.CreateHub"),
        "json",
        "CreateHub",
        "UnknownOperationException",
    ),
    (asked("iam", b"Action=Invent&Version=1", **FORM), "query", "Invent", "InvalidAction"),
    (asked("ec2", b"Action=Invent&Version=1", **FORM), "ec2", "Invent", "InvalidAction"),
    (asked("sns", QUERY_STRING="Action=Invent"), "query", "Invent", "InvalidAction"),
    (asked("s3", PATH_INFO="/b", REQUEST_METHOD="PUT"), "rest-xml", "PUT /b", "NotImplemented"),
    (asked("route53", PATH_INFO="/x"), "rest-xml", "POST /x", "InvalidAction"),
    (asked("lambda", PATH_INFO="/<new>"), "rest-json", "POST /<new>", "UnknownOperationException"),
]


@pytest.mark.parametrize(("environ", "protocol", "operation", "code"), CASES)
def test_an_operation_that_is_not_there_is_an_error_of_its_service(
    environ: dict[str, Any], protocol: str, operation: str, code: str
) -> None:
    misfit = misfits.read(environ)
    words = f"the local cloud does not emulate {operation} of {misfit.service}"
    found = parsed(misfit.unknown(), protocol)
    assert (found["Code"], found["Message"]) == (code, words)


def test_what_a_model_does_not_allow_is_named() -> None:
    body = b'{"name": 3}'
    environ = asked("states", body, HTTP_X_AMZ_TARGET="AWSStepFunctions.CreateStateMachine")
    found = parsed(misfits.read(environ).broken(KeyError("definition"), "the log"), "json")
    assert found["Code"] == "ValidationException"
    assert 'Missing required parameter in input: "definition"' in found["Message"]
    assert "Invalid type for parameter name" in found["Message"]
    assert environ["wsgi.input"].read() == body


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"text"'])
def test_a_body_that_is_no_request_is_refused(body: bytes) -> None:
    environ = asked("states", body, HTTP_X_AMZ_TARGET="AWSStepFunctions.CreateStateMachine")
    found = parsed(misfits.read(environ).broken(ValueError("no"), "the log"), "json")
    assert found["Code"] == "ValidationException"


def test_what_no_model_explains_is_told_with_the_log() -> None:
    environ = asked("iam", b"Action=CreateRole", **FORM)
    found = parsed(misfits.read(environ).broken(KeyError("x"), "/the/log"), "query")
    assert found["Code"] == "ValidationError"
    assert "CreateRole of iam with this input (KeyError: 'x')" in found["Message"]
    assert "/the/log" in found["Message"]


@pytest.mark.parametrize("words", ["", "Bearer x", "Credential=a/b", "AWS test:signature"])
def test_an_odd_signature_names_no_service(words: str) -> None:
    environ = {**asked("s3"), "HTTP_AUTHORIZATION": words, "CONTENT_LENGTH": ""}
    misfit = misfits.read(environ)
    assert (misfit.service, misfit.body) == ("", b"")


def test_a_large_body_is_left_alone() -> None:
    environ = {**asked("s3", b"abc"), "CONTENT_LENGTH": str(misfits.MAX_BODY + 1)}
    assert misfits.read(environ).body == b""
    assert environ["wsgi.input"].read() == b"abc"
