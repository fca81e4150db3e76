"""Greengrass after the cloud was closed, or killed: everything is there, and what was under way goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from local_cloud.context import Context
from local_cloud.fleet import read_devices
from local_cloud.greengrass import install
from local_cloud.greengrass.faults import Fault
from local_cloud.greengrass.specs import DeviceSpec
from local_cloud.store import Store
from tests.functional.test_greengrass import ACCOUNT, LOOP, THING, Factory, counting, eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "com.example.App"


@contextmanager
def opened(folder: Path) -> Iterator[Factory]:
    """Open the cloud of a folder; moto's own services are new each time, Greengrass is not."""
    with closing(Store(folder)) as store:
        context = Context(state_dir=folder, store=store)
        greengrass = install(context)
        try:
            with mock_aws():
                context.client("iot", ACCOUNT).create_thing(thingName=THING)
                greengrass.reopen()
                yield Factory(context, greengrass, [])
                greengrass.close()
        finally:
            greengrass.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    return tmp_path


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def test_components_restart_with_their_configuration_and_nothing_is_deployed_again(folder: Path) -> None:
    update = {"componentVersion": "1.0.0", "configurationUpdate": {"merge": '{"word": "hello"}'}}
    with opened(folder) as before:
        lifecycle = {
            "Install": "echo install >> out",
            "Run": f"echo '{{configuration:/word}}' >> out; {LOOP}",
        }
        configuration = {"DefaultConfiguration": {"word": "default"}}
        before.publish(APP, "1.0.0", lifecycle, ComponentConfiguration=configuration)
        done = before.deploy({APP: update}, deploymentName="first", clientToken="token-1")
        (component,) = before.client.list_components()["components"]
        deployment = before.client.get_deployment(deploymentId=done["deploymentId"])
        before.client.tag_resource(
            resourceArn=f"arn:aws:greengrass:us-east-1:{ACCOUNT}:coreDevices:{THING}", tags={"a": "b"}
        )
    with opened(folder) as after:
        assert eventually(lambda: after.written(APP) == "install\nhello\n" * 2)
        assert eventually(lambda: after.states() == {APP: ("1.0.0", "RUNNING")})
        assert after.client.list_components()["components"] == [component]
        again = after.client.get_deployment(deploymentId=done["deploymentId"])
        assert without_times(again) == without_times(deployment)
        assert after.outcome(done["deploymentId"]) == done
        assert after.client.get_core_device(coreDeviceThingName=THING)["tags"] == {"a": "b"}
        repeated = after.client.create_deployment(
            targetArn=done["targetArn"], components={APP: update}, clientToken="token-1"
        )
        assert repeated["deploymentId"] == done["deploymentId"]
        assert len(after.device.executions()) == 1
        after.publish(APP, "2.0.0", counting("two"))
        after.deploy({APP: "2.0.0"})
        assert after.states() == {APP: ("2.0.0", "RUNNING")}


def test_a_deployment_that_was_interrupted_goes_on(folder: Path) -> None:
    with opened(folder) as before:
        before.publish(APP, "1.0.0", counting("old"))
        before.deploy({APP: "1.0.0"})
        before.publish(APP, "2.0.0", {"Startup": "[ -e go ] || sleep 600"})
        identifier = before.client.create_deployment(
            targetArn=f"arn:aws:iot:us-east-1:{ACCOUNT}:thing/{THING}",
            components={APP: {"componentVersion": "2.0.0"}},
        )["deploymentId"]
        assert eventually(lambda: before.states().get(APP) == ("2.0.0", "STARTING"))
        (before.device.root / "work" / APP / "go").touch()
    with opened(folder) as after:
        assert eventually(lambda: after.outcome(identifier)["coreDeviceExecutionStatus"] == "COMPLETED")
        assert after.states() == {APP: ("2.0.0", "RUNNING")}


