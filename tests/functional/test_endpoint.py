"""The endpoint of local serve: what it refuses, and in which words."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

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


def test_a_header_moves_nobody_into_another_account(served: Served) -> None:
    sts = client(served, "sts")
    forged = {"x-moto-account-id": THERE, "x-edgepipe-principal": f"arn:aws:iam::{THERE}:user/root"}
    sts.meta.events.register("before-call", lambda params, **_: params["headers"].update(forged))
    assert sts.get_caller_identity()["Account"] == HERE
