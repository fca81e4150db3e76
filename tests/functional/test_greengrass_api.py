"""The Greengrass V2 API as boto3 sees it: fields, errors, paging, tokens."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import yaml
from botocore.exceptions import ClientError
from moto import mock_aws

from local_cloud.context import ORCHESTRATOR_ACCOUNT as ACCOUNT
from local_cloud.context import Context
from local_cloud.greengrass import install

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "com.example.App"
PREFIX = f"arn:aws:greengrass:us-east-1:{ACCOUNT}:components:{NAME}"
GROUP = f"arn:aws:iot:us-east-1:{ACCOUNT}:thinggroup/line"
RATE = {
    "baseRatePerMinute": 5,
    "incrementFactor": 2,
    "rateIncreaseCriteria": {"numberOfSucceededThings": 1},
}
TARGET = f"arn:aws:iot:us-east-1:{ACCOUNT}:thing/line-3"


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    context = Context(state_dir=tmp_path)
    greengrass = install(context)
    try:
        with mock_aws():
            context.client("iot", ACCOUNT).create_thing(thingName="line-3")
            context.client("iot", ACCOUNT).create_thing_group(thingGroupName="line")
            yield context.client("greengrassv2", ACCOUNT)
    finally:
        greengrass.close()


def recipe(version: str = "1.0.0", **changes: object) -> bytes:
    document = {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": NAME,
        "ComponentVersion": version,
        "ComponentPublisher": "edgepipe",
        "ComponentDescription": "an app",
        "Manifests": [{"Name": "Linux", "Platform": {"os": "linux"}, "Lifecycle": {"Install": "true"}}],
        **changes,
    }
    return json.dumps(document).encode()


def code(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = error.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_component_from_its_creation_to_its_end(client: Any) -> None:
    created = client.create_component_version(inlineRecipe=recipe(), tags={"team": "vision"})
    assert created["arn"] == f"{PREFIX}:versions:1.0.0"
    assert created["status"] == {"componentState": "REQUESTED", "message": "NONE", "errors": {}}
    described = client.describe_component(arn=created["arn"])
    assert described["status"]["componentState"] == "DEPLOYABLE"
    assert described["publisher"] == "edgepipe"
    assert described["description"] == "an app"
    assert described["platforms"] == [{"name": "Linux", "attributes": {"os": "linux"}}]
    assert described["tags"] == {"team": "vision"}
    assert described["creationTimestamp"] == created["creationTimestamp"]
    client.delete_component(arn=created["arn"])
    with pytest.raises(ClientError) as error:
        client.describe_component(arn=created["arn"])
    assert code(error) == ("ResourceNotFoundException", 404)
    assert error.value.response["resourceType"] == "component"


@pytest.mark.parametrize("output_format", ["JSON", "YAML"])
def test_get_component_shows_the_digests_of_artifacts(
    client: Any, output_format: str, tmp_path: Path
) -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k/x.zip", Body=b"bytes")
    manifests = [{"Artifacts": [{"URI": "s3://bucket/k/x.zip", "Unarchive": "ZIP", "Digest": "mine"}]}]
    arn = client.create_component_version(inlineRecipe=recipe(Manifests=manifests))["arn"]
    reply = client.get_component(arn=arn, recipeOutputFormat=output_format)
    assert reply["recipeOutputFormat"] == output_format
    (artifact,) = yaml.safe_load(reply["recipe"])["Manifests"][0]["Artifacts"]
    digest = base64.b64encode(hashlib.sha256(b"bytes").digest()).decode()
    assert artifact == {
        "URI": "s3://bucket/k/x.zip",
        "Unarchive": "ZIP",
        "Digest": digest,
        "Algorithm": "SHA-256",
    }


def test_a_version_is_published_once(client: Any) -> None:
    client.create_component_version(inlineRecipe=recipe())
    with pytest.raises(ClientError) as error:
        client.create_component_version(inlineRecipe=recipe(), tags={"a": "b"})
    assert code(error) == ("ConflictException", 409)
    assert error.value.response["resourceId"] == f"{PREFIX}:versions:1.0.0"
    expected = f"Component [{NAME} : 1.0.0] for account [{ACCOUNT}] already exists"
    assert expected in error.value.response["Error"]["Message"]


def test_a_client_token_gets_the_first_answer_again(client: Any) -> None:
    answers = [
        client.create_component_version(inlineRecipe=recipe(), clientToken="token-1") for _ in range(2)
    ]
    assert answers[0]["creationTimestamp"] == answers[1]["creationTimestamp"]
    deployments = [client.create_deployment(targetArn=TARGET, clientToken="token-2") for _ in range(2)]
    assert deployments[0]["deploymentId"] == deployments[1]["deploymentId"]


INVALID: list[tuple[bytes, str]] = [
    (b"{", "neither JSON nor YAML"),
    (b"\xff", "UTF-8"),
    (recipe("one"), "not a semantic version"),
    (
        recipe(Manifests=[{"Artifacts": [{"URI": "s3://none/k"}]}]),
        "Specified artifact resource cannot be accessed",
    ),
]


@pytest.mark.parametrize(("inline", "message"), INVALID)
def test_a_bad_recipe_is_refused(client: Any, inline: bytes, message: str) -> None:
    with pytest.raises(ClientError, match=message) as error:
        client.create_component_version(inlineRecipe=inline)
    assert code(error) == ("ValidationException", 400)


def test_components_and_versions_are_listed_newest_first_in_pages(client: Any) -> None:
    for version in ("1.0.0", "1.10.0", "1.9.0"):
        client.create_component_version(inlineRecipe=recipe(version))
    client.create_component_version(inlineRecipe=recipe(ComponentName="com.example.Other"))
    pages = client.get_paginator("list_component_versions").paginate(
        arn=PREFIX, PaginationConfig={"PageSize": 2}
    )
    assert [[each["componentVersion"] for each in page["componentVersions"]] for page in pages] == [
        ["1.10.0", "1.9.0"],
        ["1.0.0"],
    ]
    listed = client.list_components()["components"]
    assert [(each["componentName"], each["latestVersion"]["componentVersion"]) for each in listed] == [
        (NAME, "1.10.0"),
        ("com.example.Other", "1.0.0"),
    ]
    with pytest.raises(ClientError, match="nextToken"):
        client.list_components(nextToken="forged")


def test_a_deployment_from_its_creation_to_its_replacement(client: Any) -> None:
    components = {
        NAME: {"componentVersion": "1.0.0", "configurationUpdate": {"merge": '{"a":1}', "reset": [""]}}
    }
    first = client.create_deployment(targetArn=TARGET, deploymentName="first", components=components)
    assert first["iotJobArn"].endswith(f"job/{first['iotJobId']}")
    got = client.get_deployment(deploymentId=first["deploymentId"])
    assert got["components"] == components
    assert got["deploymentStatus"] == "ACTIVE"
    assert got["deploymentName"] == "first"
    assert got["revisionId"] == "1"
    assert got["isLatestForTarget"]
    assert got["deploymentPolicies"] == {
        "failureHandlingPolicy": "ROLLBACK",
        "componentUpdatePolicy": {"timeoutInSeconds": 60, "action": "NOTIFY_COMPONENTS"},
        "configurationValidationPolicy": {"timeoutInSeconds": 30},
    }
    second = client.create_deployment(targetArn=TARGET)
    replaced = client.get_deployment(deploymentId=first["deploymentId"])
    assert (replaced["deploymentStatus"], replaced["isLatestForTarget"]) == ("INACTIVE", False)
    latest = client.list_deployments(targetArn=TARGET)["deployments"]
    assert [each["deploymentId"] for each in latest] == [second["deploymentId"]]
    history = client.list_deployments(targetArn=TARGET, historyFilter="ALL")["deployments"]
    assert [each["deploymentId"] for each in history] == [second["deploymentId"], first["deploymentId"]]


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"components": {NAME: {"componentVersion": "latest"}}}, "componentVersion"),
    ({"components": {NAME: {"componentVersion": "1.0.0", "configurationUpdate": {"merge": "[]"}}}}, "merge"),
    ({"components": {NAME: {"componentVersion": "1.0.0", "configurationUpdate": {"reset": ["a"]}}}}, "reset"),
    ({"components": {NAME: {"componentVersion": "1.0.0", "runWith": {"posixUser": "u"}}}}, "runWith"),
    ({"iotJobConfiguration": {"timeoutConfig": {"inProgressTimeoutInMinutes": 5}}}, "iotJobConfiguration"),
    (
        {"targetArn": GROUP, "iotJobConfiguration": {"timeoutConfig": {"inProgressTimeoutInMinutes": 5}}},
        "timeoutConfig",
    ),
    (
        {
            "targetArn": GROUP,
            "iotJobConfiguration": {"jobExecutionsRolloutConfig": {"exponentialRate": RATE}},
        },
        "exponentialRate",
    ),
    ({"parentTargetArn": "arn:aws:iot:us-east-1:1:thinggroup/g"}, "parentTargetArn"),
    ({"deploymentPolicies": {"failureHandlingPolicy": "MAYBE"}}, "failureHandlingPolicy"),
    ({"targetArn": "arn:aws:iot:us-east-1:999999999999:thing/line-3"}, "targetArn"),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_a_bad_deployment_is_refused_and_replaces_nothing(
    client: Any, changes: dict[str, Any], message: str
) -> None:
    good = client.create_deployment(targetArn=TARGET)["deploymentId"]
    with pytest.raises(ClientError, match=message) as error:
        client.create_deployment(**{"targetArn": TARGET, **changes})
    assert code(error) == ("ValidationException", 400)
    assert client.get_deployment(deploymentId=good)["deploymentStatus"] == "ACTIVE"


MISSING: list[tuple[str, dict[str, Any]]] = [
    ("create_deployment", {"targetArn": f"arn:aws:iot:us-east-1:{ACCOUNT}:thing/nobody"}),
    ("create_deployment", {"targetArn": f"arn:aws:iot:us-east-1:{ACCOUNT}:thinggroup/nobody"}),
    ("get_deployment", {"deploymentId": "none"}),
    ("cancel_deployment", {"deploymentId": "none"}),
    ("get_core_device", {"coreDeviceThingName": "none"}),
    ("delete_core_device", {"coreDeviceThingName": "none"}),
    ("delete_deployment", {"deploymentId": "none"}),
    ("list_effective_deployments", {"coreDeviceThingName": "none"}),
    ("list_installed_components", {"coreDeviceThingName": "none"}),
    ("list_component_versions", {"arn": PREFIX}),
    ("get_component", {"arn": f"{PREFIX}:versions:1.0.0"}),
    ("delete_component", {"arn": f"{PREFIX}:versions:1.0.0"}),
    ("list_tags_for_resource", {"resourceArn": f"{PREFIX}:versions:1.0.0"}),
]


@pytest.mark.parametrize(("operation", "arguments"), MISSING)
def test_what_does_not_exist_is_not_found(client: Any, operation: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ClientError) as error:
        getattr(client, operation)(**arguments)
    assert code(error) == ("ResourceNotFoundException", 404)


NOT_EMULATED: list[tuple[str, dict[str, Any]]] = [
    ("get_service_role_for_account", {}),
    ("resolve_component_candidates", {}),
    ("list_components", {"scope": "PUBLIC"}),
    ("create_component_version", {"lambdaFunction": {"lambdaArn": "arn:aws:lambda:us-east-1:1:function:f"}}),
]


@pytest.mark.parametrize(("operation", "arguments"), NOT_EMULATED)
def test_what_is_not_emulated_says_so(client: Any, operation: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="not emulated by the local cloud") as error:
        getattr(client, operation)(**arguments)
    assert error.value.response["reason"] == "UNKNOWN_OPERATION"


def test_tags_can_be_added_listed_and_removed(client: Any) -> None:
    arn = client.create_component_version(inlineRecipe=recipe(), tags={"a": "1"})["arn"]
    client.tag_resource(resourceArn=arn, tags={"b": "2", "c": "3"})
    client.untag_resource(resourceArn=arn, tagKeys=["a", "c"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}


def test_another_region_is_refused(client: Any) -> None:
    with pytest.raises(ClientError, match="eu-west-1"):
        boto3.client("greengrassv2", region_name="eu-west-1").list_components()
