"""deploy: what is merged, who is waited for, and that a killed handler deploys once."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
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
    changed = datetime.fromtimestamp(cloud.now, UTC)
    execution = {"coreDeviceExecutionStatus": status, "modifiedTimestamp": changed, **fields}
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


def wave(**changes: Any) -> dict[str, Any]:
    """Return an event's settings for one wave, as the definition writes them."""
    plain: dict[str, Any] = {"rate_per_minute": None, "abort_percent": None, "verify": {}, "bake_seconds": 0}
    return {"targets": None, "wave": {"name": "canary", "targets": ["thing/line-1"], **plain, **changes}}


def wave_answer(cloud: Cloud) -> dict[str, Any]:
    told = answer(cloud)
    assert told is not None
    output: dict[str, Any] = json.loads(told["output"])
    return output


def test_a_wave_bakes_until_its_time_is_over(cloud: Cloud) -> None:
    furnish(cloud)
    call(**wave(bake_seconds=600, verify={"models_ready": True, "max_error_rate": 0}))
    cloud.now += 60
    report(cloud, "line-1", "COMPLETED")
    cloud.greengrassv2.installed["line-1"] = {SERVER: "RUNNING", NAME: "RUNNING"}
    assert answer(cloud) is None
    cloud.now += 599
    assert answer(cloud) is None
    cloud.now += 1
    output = wave_answer(cloud)
    assert output["wave"] == "canary"
    assert output["deployment"]["uri"] == f"{RESULTS}/deploy/canary/deployment.json"
    assert output["deployment"]["facts"]["devices"]["line-1"]["status"] == "SUCCEEDED"


def test_two_waves_of_a_step_are_two_jobs(cloud: Cloud) -> None:
    furnish(cloud)
    cloud.greengrassv2.devices["line-2"] = {}
    call(**wave())
    report(cloud, "line-1", "COMPLETED")
    assert wave_answer(cloud)["wave"] == "canary"
    cloud.stepfunctions.waiting.add("u")
    call("u", **wave(name="line", targets=["thing/line-2"]))
    assert [made["targetArn"] for made in cloud.greengrassv2.deployments] == [
        f"{THINGS}:thing/line-1",
        f"{THINGS}:thing/line-2",
    ]
    assert len({job.name for job in cloud.jobs.items.values()}) == 2


def test_a_group_is_reached_at_the_pace_and_to_the_limit_of_the_wave(cloud: Cloud) -> None:
    furnish(cloud)
    cloud.iot.groups["line"] = [f"line-{number}" for number in range(1, 21)]
    paced = wave(targets=["thinggroup/line", "thing/line-1"], rate_per_minute=50, abort_percent=10)
    call(**paced)
    group, thing = cloud.greengrassv2.deployments
    assert group["iotJobConfiguration"]["jobExecutionsRolloutConfig"] == {"maximumPerMinute": 50}
    (criteria,) = group["iotJobConfiguration"]["abortConfig"]["criteriaList"]
    assert (criteria["thresholdPercentage"], criteria["minNumberOfExecutedThings"]) == (10, 10)
    assert "iotJobConfiguration" not in thing


def test_failures_below_the_limit_are_listed_and_passed_over(cloud: Cloud) -> None:
    furnish(cloud)
    names = [f"line-{number}" for number in range(1, 12)]
    cloud.iot.groups["line"] = names
    call(**wave(targets=["thinggroup/line"], abort_percent=10, verify={"models_ready": True}))
    for name in names:
        report(cloud, name, "FAILED" if name == "line-7" else "SUCCEEDED")
        cloud.greengrassv2.installed[name] = {} if name == "line-7" else {NAME: "RUNNING"}
    devices = wave_answer(cloud)["deployment"]["facts"]["devices"]
    assert [name for name, device in devices.items() if device["status"] == "FAILED"] == ["line-7"]


BROKEN = [
    ("a component", {SERVER: "RUNNING", NAME: "BROKEN"}, False, f"line-2 reports that {NAME} is BROKEN"),
    ("the device", {NAME: "RUNNING"}, True, "line-2 reports that the device is UNHEALTHY"),
    ("no model", {SERVER: "RUNNING"}, False, f"line-2 reports {NAME} as not installed"),
]


def start_two(cloud: Cloud, states: dict[str, str], *, unhealthy: bool, on_failure: str = "rollback") -> None:
    """Let two devices, which ran something before, take a wave on which the second goes wrong."""
    furnish(cloud)
    cloud.greengrassv2.devices["line-2"] = {}
    before = {"com.example.other": {"componentVersion": "1.0.0"}}
    cloud.greengrassv2.create_deployment(targetArn=f"{THINGS}:thing/line-1", components=before)
    targets = ["thing/line-1", "thing/line-2"]
    call(**wave(targets=targets, verify={"models_ready": True}), on_failure=on_failure)
    cloud.greengrassv2.installed = {"line-1": {NAME: "RUNNING"}, "line-2": states}
    cloud.greengrassv2.unhealthy = {"line-2"} if unhealthy else set()
    report(cloud, "line-1", "COMPLETED", "00000002")
    report(cloud, "line-2", "COMPLETED", "00000003")


