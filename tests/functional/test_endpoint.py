"""The endpoint of local serve: what it refuses, and in which words."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.functional.served import HERE, THERE, Served, client, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as place:
        yield place


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {"Host": "evil.example"}),
        ("/", {"Host": "127.0.0.1.evil.example"}),
        ("/", {"Origin": "http://evil.example"}),
        ("/", {"Origin": "null"}),
        ("/?Action=ListQueues", {"Sec-Fetch-Site": "cross-site"}),
        ("/moto-api/", {}),
        ("/moto-api/reset", {}),
        ("/%6doto-api/data.json", {}),
    ],
)
def test_a_web_page_gets_nothing(served: Served, path: str, headers: dict[str, str]) -> None:
    request = urllib.request.Request(served.address + path, headers=headers)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == 403
    assert not [name for name in caught.value.headers if name.lower().startswith("access-control")]
    caught.value.close()


WRONG: list[tuple[str, str, dict[str, Any], str, str]] = [
    ("stepfunctions", "create_state_machine", {"name": "m"}, "ValidationException", '"definition"'),
    ("stepfunctions", "start_execution", {}, "ValidationException", '"stateMachineArn"'),
    ("stepfunctions", "send_task_success", {"taskToken": "x"}, "ValidationException", '"output"'),
    ("sagemaker", "create_training_job", {"TrainingJobName": "j"}, "ValidationException", '"RoleArn"'),
    ("sagemaker", "create_processing_job", {}, "ValidationException", '"ProcessingJobName"'),
    (
        "sagemaker",
        "add_tags",
        {"ResourceArn": "no", "Tags": []},
        "ValidationException",
        "AddTags of sagemaker",
    ),
    ("sagemaker", "create_hub", {"HubName": "h"}, "UnknownOperationException", "CreateHub of sagemaker"),
    ("greengrassv2", "create_deployment", {}, "ValidationException", "targetArn"),
    ("greengrassv2", "get_connectivity_info", {"thingName": "t"}, "ValidationException", "not emulated"),
    ("lambda", "create_capacity_provider", {}, "UnknownOperationException", "of lambda"),
    ("lambda", "get_function", {"FunctionName": "no"}, "ResourceNotFoundException", "Function not found"),
    ("iot", "create_mitigation_action", {"actionName": "a"}, "UnknownOperationException", "of iot"),
    ("dynamodb", "create_table", {"TableName": "t"}, "ValidationException", "CreateTable of dynamodb"),
    ("sts", "assume_role", {}, "ValidationError", "AssumeRole of sts"),
    ("iam", "get_organizations_access_report", {"JobId": "j"}, "InvalidAction", "does not emulate"),
    ("s3", "get_object", {"Bucket": "no", "Key": "k"}, "NoSuchBucket", "does not exist"),
    ("gamelift", "list_builds", {}, "UnknownOperationException", "ListBuilds of gamelift"),
    ("chime", "list_accounts", {}, "UnknownOperationException", "of chime"),
]


@pytest.mark.parametrize(
    ("service", "call", "words", "code", "part"), WRONG, ids=[f"{row[0]}-{row[1]}" for row in WRONG]
)
def test_what_is_wrong_is_answered_as_aws_does(
    served: Served, service: str, call: str, words: dict[str, Any], code: str, part: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(client(served, service), call)(**words)
    answer = caught.value.response
    assert answer["Error"]["Code"] == code
    assert part in answer["Error"]["Message"]
    assert answer["ResponseMetadata"]["HTTPStatusCode"] in {400, 404}


def test_the_cli_says_what_the_local_cloud_does_not_emulate(served: Served) -> None:
    done = served.try_aws("sagemaker", "create-hub", "--hub-name", "h", "--hub-description", "d")
    assert done.returncode != 0
    expected = (
        "(UnknownOperationException) when calling the CreateHub operation: the local cloud does not emulate"
    )
    assert expected in done.stderr


@pytest.mark.parametrize(("service", "call"), [("s3", "list_buckets"), ("greengrassv2", "list_components")])
def test_no_answer_is_for_web_pages(served: Served, service: str, call: str) -> None:
    headers = getattr(client(served, service), call)()["ResponseMetadata"]["HTTPHeaders"]
    assert not [name for name in headers if name.lower().startswith("access-control")]


@pytest.mark.parametrize("kind", [None, "application/x-www-form-urlencoded; charset=utf-8", "text/plain"])
@pytest.mark.parametrize("body", [b"hello", b"a=1&b=2", b"\xff\xfe\x00=", b"--x\r\n"])
def test_a_signed_address_takes_the_bytes_that_are_put_there(
    served: Served, kind: str | None, body: bytes
) -> None:
    s3 = client(served, "s3")
    s3.create_bucket(Bucket="signed")
    named = {"Bucket": "signed", "Key": "one"}
    headers = {"Content-Type": kind} if kind else {}  # urllib, as curl, says a form unless it is told
    request = urllib.request.Request(
        s3.generate_presigned_url("put_object", Params=named), data=body, method="PUT", headers=headers
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 200
    assert s3.get_object(**named)["Body"].read() == body


def test_an_object_keeps_the_type_of_a_form(served: Served) -> None:
    s3 = client(served, "s3")
    s3.create_bucket(Bucket="typed")
    named, kind = {"Bucket": "typed", "Key": "form"}, "application/x-www-form-urlencoded"
    s3.put_object(**named, Body=b"a=1", ContentType=kind)
    kept = s3.get_object(**named)
    assert (kept["Body"].read(), kept["ContentType"]) == (b"a=1", kind)


def test_a_key_of_twelve_digits_is_the_account_of_that_number(served: Served) -> None:
    def there(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=served.address,
            region_name="us-east-1",
            aws_access_key_id=THERE,
            aws_secret_access_key="any",
        )

    assert there("sts").get_caller_identity()["Account"] == THERE
    there("sqs").create_queue(QueueName="theirs")
    there("s3").create_bucket(Bucket="theirs")
    assert "theirs" in there("sqs").get_queue_url(QueueName="theirs")["QueueUrl"]
    assert "QueueUrls" not in client(served, "sqs").list_queues(QueueNamePrefix="theirs")
    assert "theirs" not in [one["Name"] for one in client(served, "s3").list_buckets()["Buckets"]]
    address = there("s3").generate_presigned_url("put_object", Params={"Bucket": "theirs", "Key": "k"})
    with urllib.request.urlopen(urllib.request.Request(address, data=b"x", method="PUT"), timeout=60) as done:
        assert done.status == 200
    assert there("s3").get_object(Bucket="theirs", Key="k")["Body"].read() == b"x"


def test_a_role_trusts_the_account_of_such_a_key(served: Served) -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": HERE}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    made = served.aws(
        "iam", "create-role", "--role-name", "theirs", "--assume-role-policy-document", document,
        AWS_ACCESS_KEY_ID=THERE,
    )  # fmt: skip
    named = ("sts", "assume-role", "--role-arn", made["Role"]["Arn"], "--role-session-name", "me")
    assert served.aws(*named)["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{THERE}:")
    assert "AccessDenied" in served.try_aws(*named, AWS_ACCESS_KEY_ID="333333333333").stderr


def test_a_header_moves_nobody_into_another_account(served: Served) -> None:
    sts = client(served, "sts")
    forged = {"x-moto-account-id": THERE, "x-edgepipe-principal": f"arn:aws:iam::{THERE}:user/root"}
    sts.meta.events.register("before-call", lambda params, **_: params["headers"].update(forged))
    assert sts.get_caller_identity()["Account"] == HERE
