"""What a Task may call: any action of the AWS SDK, other executions, in its own account or a role's."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.functional import handlers
from tests.functional.serverless import ROLE as MACHINE_ROLE
from tests.functional.serverless import Cloud, serverless
from tests.unit.local_cloud.engine.machines import machine, pass_, scope, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = "210987654321"
ROLE = f"arn:aws:iam::{OTHER}:role/usecase"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }
)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with serverless(tmp_path) as place:
        yield place


def call(resource: str, arguments: Any = None, **fields: Any) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "End": True, **fields}
    return machine({"S": state if arguments is None else {**state, "Arguments": arguments}})


def run(cloud: Cloud, definition: dict[str, Any], value: Any = None) -> dict[str, Any]:
    name = f"m{len(cloud.states.list_state_machines()['stateMachines'])}"
    return cloud.settle(cloud.start(cloud.create_machine(definition, name), value))


def output(cloud: Cloud, definition: dict[str, Any], value: Any = None) -> Any:
    ended = run(cloud, definition, value)
    assert ended["status"] == "SUCCEEDED", ended
    return json.loads(ended["output"])


def refusal(cloud: Cloud, definition: dict[str, Any]) -> str:
    with pytest.raises(ClientError) as caught:
        cloud.create_machine(definition)
    assert caught.value.response["Error"]["Code"] == "InvalidDefinition"
    return str(caught.value)


def bucket() -> Any:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="mine")
    s3.put_object(Bucket="mine", Key="k", Body=b"text")
    return s3


def test_an_action_of_the_sdk_gives_its_reply_as_json(cloud: Cloud) -> None:
    bucket()
    found = output(cloud, call("aws-sdk:s3:getObject", {"Bucket": "{% 'mine' %}", "Key": "k"}))
    assert (found["Body"], found["ContentLength"]) == ("text", 4)
    assert found["LastModified"].endswith("Z")
    assert "ResponseMetadata" not in found


def test_members_have_the_sdks_capitals_and_bytes_are_json_text(cloud: Cloud) -> None:
    s3 = bucket()
    output(
        cloud,
        call("aws-sdk:s3:putObject", {"Bucket": "mine", "Key": "o", "Body": {"a": 1}, "Acl": "private"}),
    )
    assert s3.get_object(Bucket="mine", Key="o")["Body"].read() == b'{"a":1}'


def test_a_table_is_written_and_read(cloud: Cloud) -> None:
    boto3.client("dynamodb", region_name="us-east-1").create_table(
        TableName="t",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    item = {"id": {"S": "1"}, "ok": {"Bool": True}}
    put = {"TableName": "t", "Item": item, "ConditionExpression": "attribute_not_exists(id)"}
    assert output(cloud, call("aws-sdk:dynamodb:putItem", put)) == {}
    get = {"TableName": "t", "Key": {"id": {"S": "1"}}}
    assert output(cloud, call("aws-sdk:dynamodb:getItem", get)) == {"Item": item}
    failed = run(cloud, call("aws-sdk:dynamodb:putItem", put))
    assert failed["error"] == "DynamoDb.ConditionalCheckFailedException"
    assert "Service: DynamoDb, Status Code: 400, Request ID:" in failed["cause"]


@pytest.mark.parametrize(
    ("resource", "arguments", "error"),
    [
        ("aws-sdk:s3:getObject", {"Bucket": "mine", "Key": "none"}, "S3.NoSuchKeyException"),
        ("aws-sdk:s3:headObject", {"Bucket": "mine", "Key": "none"}, "S3.NoSuchKeyException"),
        ("aws-sdk:s3:listObjectsV2", {"Bucket": "none"}, "S3.NoSuchBucketException"),
        (
            "aws-sdk:sfn:describeExecution",
            {"ExecutionArn": "arn:aws:states:us-east-1:123456789012:execution:m:none"},
            "Sfn.ExecutionDoesNotExistException",
        ),
    ],
)
def test_a_services_error_has_the_name_of_the_sdks_exception(
    cloud: Cloud, resource: str, arguments: dict[str, str], error: str
) -> None:
    bucket()
    assert run(cloud, call(resource, arguments))["error"] == error


def test_events_name_the_service_and_the_action(cloud: Cloud) -> None:
    bucket()
    arn = cloud.start(cloud.create_machine(call("aws-sdk:s3:headBucket", {"Bucket": "mine"})))
    cloud.settle(arn)
    details = [event["taskScheduledEventDetails"] for event in cloud.events(arn) if event["id"] == 3]
    assert (details[0]["resourceType"], details[0]["resource"]) == ("aws-sdk:s3", "headBucket")


@pytest.mark.parametrize(
    ("resource", "arguments", "parts"),
    [
        ("aws-sdk:dynamo:putItem", {}, ["'dynamo'", "did you mean 'dynamodb'"]),
        ("aws-sdk:stepfunctions:startExecution", {}, ["did you mean 'sfn'"]),
        ("aws-sdk:s3:getobject", {}, ["'getobject'", "did you mean 'getObject'"]),
        ("aws-sdk:s3:getObject.sync", {}, ["getObject.sync", "'.waitForTaskToken'"]),
        ("aws-sdk:s3:getObject", {"Bucket": "mine", "key": "k"}, ["'key'", "did you mean 'Key'"]),
        ("aws-sdk:s3:getObject", {"Bucket": "mine"}, ["'Key' is missing"]),
        ("aws-sdk:dynamodb:getItem", {"TableName": "t", "Key": []}, ["'Key' must be an object"]),
        ("states:startExecution.sync", {"StateMachineArn": "a"}, ["'.sync:2'"]),
        ("states:startExecution", {"Input": {}}, ["'StateMachineArn' is missing"]),
        ("sqs:sendMessage", {}, ["'arn:aws:states:::sqs:sendMessage' is not supported"]),
    ],
)
def test_what_cannot_be_called_is_refused_at_creation(
    cloud: Cloud, resource: str, arguments: Any, parts: list[str]
) -> None:
    said = refusal(cloud, call(resource, arguments))
    for part in ["state 'S'", *parts]:
        assert part in said


def test_computed_arguments_are_checked_when_they_are_known(cloud: Cloud) -> None:
    failed = run(cloud, call("aws-sdk:s3:getObject", "{% {'Bucket': 'mine', 'Kee': 'k'} %}"))
    assert failed["error"] == "States.Runtime"
    assert "'Kee' is not known" in failed["cause"]


def test_a_child_is_started_and_not_waited_for(cloud: Cloud) -> None:
    child = cloud.create_machine(machine({"C": pass_()}), "child")
    started = output(
        cloud, call("states:startExecution", {"StateMachineArn": child, "Name": "one", "Input": 1})
    )
    assert started["ExecutionArn"] == child.replace("stateMachine", "execution") + ":one"
    assert cloud.settle(started["ExecutionArn"])["input"] == "1"
    again = run(cloud, call("states:startExecution", {"StateMachineArn": child, "Name": "one"}))
    assert again["error"] == "StepFunctions.ExecutionAlreadyExistsException"
    missing = run(cloud, call("states:startExecution", {"StateMachineArn": f"{child}x"}))
    assert missing["error"] == "StepFunctions.StateMachineDoesNotExistException"


def test_a_child_that_is_waited_for_gives_its_description(cloud: Cloud) -> None:
    child = cloud.create_machine(machine({"C": pass_(Output={"got": "{% $states.input %}"})}), "child")
    definition = call("states:startExecution.sync:2", {"StateMachineArn": child, "Input": {"a": 1}})
    arn = cloud.start(cloud.create_machine(definition))
    ended = json.loads(cloud.settle(arn)["output"])
    assert (ended["Status"], ended["Input"], ended["Output"]) == ("SUCCEEDED", {"a": 1}, {"got": {"a": 1}})
    kinds = [event["type"] for event in cloud.events(arn) if event["type"].startswith("Task")]
    assert kinds == ["TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted", *kinds[4:]]
    assert kinds[4:] == ["TaskSucceeded", "TaskStateExited"]


def test_a_child_that_fails_fails_the_task_with_its_description(cloud: Cloud) -> None:
    child = cloud.create_machine(machine({"C": {"Type": "Fail", "Error": "E", "Cause": "why"}}), "child")
    failed = run(cloud, call("states:startExecution.sync:2", {"StateMachineArn": child}))
    assert failed["error"] == "States.TaskFailed"
    cause = json.loads(failed["cause"])
    assert (cause["Status"], cause["Error"], cause["Cause"]) == ("FAILED", "E", "why")


def test_children_are_stopped_with_their_parent(cloud: Cloud) -> None:
    handlers.TOKENS.clear()
    cloud.create_function("keep", "tests.functional.handlers.keep")
    child = cloud.create_machine(machine({"W": waiting()}), "child")
    nested = {
        "Type": "Task",
        "Resource": "arn:aws:states:::states:startExecution.sync:2",
        "Arguments": {"StateMachineArn": child, "Name": "{% 'child-' & $states.input %}"},
        "End": True,
    }
    each = {"Type": "Map", "Items": [1, 2], "ItemProcessor": scope({"S": nested}), "End": True}
    arn = cloud.start(cloud.create_machine(machine({"M": each})))
    handlers.wait_for_tokens(2)
    cloud.states.stop_execution(executionArn=arn)
    for number in (1, 2):
        name = child.replace("stateMachine", "execution") + f":child-{number}"
        assert cloud.settle(name)["status"] == "ABORTED"


def test_a_task_acts_in_the_account_of_its_role(cloud: Cloud) -> None:
    other = cloud.context.client("s3", OTHER)
    cloud.context.client("iam", OTHER).create_role(RoleName="usecase", AssumeRolePolicyDocument=TRUST)
    other.create_bucket(Bucket="theirs")
    bucket()
    listed = call("aws-sdk:s3:listBuckets", {}, Credentials={"RoleArn": "{% $states.input.role %}"})
    arn = cloud.start(cloud.create_machine(listed), {"role": ROLE})
    names = [each["Name"] for each in json.loads(cloud.settle(arn)["output"])["Buckets"]]
    assert names == ["theirs"]
    scheduled = next(event for event in cloud.events(arn) if event["type"] == "TaskScheduled")
    assert scheduled["taskScheduledEventDetails"]["taskCredentials"] == {"roleArn": ROLE}
    mine = output(cloud, call("aws-sdk:s3:listBuckets", {}))
    assert [each["Name"] for each in mine["Buckets"]] == ["mine"]


def trusted_by(principal: str, external_id: str | None = None) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    condition = {"Condition": {"StringEquals": {"sts:ExternalId": external_id}}} if external_id else {}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | condition]})


def test_a_role_looks_at_the_machines_role(cloud: Cloud) -> None:
    for name, trust in (
        ("usecase", trusted_by(MACHINE_ROLE)),
        ("others", trusted_by(f"{MACHINE_ROLE}-of-others")),
        ("guarded", trusted_by(MACHINE_ROLE, external_id="known")),
    ):
        cloud.context.client("iam", OTHER).create_role(RoleName=name, AssumeRolePolicyDocument=trust)
    who = call("aws-sdk:sts:getCallerIdentity", {}, Credentials={"RoleArn": "{% $states.input.role %}"})
    said = output(cloud, who, {"role": ROLE})
    assert said["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/usecase/step-functions"
    for name in ("others", "guarded", "missing"):
        refused = run(cloud, who, {"role": ROLE.replace("usecase", name)})
        assert refused["error"] == "States.Permissions"
        assert "assumed-role/test/step-functions is not authorized to perform" in refused["cause"]


def test_a_task_without_credentials_acts_as_the_machines_role(cloud: Cloud) -> None:
    trust = trusted_by(MACHINE_ROLE)
    cloud.context.client("iam", OTHER).create_role(RoleName="usecase", AssumeRolePolicyDocument=trust)
    arguments = {"RoleArn": ROLE, "RoleSessionName": "by-hand"}
    given = output(cloud, call("aws-sdk:sts:assumeRole", arguments))
    assert given["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/usecase/by-hand"
    with pytest.raises(ClientError, match="is not authorized"):
        boto3.client("sts", region_name="us-east-1").assume_role(**arguments)


def test_a_task_of_the_sdk_waits_for_its_token(cloud: Cloud) -> None:
    url = boto3.client("sqs", region_name="us-east-1").create_queue(QueueName="work")["QueueUrl"]
    sends = {"QueueUrl": url, "MessageBody": {"token": "{% $states.context.Task.Token %}"}}
    definition = call("aws-sdk:sqs:sendMessage.waitForTaskToken", sends, TimeoutSeconds=600)
    arn = cloud.start(cloud.create_machine(definition))
    token = json.loads(wait_for_message(url))["token"]
    # The message is there before the call that sent it has returned.
    cloud.wait_for_event(arn, "TaskSubmitted")
    cloud.states.send_task_success(taskToken=token, output='{"answer": 1}')
    ended = cloud.settle(arn)
    assert json.loads(ended["output"]) == {"answer": 1}
    events = cloud.events(arn)
    kinds = ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    assert [event["type"] for event in events if event["type"] in kinds] == kinds
    scheduled = next(event for event in events if event["type"] == "TaskScheduled")
    details = scheduled["taskScheduledEventDetails"]
    assert (details["resourceType"], details["resource"]) == ("aws-sdk:sqs", "sendMessage.waitForTaskToken")
    submitted = next(event for event in events if event["type"] == "TaskSubmitted")
    assert "MessageId" in json.loads(submitted["taskSubmittedEventDetails"]["output"])


def test_a_refused_action_fails_a_task_that_would_wait(cloud: Cloud) -> None:
    sends = {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/none", "MessageBody": "text"}
    failed = run(cloud, call("aws-sdk:sqs:sendMessage.waitForTaskToken", sends, TimeoutSeconds=600))
    assert failed["error"] == "Sqs.QueueDoesNotExistException"


def wait_for_message(url: str) -> str:
    sqs, limit = boto3.client("sqs", region_name="us-east-1"), time.monotonic() + 120
    while time.monotonic() < limit:
        if messages := sqs.receive_message(QueueUrl=url).get("Messages"):
            return str(messages[0]["Body"])
        time.sleep(0.01)
    message = "no message came"
    raise AssertionError(message)


def test_a_role_that_is_no_role_is_refused(cloud: Cloud) -> None:
    said = refusal(cloud, call("aws-sdk:s3:listBuckets", {}, Credentials={"RoleArn": "usecase"}))
    assert "Credentials, field 'RoleArn'" in said
    said = refusal(cloud, call("aws-sdk:s3:listBuckets", {}, Credentials={"Role": ROLE}))
    assert "'RoleArn': is missing" in said
    computed = call("aws-sdk:s3:listBuckets", {}, Credentials={"RoleArn": "{% 'usecase' %}"})
    assert run(cloud, computed)["error"] == "States.Permissions"
