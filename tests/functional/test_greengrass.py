"""Real components on virtual core devices, driven through boto3."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from local_cloud.context import Context
from local_cloud.greengrass import Device, Greengrass, install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ACCOUNT = "210987654321"
THING = "line-3"
TARGET = f"arn:aws:iot:us-east-1:{ACCOUNT}:thing/{THING}"
BUCKET = "components"


class Factory:
    """A local cloud with one device, and the words that tests use for it."""

    def __init__(self, context: Context, greengrass: Greengrass, events: list[Mapping[str, Any]]) -> None:
        self.events = events
        self.greengrass = greengrass
        self.context = context
        self.client = context.client("greengrassv2", ACCOUNT)
        self.device: Device = greengrass.add_device(THING, ACCOUNT)
        context.client("s3", ACCOUNT).create_bucket(Bucket=BUCKET)

    def publish(self, name: str, version: str, lifecycle: object, **recipe: object) -> str:
        document = {
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": name,
            "ComponentVersion": version,
            "Manifests": [{"Lifecycle": lifecycle}],
            **recipe,
        }
        reply = self.client.create_component_version(inlineRecipe=json.dumps(document).encode())
        return str(reply["arn"])

    def upload(self, key: str, body: bytes) -> str:
        self.context.client("s3", ACCOUNT).put_object(Bucket=BUCKET, Key=key, Body=body)
        return f"s3://{BUCKET}/{key}"

    def deploy(self, components: Mapping[str, object], **request: Any) -> dict[str, Any]:
        """Deploy and wait; a component is a version or the whole document."""
        wanted = {
            name: each if isinstance(each, dict) else {"componentVersion": each}
            for name, each in components.items()
        }
        request = {"targetArn": TARGET, **request}
        identifier = self.client.create_deployment(components=wanted, **request)["deploymentId"]
        assert eventually(lambda: self.outcome(identifier)["coreDeviceExecutionStatus"] not in PENDING)
        return self.outcome(identifier)

    def outcome(self, identifier: str, thing: str = THING) -> dict[str, Any]:
        listed = self.client.list_effective_deployments(coreDeviceThingName=thing)["effectiveDeployments"]
        return next((each for each in listed if each["deploymentId"] == identifier), UNKNOWN)

    def states(self) -> dict[str, tuple[str, str]]:
        listed = self.client.list_installed_components(coreDeviceThingName=THING, topologyFilter="ALL")
        return {
            each["componentName"]: (each["componentVersion"], each["lifecycleState"])
            for each in listed["installedComponents"]
        }

    def written(self, component: str, name: str = "out") -> str:
        path = self.device.root / "work" / component / name
        return path.read_text() if path.exists() else ""

    def log(self, component: str) -> str:
        path = self.device.root / "logs" / f"{component}.log"
        return path.read_text() if path.exists() else ""


PENDING = ("QUEUED", "IN_PROGRESS", "UNKNOWN")
UNKNOWN = {"coreDeviceExecutionStatus": "UNKNOWN"}
LOOP = "while :; do sleep 0.05; done"


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 60
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def archive(members: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, text in members.items():
            bundle.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def factory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Factory]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    events: list[Mapping[str, Any]] = []
    context = Context(state_dir=tmp_path, emit=events.append)
    greengrass = install(context)
    threads = set(threading.enumerate())
    try:
        with mock_aws():
            yield Factory(context, greengrass, events)
            greengrass.close()
    finally:
        greengrass.close()
    assert set(threading.enumerate()) <= threads


def test_components_start_in_order_and_see_their_surroundings(factory: Factory) -> None:
    factory.publish(
        "com.example.Server",
        "1.2.0",
        {"Run": {"Script": f'echo "$PORT" > port; {LOOP}', "Setenv": {"PORT": "{configuration:/port}"}}},
        ComponentConfiguration={"DefaultConfiguration": {"port": "8080"}},
    )
    zipped = archive(
        {"loader.sh": 'echo "loaded $1 on $AWS_IOT_THING_NAME in $AWS_REGION" > out', "m/x": "y"}
    )
    uri = factory.upload("a/model.zip", zipped)
    factory.publish(
        "com.example.Model",
        "1.0.0",
        {},
        ComponentDependencies={"com.example.Server": {"VersionRequirement": ">= 1.0.0 < 2.0.0"}},
        Manifests=[
            {
                "Platform": {"os": "linux", "architecture": "*"},
                "Artifacts": [{"URI": uri, "Unarchive": "ZIP"}],
                "Lifecycle": {
                    "Setenv": {"ARTIFACT": "{artifacts:decompressedPath}/model"},
                    "Startup": {
                        "Script": 'cat "$ARTIFACT/m/x" "$SERVER/port"; sh "$ARTIFACT/loader.sh" now',
                        "Setenv": {"SERVER": "{com.example.Server:work:path}"},
                    },
                    "Shutdown": "echo bye >> out",
                },
            }
        ],
    )
    outcome = factory.deploy({"com.example.Model": "1.0.0"})
    assert outcome["coreDeviceExecutionStatus"] == "COMPLETED", outcome
    assert factory.states() == {
        "com.example.Server": ("1.2.0", "RUNNING"),
        "com.example.Model": ("1.0.0", "RUNNING"),
    }
    assert factory.written("com.example.Model") == "loaded now on line-3 in us-east-1\n"
    factory.greengrass.close()
    assert factory.written("com.example.Model").endswith("bye\n")


def counting(text: str) -> dict[str, object]:
    """A component that writes a line each time it starts, and runs on."""
    return {"Run": f"echo {text} >> out; {LOOP}"}


def test_an_upgrade_replaces_the_version_and_keeps_customised_values(factory: Factory) -> None:
    for version, default in (("1.0.0", {"a": 1, "b": 1}), ("2.0.0", {"a": 2, "b": 2, "c": 2})):
        lifecycle = {"Run": f"echo '{{configuration:/}}' >> out; {LOOP}"}
        configuration = {"DefaultConfiguration": default}
        factory.publish("com.example.App", version, lifecycle, ComponentConfiguration=configuration)
    custom = {"componentVersion": "1.0.0", "configurationUpdate": {"merge": '{"b": 9}'}}
    factory.deploy({"com.example.App": custom})
    factory.deploy({"com.example.App": "2.0.0"})
    reset = {"componentVersion": "2.0.0", "configurationUpdate": {"reset": ["/b"], "merge": '{"a": 3}'}}
    factory.deploy({"com.example.App": reset})
    assert factory.states() == {"com.example.App": ("2.0.0", "RUNNING")}
    assert [json.loads(line) for line in factory.written("com.example.App").splitlines()] == [
        {"a": 1, "b": 9},
        {"a": 2, "b": 9, "c": 2},
        {"a": 3, "b": 2, "c": 2},
    ]


def test_a_configuration_change_restarts_only_the_component_and_its_hard_dependents(factory: Factory) -> None:
    configuration = {"DefaultConfiguration": {"port": 1}}
    factory.publish("com.example.Base", "1.0.0", counting("base"), ComponentConfiguration=configuration)
    for name, kind in (("com.example.Hard", "HARD"), ("com.example.Soft", "SOFT")):
        needs = {"com.example.Base": {"VersionRequirement": "^1.0.0", "DependencyType": kind}}
        factory.publish(name, "1.0.0", counting(kind), ComponentDependencies=needs)
    others = {"com.example.Hard": "1.0.0", "com.example.Soft": "1.0.0"}
    factory.deploy({"com.example.Base": "1.0.0", **others})
    update = {"componentVersion": "1.0.0", "configurationUpdate": {"merge": '{"port": 2}'}}
    factory.deploy({"com.example.Base": update, **others})
    assert factory.written("com.example.Base") == "base\nbase\n"
    assert factory.written("com.example.Hard") == "HARD\nHARD\n"
    assert factory.written("com.example.Soft") == "SOFT\n"


def test_a_hard_dependent_starts_again_after_its_dependency_crashed(factory: Factory) -> None:
    factory.publish("com.example.Server", "1.0.0", {"Run": f"echo $$ > pid; {LOOP}"})
    needs = {"com.example.Server": {"VersionRequirement": "*"}}
    lifecycle = {"Startup": "echo up >> out", "Shutdown": "echo down >> out"}
    factory.publish("com.example.Model", "1.0.0", lifecycle, ComponentDependencies=needs)
    factory.deploy({"com.example.Model": "1.0.0"})
    (server,) = [each for each in factory.device.installed() if each.blueprint.name == "com.example.Server"]
    pid = int(factory.written("com.example.Server", "pid"))
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: factory.written("com.example.Model") == "up\ndown\nup\n")
    assert eventually(lambda: factory.states()["com.example.Model"] == ("1.0.0", "RUNNING"))
    assert server.blueprint.version == "1.0.0"


def test_a_component_that_is_left_out_is_uninstalled(factory: Factory) -> None:
    uri = factory.upload("a/tool.sh", b"echo hello")
    manifests = [{"Artifacts": [{"URI": uri}], "Lifecycle": {"Run": LOOP, "Shutdown": "echo bye > out"}}]
    factory.publish("com.example.A", "1.0.0", {}, Manifests=manifests)
    factory.publish("com.example.B", "1.0.0", counting("b"))
    factory.deploy({"com.example.A": "1.0.0", "com.example.B": "1.0.0"})
    stored = factory.device.root / "packages" / "artifacts" / "com.example.A" / "1.0.0"
    assert (stored / "tool.sh").read_bytes() == b"echo hello"
    factory.deploy({"com.example.B": "1.0.0"})
    assert factory.states() == {"com.example.B": ("1.0.0", "RUNNING")}
    assert factory.written("com.example.A") == "bye\n"
    assert factory.written("com.example.B") == "b\n"
    assert not stored.exists()


BROKEN = [
    ({"Startup": "echo cannot open the model >&2; exit 3"}, "Startup ended with exit code 3", 3),
    ({"Run": "echo attempt; exit 1"}, "Run ended with exit code 1", 3),
    ({"Install": "echo attempt; kill -9 $$"}, "Install ended with signal 9", 3),
    (
        {"Startup": {"Script": "echo attempt; sleep 600", "Timeout": 0.1}},
        "Startup did not end within 0.1 s",
        3,
    ),
]


@pytest.mark.parametrize(("lifecycle", "reason", "attempts"), BROKEN)
def test_a_broken_component_is_rolled_back(
    lifecycle: object, reason: str, attempts: int, factory: Factory
) -> None:
    factory.publish("com.example.App", "1.0.0", {**counting("old"), "Shutdown": "echo stopped >> out"})
    factory.publish("com.example.App", "1.1.0", lifecycle)
    factory.deploy({"com.example.App": "1.0.0"})
    outcome = factory.deploy({"com.example.App": "1.1.0"})
    assert outcome["coreDeviceExecutionStatus"] == "FAILED"
    assert outcome["reason"].startswith("COMPONENT_BROKEN: FAILED_ROLLBACK_COMPLETE: ")
    assert f"com.example.App 1.1.0 is broken: {reason}" in outcome["reason"]
    assert outcome["reason"].endswith(factory.log("com.example.App").splitlines()[-1])
    assert len(factory.log("com.example.App").splitlines()) == attempts
    assert outcome["statusDetails"]["errorStack"] == [
        "DEPLOYMENT_FAILURE",
        "COMPONENT_UPDATE_ERROR",
        "COMPONENT_BROKEN",
    ]
    assert factory.states() == {"com.example.App": ("1.0.0", "RUNNING")}
    assert factory.written("com.example.App") == "old\nstopped\nold\n"


def test_do_nothing_leaves_the_broken_component(factory: Factory) -> None:
    factory.publish("com.example.App", "1.0.0", {"Startup": "exit 1", "Recover": "echo recover >> out"})
    outcome = factory.deploy(
        {"com.example.App": "1.0.0"}, deploymentPolicies={"failureHandlingPolicy": "DO_NOTHING"}
    )
    assert "FAILED_ROLLBACK_NOT_REQUESTED" in outcome["reason"]
    assert factory.states() == {"com.example.App": ("1.0.0", "BROKEN")}
    assert factory.client.get_core_device(coreDeviceThingName=THING)["status"] == "UNHEALTHY"
    assert factory.written("com.example.App") == "recover\nrecover\n"


def test_a_component_that_recovers_is_no_failure(factory: Factory) -> None:
    lifecycle = {"Startup": "[ -e ready ] || exit 1", "Recover": "touch ready"}
    factory.publish("com.example.App", "1.0.0", lifecycle)
    assert factory.deploy({"com.example.App": "1.0.0"})["coreDeviceExecutionStatus"] == "COMPLETED"


NO_STATE_CHANGE: list[tuple[dict[str, object], str]] = [
    (
        {"ComponentDependencies": {"com.example.Gone": {"VersionRequirement": "^1"}}},
        "com.example.Gone is not in",
    ),
    ({"ComponentDependencies": {"com.example.App": {"VersionRequirement": "^7.0.0"}}}, "requires ^7.0.0"),
    ({"Manifests": [{"Platform": {"os": "windows"}}]}, "no manifest of component com.example.New"),
    ({"ComponentType": "aws.greengrass.plugin"}, "aws.greengrass.plugin"),
]


@pytest.mark.parametrize(("recipe", "reason"), NO_STATE_CHANGE)
def test_what_cannot_be_planned_changes_nothing(
    recipe: dict[str, object], reason: str, factory: Factory
) -> None:
    factory.publish("com.example.App", "1.0.0", counting("app"))
    factory.deploy({"com.example.App": "1.0.0"})
    factory.publish("com.example.New", "1.0.0", counting("new"), **recipe)
    outcome = factory.deploy({"com.example.New": "1.0.0", "com.example.App": "1.0.0"})
    assert outcome["coreDeviceExecutionStatus"] == "FAILED"
    assert "FAILED_NO_STATE_CHANGE" in outcome["reason"]
    assert reason in outcome["reason"]
    assert factory.states() == {"com.example.App": ("1.0.0", "RUNNING")}
    assert factory.written("com.example.App") == "app\n"


def test_artifacts_that_changed_or_would_escape_are_refused(factory: Factory) -> None:
    for name, body in (
        ("slip", archive({"../../../escaped": "x"})),
        ("not-a-zip", b"plain"),
        ("swapped", archive({"a": "b"})),
    ):
        uri = factory.upload(f"a/{name}.zip", body)
        manifests = [{"Artifacts": [{"URI": uri, "Unarchive": "ZIP"}]}]
        factory.publish(f"com.example.{name}", "1.0.0", {}, Manifests=manifests)
    factory.upload("a/swapped.zip", archive({"a": "other bytes"}))
    expected = {
        "slip": "outside its folder",
        "not-a-zip": "cannot be unpacked",
        "swapped": "changed after it was published",
    }
    for name, reason in expected.items():
        outcome = factory.deploy({f"com.example.{name}": "1.0.0"})
        assert "FAILED_NO_STATE_CHANGE" in outcome["reason"]
        assert reason in outcome["reason"]
    assert not list(factory.device.root.rglob("escaped"))
    assert not list(factory.device.root.rglob(".unpack-*"))


def test_an_event_tells_of_each_outcome(factory: Factory) -> None:
    factory.publish("com.example.App", "1.0.0", {"Install": "true"})
    done = factory.deploy({"com.example.App": "1.0.0"})
    failed = factory.deploy({"com.example.App": "9.9.9"})
    assert eventually(lambda: len(factory.events) == 2)
    for event, outcome in zip(factory.events, (done, failed), strict=True):
        assert event["source"] == "aws.greengrass"
        assert event["detail-type"] == "Greengrass V2 Effective Deployment Status Change"
        assert event["account"] == ACCOUNT
        assert event["resources"] == [f"arn:aws:greengrass:us-east-1:{ACCOUNT}:coreDevices:{THING}"]
        assert event["detail"] == {
            "deploymentId": outcome["deploymentId"],
            "coreDeviceExecutionStatus": outcome["coreDeviceExecutionStatus"],
            "statusDetails": outcome["statusDetails"],
            "reason": outcome["reason"],
        }
    assert [outcome["coreDeviceExecutionStatus"] for outcome in (done, failed)] == ["COMPLETED", "FAILED"]


def test_a_thing_and_its_group_add_up_and_later_members_catch_up(factory: Factory) -> None:
    iot = factory.context.client("iot", ACCOUNT)
    group = iot.create_thing_group(thingGroupName="line")["thingGroupArn"]
    for thing in (THING, "line-4"):
        iot.create_thing(thingName="line-4")
        iot.add_thing_to_thing_group(thingGroupName="line", thingName=thing)
    factory.publish("com.example.Own", "1.0.0", {"Install": "true"})
    factory.publish("com.example.Shared", "1.0.0", {"Install": "true"})
    factory.deploy({"com.example.Own": "1.0.0"})
    outcome = factory.deploy({"com.example.Shared": "1.0.0"}, targetArn=group)
    assert outcome["coreDeviceExecutionStatus"] == "SUCCEEDED"
    assert set(factory.states()) == {"com.example.Own", "com.example.Shared"}
    later = factory.greengrass.add_device("line-4", ACCOUNT)
    assert eventually(lambda: later.executions() and later.executions()[0].status == "SUCCEEDED")
    listed = factory.client.list_core_devices(thingGroupArn=group)["coreDevices"]
    assert [each["coreDeviceThingName"] for each in listed] == [THING, "line-4"]
    assert factory.greengrass.devices == (factory.device, later)
    assert factory.client.get_deployment(deploymentId=outcome["deploymentId"])["deploymentStatus"] == "ACTIVE"


def test_a_waiting_deployment_is_superseded_or_canceled(factory: Factory) -> None:
    factory.publish("com.example.Slow", "1.0.0", {"Startup": "while [ ! -e go ]; do sleep 0.02; done"})
    factory.publish("com.example.App", "1.0.0", {"Install": "true"})
    ask = factory.client.create_deployment
    running = ask(targetArn=TARGET, components={"com.example.Slow": {"componentVersion": "1.0.0"}})
    work = factory.device.root / "work" / "com.example.Slow"
    assert eventually(work.exists)
    app = {"com.example.App": {"componentVersion": "1.0.0"}}
    superseded, canceled = (ask(targetArn=TARGET, components=app)["deploymentId"] for _ in range(2))
    factory.client.cancel_deployment(deploymentId=canceled)
    with pytest.raises(ClientError, match="only ACTIVE ones") as error:
        factory.client.cancel_deployment(deploymentId=superseded)
    assert error.value.response["Error"]["Code"] == "ConflictException"
    (work / "go").touch()
    assert eventually(
        lambda: factory.outcome(running["deploymentId"])["coreDeviceExecutionStatus"] == "COMPLETED"
    )
    assert factory.outcome(superseded)["coreDeviceExecutionStatus"] == "CANCELED"
    assert factory.outcome(canceled)["coreDeviceExecutionStatus"] == "CANCELED"
    shown = {
        each["deploymentId"]: each["deploymentStatus"]
        for each in factory.client.list_deployments(historyFilter="ALL")["deployments"]
    }
    assert shown == {running["deploymentId"]: "INACTIVE", superseded: "INACTIVE", canceled: "CANCELED"}


def test_close_interrupts_a_deployment_and_leaves_no_process(factory: Factory) -> None:
    script = f"(echo $$ > child; {LOOP}) & wait"
    factory.publish("com.example.Stuck", "1.0.0", {"Startup": script})
    components = {"com.example.Stuck": {"componentVersion": "1.0.0"}}
    factory.client.create_deployment(targetArn=TARGET, components=components)
    assert eventually(lambda: factory.written("com.example.Stuck", "child").endswith("\n"))
    factory.greengrass.close()
    group = factory.written("com.example.Stuck", "child").strip()
    shown = subprocess.run(["ps", "-eo", "pgid=,stat="], capture_output=True, text=True, check=True)
    running = [line.split()[0] for line in shown.stdout.splitlines() if not line.split()[1].startswith("Z")]
    assert running
    assert group not in running


def test_scripts_get_the_nucleus_environment_and_no_secret(
    factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "secret")
    factory.publish("com.example.App", "1.0.0", {"Install": "env > out; command -v python3 > python"})
    factory.deploy({"com.example.App": "1.0.0"})
    given = dict(line.split("=", 1) for line in factory.written("com.example.App").splitlines())
    assert given["AWS_IOT_THING_NAME"] == THING
    assert given["AWS_REGION"] == given["AWS_DEFAULT_REGION"] == "us-east-1"
    assert given["HOME"].startswith(str(factory.device.root))
    assert given["PWD"] == str(factory.device.root / "work" / "com.example.App")
    assert {"GGC_VERSION", "SVCUID"} <= set(given)
    assert not {"SOME_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"} & set(given)
    assert factory.written("com.example.App", "python").strip() == f"{Path(sys.executable).parent}/python3"


def test_a_step_is_skipped_when_its_condition_holds(factory: Factory) -> None:
    lifecycle = {
        "Install": {"Skipif": "onpath sh", "Script": "exit 1"},
        "Startup": {"Skipif": "! exists {work:path}", "Script": "echo started > out"},
    }
    factory.publish("com.example.App", "1.0.0", lifecycle)
    assert factory.deploy({"com.example.App": "1.0.0"})["coreDeviceExecutionStatus"] == "COMPLETED"
    assert factory.written("com.example.App") == "started\n"


def test_components_may_depend_on_the_nucleus(factory: Factory) -> None:
    needs = {"aws.greengrass.Nucleus": {"VersionRequirement": ">=2.0.0 <3.0.0", "DependencyType": "SOFT"}}
    factory.publish("com.example.App", "1.0.0", {"Install": "true"}, ComponentDependencies=needs)
    assert factory.deploy({"com.example.App": "1.0.0"})["coreDeviceExecutionStatus"] == "COMPLETED"
    assert factory.states()["aws.greengrass.Nucleus"] == ("2.14.0", "FINISHED")


def deploy_to_group(factory: Factory, names: list[str], script: str, **configuration: Any) -> str:
    """Deploy to devices in the order in which they are named; return the deployment's id."""
    iot = factory.context.client("iot", ACCOUNT)
    iot.create_thing_group(thingGroupName="line")
    for name in names:
        factory.greengrass.add_device(name, ACCOUNT)
        iot.add_thing_to_thing_group(thingGroupName="line", thingName=name)
    factory.publish("com.example.App", "1.0.0", {"Install": script})
    reply = factory.client.create_deployment(
        targetArn=f"arn:aws:iot:us-east-1:{ACCOUNT}:thinggroup/line",
        components={"com.example.App": {"componentVersion": "1.0.0"}},
        iotJobConfiguration=configuration,
    )
    return str(reply["deploymentId"])


