"""What the nucleus does beyond starting scripts: Bootstrap, its own configuration, groups that are left."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local_cloud.greengrass.specs import DeviceSpec
from tests.functional.test_greengrass import ACCOUNT, LOOP, THING, Factory, counting, eventually, factory

__all__ = ["factory"]

APP, OTHER = "com.example.App", "com.example.Other"
GROUP = f"arn:aws:iot:us-east-1:{ACCOUNT}:thinggroup/line"


def in_group(factory: Factory, name: str = "line") -> None:
    factory.greengrass.add_fleet([DeviceSpec(thing=THING, groups=(name,))], ACCOUNT)


@pytest.mark.parametrize(("code", "starts"), [(0, 1), (100, 2), (101, 2)])
def test_a_bootstrap_step_may_restart_the_device(factory: Factory, code: int, starts: int) -> None:
    factory.publish(OTHER, "1.0.0", counting("other"))
    factory.deploy({OTHER: "1.0.0"})
    lifecycle = {"Bootstrap": f"echo boot >> out; exit {code}", "Install": "echo install >> out"}
    factory.publish(APP, "1.0.0", lifecycle)
    outcome = factory.deploy({OTHER: "1.0.0", APP: "1.0.0"})
    assert outcome["coreDeviceExecutionStatus"] == "COMPLETED", outcome
    assert factory.written(APP) == "boot\ninstall\n"
    assert factory.written(OTHER) == "other\n" * starts
    factory.publish(OTHER, "2.0.0", counting("other"))
    factory.deploy({OTHER: "2.0.0", APP: "1.0.0"})
    assert factory.written(APP).count("boot") == 1


@pytest.mark.parametrize(
    ("bootstrap", "said"),
    [
        ("exit 7", "Bootstrap ended with exit code 7"),
        ({"Script": "sleep 600", "Timeout": 0.1}, "Bootstrap did not end within 0.1 s"),
    ],
)
def test_a_bootstrap_step_that_fails_is_rolled_back(factory: Factory, bootstrap: object, said: str) -> None:
    factory.publish(APP, "1.0.0", counting("old"))
    factory.deploy({APP: "1.0.0"})
    factory.publish(APP, "2.0.0", {"Bootstrap": bootstrap})
    outcome = factory.deploy({APP: "2.0.0"})
    assert "COMPONENT_BOOTSTRAP_ERROR: FAILED_ROLLBACK_COMPLETE" in outcome["reason"]
    assert said in outcome["reason"]
    assert factory.states() == {APP: ("1.0.0", "RUNNING")}


def nucleus(**configuration: object) -> dict[str, Any]:
    merge = {"merge": json.dumps(configuration)}
    return {"aws.greengrass.Nucleus": {"componentVersion": "2.14.0", "configurationUpdate": merge}}


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [({}, "{iot:thingName}"), ({"interpolateComponentConfiguration": True}, THING)],
)
def test_variables_in_configurations_are_replaced_when_asked(
    factory: Factory, configuration: dict[str, object], expected: str
) -> None:
    defaults = {"DefaultConfiguration": {"who": "{iot:thingName}"}}
    lifecycle = {"Install": {"Script": 'echo "$WHO" > out', "Setenv": {"WHO": "{configuration:/who}"}}}
    factory.publish(APP, "1.0.0", lifecycle, ComponentConfiguration=defaults)
    factory.deploy({APP: "1.0.0", **nucleus(**configuration)})
    assert factory.written(APP) == f"{expected}\n"


def test_what_the_virtual_core_cannot_be_told_is_refused(factory: Factory) -> None:
    outcome = factory.deploy(nucleus(jvmOptions="-Xmx64m"))
    assert "UNSUPPORTED_REQUEST: FAILED_NO_STATE_CHANGE" in outcome["reason"]
    assert "not 'jvmOptions'" in outcome["reason"]


def test_a_merge_without_a_change_restarts_nothing(factory: Factory) -> None:
    factory.publish(APP, "1.0.0", counting("up"))
    update = {"componentVersion": "1.0.0", "configurationUpdate": {"merge": '{"a": 1}'}}
    factory.deploy({APP: update})
    factory.deploy({APP: update})
    assert factory.written(APP) == "up\n"


def test_components_of_a_group_that_was_left_go_with_the_next_deployment(factory: Factory) -> None:
    in_group(factory)
    factory.publish(APP, "1.0.0", counting("app"))
    factory.publish(OTHER, "1.0.0", counting("other"))
    factory.deploy({APP: "1.0.0"}, targetArn=GROUP)
    factory.context.client("iot", ACCOUNT).remove_thing_from_thing_group(
        thingGroupName="line", thingName=THING
    )
    factory.deploy({OTHER: "1.0.0"})
    assert factory.states() == {OTHER: ("1.0.0", "RUNNING")}


def test_a_subdeployment_replaces_its_parents_components(factory: Factory) -> None:
    in_group(factory)
    in_group(factory, "few")
    few = GROUP.replace("line", "few")
    for version in ("1.0.0", "2.0.0"):
        factory.publish(APP, version, {"Run": LOOP})
    with pytest.raises(ClientError, match="has no deployment"):
        factory.deploy({APP: "2.0.0"}, targetArn=few, parentTargetArn=GROUP)
    parent = factory.deploy({APP: "1.0.0"}, targetArn=GROUP)["deploymentId"]
    with pytest.raises(ClientError, match="must be a thing group"):
        factory.deploy({APP: "2.0.0"}, parentTargetArn=GROUP)
    child = factory.deploy({APP: "2.0.0"}, targetArn=few, parentTargetArn=GROUP)["deploymentId"]
    assert factory.states() == {APP: ("2.0.0", "RUNNING")}
    assert factory.client.get_deployment(deploymentId=child)["parentTargetArn"] == GROUP
    listed = factory.client.list_deployments(parentTargetArn=GROUP)["deployments"]
    assert [each["deploymentId"] for each in listed] == [child]
    assert factory.client.get_deployment(deploymentId=parent)["deploymentStatus"] == "ACTIVE"


def test_devices_are_listed_by_the_group_that_was_deployed_to(factory: Factory) -> None:
    in_group(factory)
    assert factory.client.list_core_devices(thingGroupArn=GROUP)["coreDevices"] == []
    factory.publish(APP, "1.0.0", counting("app"))
    factory.deploy({APP: "1.0.0"}, targetArn=GROUP)
    listed = factory.client.list_core_devices(thingGroupArn=GROUP)["coreDevices"]
    assert [each["coreDeviceThingName"] for each in listed] == [THING]


@pytest.mark.parametrize(
    ("operation", "arguments", "field"),
    [
        ("list_deployments", {"historyFilter": "SOME"}, "historyFilter"),
        ("list_core_devices", {"status": "SICK"}, "status"),
        (
            "list_installed_components",
            {"coreDeviceThingName": THING, "topologyFilter": "LEAF"},
            "topologyFilter",
        ),
        ("list_components", {"scope": "SECRET"}, "scope"),
    ],
)
def test_a_value_outside_an_enumeration_names_its_field(
    factory: Factory, operation: str, arguments: dict[str, str], field: str
) -> None:
    with pytest.raises(ClientError) as error:
        getattr(factory.client, operation)(**arguments)
    response = error.value.response
    assert response["Error"]["Code"] == "ValidationException"
    assert response["reason"] == "FIELD_VALIDATION_FAILED"
    assert [each["name"] for each in response["fields"]] == [field]


def test_devices_are_listed_in_pages(factory: Factory) -> None:
    factory.greengrass.add_fleet([DeviceSpec(thing=f"cam-{n}") for n in range(1, 5)], ACCOUNT)
    first = factory.client.list_core_devices(maxResults=3)
    assert len(first["coreDevices"]) == 3
    rest = factory.client.list_core_devices(maxResults=3, nextToken=first["nextToken"])
    assert [each["coreDeviceThingName"] for each in rest["coreDevices"]] == ["cam-3", "cam-4"]
    assert "nextToken" not in rest


def test_an_active_deployment_is_not_deleted(factory: Factory) -> None:
    in_group(factory)
    identifier = factory.client.create_deployment(targetArn=GROUP)["deploymentId"]
    with pytest.raises(ClientError) as error:
        factory.client.delete_deployment(deploymentId=identifier)
    assert error.value.response["Error"]["Code"] == "ConflictException"
    assert error.value.response["resourceId"] == identifier
    assert error.value.response["resourceType"] == "deployment"
    factory.client.cancel_deployment(deploymentId=identifier)
    factory.client.delete_deployment(deploymentId=identifier)
    assert eventually(lambda: factory.client.list_deployments(historyFilter="ALL")["deployments"] == [])
