"""deploy: what is merged, who is waited for, and that a killed handler deploys once."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tasks import deploy, sweeper
from tasks.errors import TaskInputError
from tasks.event import parse_event
from tasks.protocol import Status
from tests.unit.tasks.fakes import RESULTS, RUN_ARN, Cloud, Killed, artifact, payload

NAME = "com.example.cookie-defects"
SERVER = "com.edgepipe.LocalServer"
COMPONENTS = "arn:aws:greengrass:us-east-1:210987654321:components"
THINGS = "arn:aws:iot:us-east-1:210987654321"
CONFIG: dict[str, Any] = {
    "targets": ["thing/line-1"],
    "components": {SERVER: {"port": 0}},
    "on_failure": "rollback",
}
RECIPE = {"ComponentDependencies": {SERVER: {"VersionRequirement": ">=0.1.0 <1.0.0"}}}


def event(token: str = "t", **config: Any) -> dict[str, Any]:
    facts = {"name": NAME, "version": "1.0.0", "arn": f"{COMPONENTS}:{NAME}:versions:1.0.0"}
    component = artifact("component", f"{RESULTS}/publish/recipe.json", **facts)
    return payload("deploy", {**CONFIG, **config}, inputs={"component": component}, token=token)


def furnish(cloud: Cloud) -> None:
    """Register the components and one device, and let the run wait."""
    cloud.greengrassv2.register(f"{COMPONENTS}:{NAME}", "1.0.0", json.dumps(RECIPE).encode())
    for version in ("0.1.0", "0.2.0", "1.0.0"):
        cloud.greengrassv2.register(f"{COMPONENTS}:{SERVER}", version)
    cloud.greengrassv2.devices["line-1"] = {}
    cloud.stepfunctions.waiting.add("t")
    cloud.stepfunctions.executions[RUN_ARN] = "RUNNING"


def call(token: str = "t", **config: Any) -> None:
    assert deploy.handler(event(token, **config), None) == {}


def report(cloud: Cloud, device: str, status: str, deployment: str = "00000001", **fields: Any) -> None:
    execution = {"coreDeviceExecutionStatus": status, **fields}
    cloud.greengrassv2.devices.setdefault(device, {})[deployment] = execution


def answer(cloud: Cloud) -> dict[str, Any] | None:
    sweeper.sweep(cloud.desk())
    return cloud.stepfunctions.answers.get("t")


def test_the_deployment_has_component_configuration_and_policy(cloud: Cloud) -> None:
    furnish(cloud)
    call()
    (made,) = cloud.greengrassv2.deployments
    assert made["targetArn"] == f"{THINGS}:thing/line-1"
    assert made["components"] == {
        NAME: {"componentVersion": "1.0.0"},
        SERVER: {"componentVersion": "0.2.0", "configurationUpdate": {"merge": '{"port": 0}'}},
    }
    assert made["deploymentPolicies"]["failureHandlingPolicy"] == "ROLLBACK"
    assert re.fullmatch(r"cookie-defects-deploy-[0-9a-f]{12}", made["deploymentName"])


def test_what_the_device_runs_already_stays(cloud: Cloud) -> None:
    furnish(cloud)
    neighbour = {"componentVersion": "2.0.0", "configurationUpdate": {"merge": '{"a": 1}'}}
    earlier = {
        NAME: {"componentVersion": "0.9.0", "runWith": {"posixUser": "me"}},
        "com.example.other": neighbour,
    }
    cloud.greengrassv2.create_deployment(
        targetArn=f"{THINGS}:thing/line-1", components={"x": {"componentVersion": "1.0.0"}}
    )
    cloud.greengrassv2.create_deployment(targetArn=f"{THINGS}:thing/line-1", components=earlier)
    call()
    components = cloud.greengrassv2.deployments[-1]["components"]
    assert components["com.example.other"] == neighbour
    assert components[NAME] == {"componentVersion": "1.0.0", "runWith": {"posixUser": "me"}}
    assert "x" not in components, "only the target's latest deployment counts"


def test_success_lists_devices_and_writes_the_report(cloud: Cloud) -> None:
    furnish(cloud)
    call()
    assert answer(cloud) is None
    report(cloud, "line-1", "IN_PROGRESS")
    assert answer(cloud) is None
    report(cloud, "line-1", "COMPLETED")
    told = answer(cloud)
    assert told is not None
    made = json.loads(told["output"])["deployment"]
    assert made["facts"] == {
        "deployments": [{"id": "00000001", "target": "thing/line-1"}],
        "devices": {"line-1": {"status": "SUCCEEDED", "components": {SERVER: "0.2.0", NAME: "1.0.0"}}},
    }
    assert made["uri"] == f"{RESULTS}/deploy/deployment.json"
    assert json.loads(cloud.s3.get(made["uri"]))["devices"]["line-1"]["status"] == "COMPLETED"


def test_every_device_of_a_group_is_waited_for(cloud: Cloud) -> None:
    furnish(cloud)
    cloud.iot.groups["line"] = ["line-1", "line-2", "line-3"]
    call(targets=["thinggroup/line"])
    for device in ("line-1", "line-2"):
        report(cloud, device, "SUCCEEDED")
    assert answer(cloud) is None
    report(cloud, "line-3", "SUCCEEDED")
    told = answer(cloud)
    assert told is not None
    assert set(json.loads(told["output"])["deployment"]["facts"]["devices"]) == {"line-1", "line-2", "line-3"}


def test_a_failed_device_fails_the_rollout_with_its_reason(cloud: Cloud) -> None:
    furnish(cloud)
    cloud.iot.groups["line"] = ["line-1", "line-2", "line-3"]
    call(targets=["thinggroup/line"])
    report(cloud, "line-1", "SUCCEEDED")
    stack = {"errorStack": ["DEPLOYMENT_FAILURE", "COMPONENT_BROKEN"], "errorTypes": []}
    report(cloud, "line-2", "FAILED", reason="FAILED_ROLLBACK_COMPLETE", statusDetails=stack)
    told = answer(cloud)
    assert told is not None
    assert told["error"] == "RolloutError"
    assert (
        "1 of 3 devices did not take deployment 00000001: "
        "line-2 is FAILED: DEPLOYMENT_FAILURE > COMPONENT_BROKEN: FAILED_ROLLBACK_COMPLETE" in told["cause"]
    )


def test_a_deployment_that_another_replaced_has_failed(cloud: Cloud) -> None:
    furnish(cloud)
    call()
    cloud.greengrassv2.create_deployment(targetArn=f"{THINGS}:thing/line-1", components={})
    told = answer(cloud)
    assert told is not None
    assert "line-1 is REPLACED: another deployment replaced this one" in told["cause"]


def test_a_cancelled_deployment_has_failed(cloud: Cloud) -> None:
    furnish(cloud)
    call()
    (job,) = cloud.jobs.items.values()
    deploy.stop(job)
    told = answer(cloud)
    assert told is not None
    assert "line-1 is CANCELED" in told["cause"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"targets": ["thing/nobody"]}, "thing/nobody is no Greengrass core device in account 210987654321"),
        ({"targets": ["thinggroup/none"]}, "thinggroup/none is not there or has no things in it"),
        ({"targets": ["robot/x"]}, "must be of the form thing/NAME or thinggroup/NAME"),
        ({"targets": ["thing/a b"]}, "must be of the form thing/NAME or thinggroup/NAME"),
        ({"targets": []}, "event.config.targets must name one device or group, or more"),
        ({"on_failure": "retry"}, "must be one of rollback, nothing"),
        ({"components": {"com.example.none": {}}}, "no version of component com.example.none satisfies '*'"),
    ],
)
def test_settings_that_cannot_work_are_named(cloud: Cloud, config: dict[str, Any], told: str) -> None:
    furnish(cloud)
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(**config)
    assert cloud.greengrassv2.deployments == []


@pytest.mark.parametrize("count", range(7))
def test_killed_after_any_change_and_run_again_every_target_has_one_deployment(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Cloud(kill_after=count)
    monkeypatch.setattr("tasks.aws.client", cloud.client)
    furnish(cloud)
    cloud.iot.groups["line"] = ["line-2"]
    for device, number in (("line-1", 1), ("line-2", 2)):
        report(cloud, device, "SUCCEEDED", f"{number:08d}")
    desk = cloud.desk()
    for _ in range(2):
        try:
            deploy.launch(parse_event(event(targets=["thing/line-1", "thinggroup/line"])), desk)
        except Killed:
            continue
    sweeper.sweep(desk)
    assert len(cloud.greengrassv2.deployments) == 2
    assert "output" in cloud.stepfunctions.answers["t"]
    assert [job.status for job in cloud.jobs.items.values()] == [Status.SENT]