@pytest.mark.parametrize(("minute", "reached"), [(3600.0, ["a-1"]), (0.01, ["a-1", "a-2", "a-3"])])
def test_a_group_is_reached_so_many_a_minute(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, minute: float, reached: list[str]
) -> None:
    monkeypatch.setattr("local_cloud.greengrass.rollout.MINUTE_SECONDS", minute)
    names = ["a-1", "a-2", "a-3"]
    rate = {"maximumPerMinute": 1}
    identifier = deploy_to_group(factory, names, "true", jobExecutionsRolloutConfig=rate)

    def done() -> list[str]:
        return [
            name
            for name in names
            if factory.outcome(identifier, name)["coreDeviceExecutionStatus"] == "SUCCEEDED"
        ]

    assert eventually(lambda: done() == reached)
    shown = factory.client.get_deployment(deploymentId=identifier)["iotJobConfiguration"]
    assert shown == {"jobExecutionsRolloutConfig": rate}


def test_a_group_deployment_is_cancelled_when_too_many_fail(factory: Factory) -> None:
    criteria = {
        "failureType": "ALL",
        "action": "CANCEL",
        "thresholdPercentage": 50.0,
        "minNumberOfExecutedThings": 2,
    }
    script = '[ "$AWS_IOT_THING_NAME" != a-2 ]'
    identifier = deploy_to_group(
        factory,
        ["a-1", "a-2", "a-3"],
        script,
        jobExecutionsRolloutConfig={"maximumPerMinute": 2},
        abortConfig={"criteriaList": [criteria]},
    )

    def status() -> str:
        return str(factory.client.get_deployment(deploymentId=identifier)["deploymentStatus"])

    assert eventually(lambda: status() == "CANCELED")
    assert factory.outcome(identifier, "a-1")["coreDeviceExecutionStatus"] == "SUCCEEDED"
    assert factory.outcome(identifier, "a-2")["coreDeviceExecutionStatus"] == "FAILED"
    assert factory.outcome(identifier, "a-3") == UNKNOWN