def test_a_deployment_that_its_devices_never_heard_of_reaches_them(folder: Path) -> None:
    with opened(folder) as before:
        before.publish(APP, "1.0.0", counting("one"))
        before.deploy({APP: "1.0.0"})
        before.device.set_faults([Fault(kind="offline")])
        identifier = before.client.create_deployment(
            targetArn=f"arn:aws:iot:us-east-1:{ACCOUNT}:thing/{THING}", components={}
        )["deploymentId"]
        # Killed between keeping the deployment and telling the device: as if it never had heard.
        before.context.store.delete("greengrass.executions", f"{ACCOUNT}/{THING}/{identifier}")  # type: ignore[union-attr]  # opened with one
    with opened(folder) as after:
        assert after.device.spec.faults == (Fault(kind="offline"),)
        after.device.set_faults([])
        assert eventually(lambda: after.outcome(identifier)["coreDeviceExecutionStatus"] == "COMPLETED")
        assert after.states() == {}


def test_a_deleted_device_and_a_deleted_deployment_stay_deleted(folder: Path) -> None:
    with opened(folder) as before:
        before.greengrass.add_fleet([DeviceSpec(thing="gone")], ACCOUNT)
        before.publish(APP, "1.0.0", counting("one"))
        first = before.deploy({APP: "1.0.0"})["deploymentId"]
        second = before.deploy({APP: "1.0.0"})["deploymentId"]
        before.client.delete_deployment(deploymentId=first)
        before.client.delete_core_device(coreDeviceThingName="gone")
    with opened(folder) as after:
        listed = after.client.list_deployments(historyFilter="ALL")["deployments"]
        assert [each["deploymentId"] for each in listed] == [second]
        shown = after.client.list_core_devices()["coreDevices"]
        assert [each["coreDeviceThingName"] for each in shown] == [THING]
        effective = after.client.list_effective_deployments(coreDeviceThingName=THING)
        assert len(effective["effectiveDeployments"]) == 2


def test_devices_are_told_without_a_running_cloud(folder: Path) -> None:
    with opened(folder) as cloud:
        cloud.publish(APP, "1.0.0", counting("one"))
        done = cloud.deploy({APP: "1.0.0"})
    (device,) = read_devices(folder)
    assert (device.thing, device.status) == (THING, "HEALTHY")
    assert [(each.name, each.version, each.state) for each in device.components] == [
        (APP, "1.0.0", "RUNNING")
    ]
    assert [(each.id, each.status) for each in device.deployments] == [(done["deploymentId"], "COMPLETED")]
    assert (device.logs / "greengrass.log").exists()


KILLED = """
import sys
from pathlib import Path
from tests.functional.test_reopening import APP, THING, ACCOUNT, LOOP, opened
with opened(Path(sys.argv[1])) as cloud:
    cloud.publish(APP, "1.0.0", {"Run": f"echo $$ > pid; {LOOP}"})
    cloud.deploy({APP: "1.0.0"})
    cloud.publish(APP, "2.0.0", {"Startup": "echo $$ > pid; touch begun; [ -e go ] || sleep 600"})
    cloud.client.create_deployment(
        targetArn=f"arn:aws:iot:us-east-1:{ACCOUNT}:thing/{THING}",
        components={APP: {"componentVersion": "2.0.0"}},
    )
    import time
    time.sleep(600)
"""


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_cloud_leaves_nothing_and_goes_on(folder: Path, number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], env=environment)
    work = folder / "devices" / THING / "work" / APP
    try:
        assert eventually((work / "begun").exists)
        pid = int((work / "pid").read_text())
        process.send_signal(number)
        process.wait(60)
    finally:
        process.kill()
    assert eventually(lambda: not is_alive(pid))
    (work / "go").touch()
    with opened(folder) as after:
        assert eventually(lambda: after.states() == {APP: ("2.0.0", "RUNNING")})
        assert eventually(lambda: after.device.executions()[0].status == "COMPLETED")