@pytest.mark.parametrize(("_what", "states", "unhealthy", "told"), BROKEN, ids=[case[0] for case in BROKEN])
def test_a_wave_that_breaks_while_it_bakes_is_taken_back(
    cloud: Cloud, _what: str, states: dict[str, str], unhealthy: bool, told: str
) -> None:
    start_two(cloud, states, unhealthy=unhealthy)
    assert answer(cloud) is None, "the devices are on their way back"
    restored = cloud.greengrassv2.deployments[3:]
    assert [made["components"] for made in restored] == [
        {"com.example.other": {"componentVersion": "1.0.0"}},
        {},
    ]
    cloud.greengrassv2.installed["line-2"] = {}
    report(cloud, "line-1", "COMPLETED", "00000004")
    assert answer(cloud) is None
    report(cloud, "line-2", "COMPLETED", "00000005")
    failure = answer(cloud)
    assert failure is not None
    assert failure["error"] == "RolloutError"
    assert told in failure["cause"]
    assert "back to their former components: line-1, line-2" in failure["cause"]
    assert len(cloud.greengrassv2.deployments) == 5


def test_a_device_that_cannot_go_back_is_named(cloud: Cloud) -> None:
    start_two(cloud, {NAME: "ERRORED"}, unhealthy=False)
    assert answer(cloud) is None
    report(cloud, "line-1", "COMPLETED", "00000004")
    report(cloud, "line-2", "FAILED", "00000005", reason="the disk is full")
    failure = answer(cloud)
    assert failure is not None
    assert "not back: line-2 is FAILED: the disk is full" in failure["cause"]


def test_a_target_that_somebody_else_has_deployed_to_is_left_alone(cloud: Cloud) -> None:
    start_two(cloud, {NAME: "BROKEN"}, unhealthy=False)
    cloud.greengrassv2.create_deployment(targetArn=f"{THINGS}:thing/line-1", components={})
    assert answer(cloud) is None
    report(cloud, "line-2", "COMPLETED", "00000005")
    failure = answer(cloud)
    assert failure is not None
    assert [made["targetArn"] for made in cloud.greengrassv2.deployments[4:]] == [f"{THINGS}:thing/line-2"]


def test_without_rollback_a_failed_wave_stays_as_it_is(cloud: Cloud) -> None:
    start_two(cloud, {NAME: "BROKEN"}, unhealthy=False, on_failure="nothing")
    failure = answer(cloud)
    assert failure is not None
    assert len(cloud.greengrassv2.deployments) == 3


def test_nobody_waits_past_the_deadline_for_devices_to_go_back(cloud: Cloud) -> None:
    start_two(cloud, {NAME: "BROKEN"}, unhealthy=False)
    assert answer(cloud) is None
    cloud.now += 3601
    failure = answer(cloud)
    assert failure is not None
    assert "not back: line-1 is QUEUED" in failure["cause"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "a b"}, "event.config.wave.name must match"),
        ({"targets": []}, "event.config.wave.targets must name one device"),
        ({"bake_seconds": -1}, "event.config.wave.bake_seconds"),
        ({"rate_per_minute": 1001}, "event.config.wave.rate_per_minute must be 1000 or less"),
        ({"abort_percent": 0}, "event.config.wave.abort_percent"),
        ({"verify": {"models_ready": "yes"}}, "event.config.wave.verify.models_ready must be true or false"),
        ({"verify": {"max_error_rate": 2}}, "event.config.wave.verify.max_error_rate must be a share"),
    ],
)
def test_a_waves_settings_that_cannot_work_are_named(
    cloud: Cloud, changes: dict[str, Any], told: str
) -> None:
    furnish(cloud)
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(**wave(**changes))


@pytest.mark.parametrize("count", range(12))
def test_killed_after_any_change_a_wave_is_taken_back_once(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = Cloud(kill_after=None)
    monkeypatch.setattr("tasks.aws.client", cloud.client)
    monkeypatch.setattr("tasks.callback.open_desk", cloud.desk)
    start_two(cloud, {NAME: "BROKEN"}, unhealthy=False)
    cloud.changes, cloud.kill_after = 0, count
    for number in (4, 5):
        report(cloud, f"line-{number - 3}", "COMPLETED", f"{number:08d}")
    for _ in range(4):
        try:
            sweeper.sweep(cloud.desk())
        except Killed:
            continue
    assert len(cloud.greengrassv2.deployments) == 5
    assert cloud.stepfunctions.answers["t"]["error"] == "RolloutError"
    assert {job.status for job in cloud.jobs.items.values()} == {Status.SENT}
