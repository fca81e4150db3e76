"""What goes wrong on request: each fault on a virtual device, and what AWS would show of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud.greengrass.faults import Fault
from local_cloud.greengrass.platforms import host_attributes
from local_cloud.greengrass.specs import DeviceSpec
from tests.functional.test_greengrass import ACCOUNT, LOOP, THING, Factory, counting, eventually, factory

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["factory"]

APP = "com.example.App"
FOREIGN = "aarch64" if host_attributes()["architecture"] == "amd64" else "amd64"
ELF_MACHINES = {"amd64": 62, "aarch64": 183}


def elf(architecture: str) -> bytes:
    """Return the first bytes of a program that is compiled for an architecture."""
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + (2).to_bytes(2, "little")
    return header + ELF_MACHINES[architecture].to_bytes(2, "little") + bytes(44)


def publish_with_artifact(factory: Factory, body: bytes = b"data") -> None:
    uri = factory.upload("a/tool.bin", body)
    manifests = [{"Artifacts": [{"URI": uri}], "Lifecycle": {"Install": "true"}}]
    factory.publish(APP, "1.0.0", {}, Manifests=manifests)


def status(factory: Factory) -> str:
    return str(factory.client.get_core_device(coreDeviceThingName=THING)["status"])


def test_a_device_that_is_offline_gets_its_deployments_when_it_is_back(factory: Factory) -> None:
    factory.publish(APP, "1.0.0", counting("one"))
    factory.publish(APP, "2.0.0", counting("two"))
    factory.deploy({APP: "1.0.0"})
    factory.device.set_faults([Fault(kind="offline")])
    reported = factory.client.get_core_device(coreDeviceThingName=THING)["lastStatusUpdateTimestamp"]
    identifier = factory.client.create_deployment(
        targetArn=f"arn:aws:iot:us-east-1:{ACCOUNT}:thing/{THING}",
        components={APP: {"componentVersion": "2.0.0"}},
    )["deploymentId"]
    time.sleep(0.3)
    assert factory.outcome(identifier)["coreDeviceExecutionStatus"] == "QUEUED"
    shown = factory.client.get_core_device(coreDeviceThingName=THING)
    assert (shown["status"], shown["lastStatusUpdateTimestamp"]) == ("HEALTHY", reported)
    assert factory.states() == {APP: ("1.0.0", "RUNNING")}
    factory.device.set_faults([])
    assert eventually(lambda: factory.outcome(identifier)["coreDeviceExecutionStatus"] == "COMPLETED")
    assert factory.states() == {APP: ("2.0.0", "RUNNING")}


@pytest.mark.parametrize(
    "fault", [Fault(kind="offline", lasts=0.3), Fault(kind="flapping", every=0.2)], ids=lambda each: each.kind
)
def test_a_connection_that_comes_back_by_itself(factory: Factory, fault: Fault) -> None:
    factory.publish(APP, "1.0.0", counting("one"))
    factory.device.set_faults([fault])
    assert factory.deploy({APP: "1.0.0"})["coreDeviceExecutionStatus"] == "COMPLETED"


def test_what_breaks_while_a_device_is_offline_is_told_later(factory: Factory) -> None:
    factory.publish(APP, "1.0.0", {"Run": "while [ ! -e stop ]; do sleep 0.05; done; exit 1"})
    factory.deploy({APP: "1.0.0"})
    factory.device.set_faults([Fault(kind="offline")])
    (factory.device.root / "work" / APP / "stop").touch()
    log = factory.device.root / "logs" / "greengrass.log"
    assert eventually(lambda: "BROKEN" in log.read_text())
    assert status(factory) == "HEALTHY"
    factory.device.set_faults([])
    assert eventually(lambda: status(factory) == "UNHEALTHY")


def test_a_slow_device_misses_the_limit_of_a_step(factory: Factory) -> None:
    factory.publish(APP, "1.0.0", {"Install": {"Script": "true", "Timeout": 0.2}})
    factory.device.set_faults([Fault(kind="slow", delay=0.5)])
    outcome = factory.deploy({APP: "1.0.0"})
    assert "Install did not end within 0.2 s" in outcome["reason"]


def test_a_slow_device_takes_so_many_times_as_long(factory: Factory) -> None:
    factory.publish(APP, "1.0.0", {"Install": {"Script": "sleep 0.2", "Timeout": 2}})
    factory.device.set_faults([Fault(kind="slow", factor=50.0)])
    outcome = factory.deploy({APP: "1.0.0"})
    assert "Install did not end within 2 s" in outcome["reason"]


def test_a_component_that_is_not_meant_is_not_slow(factory: Factory) -> None:
    factory.publish(APP, "1.0.0", {"Install": {"Script": "true", "Timeout": 60}})
    factory.device.set_faults([Fault(kind="slow", delay=600.0, components=("com.example.Other",))])
    assert factory.deploy({APP: "1.0.0"})["coreDeviceExecutionStatus"] == "COMPLETED"


def test_a_full_disk_fails_the_download_as_the_nucleus_tells_it(factory: Factory) -> None:
    publish_with_artifact(factory)
    factory.device.set_faults([Fault(kind="disk-full", components=(APP,))])
    outcome = factory.deploy({APP: "1.0.0"})
    assert "DISK_SPACE_CRITICAL: FAILED_NO_STATE_CHANGE" in outcome["reason"]
    assert outcome["statusDetails"] == {
        "errorStack": ["DEPLOYMENT_FAILURE", "ARTIFACT_DOWNLOAD_ERROR", "IO_ERROR", "DISK_SPACE_CRITICAL"],
        "errorTypes": ["DEVICE_ERROR"],
    }
    factory.device.set_faults([])
    assert factory.deploy({APP: "1.0.0"})["coreDeviceExecutionStatus"] == "COMPLETED"


@pytest.mark.parametrize(("times", "expected"), [(2, "COMPLETED"), (3, "FAILED"), (None, "FAILED")])
def test_install_crashes_so_many_times(factory: Factory, times: int | None, expected: str) -> None:
    factory.publish(APP, "1.0.0", counting("up"))
    factory.device.set_faults([Fault(kind="crash-in-install", times=times, components=(APP,))])
    outcome = factory.deploy({APP: "1.0.0"})
    assert outcome["coreDeviceExecutionStatus"] == expected
    assert "fault: crash-in-install" in factory.log(APP)
    assert ("Install ended with signal 11" in outcome["reason"]) == (expected == "FAILED")


def test_a_device_that_is_not_what_it_was_said_to_be(factory: Factory) -> None:
    platform = {"os": "linux", "architecture": host_attributes()["architecture"]}
    factory.publish(APP, "1.0.0", {}, Manifests=[{"Platform": platform, "Lifecycle": {"Install": "true"}}])
    factory.device.set_faults([Fault(kind="architecture-mismatch")])
    outcome = factory.deploy({APP: "1.0.0"})
    assert "COMPONENT_INCOMPATIBLE_PLATFORM_ERROR: FAILED_NO_STATE_CHANGE" in outcome["reason"]
    assert f"architecture={FOREIGN}" in outcome["reason"]


@pytest.mark.parametrize("lifecycle", [{"Run": LOOP}, {"Startup": "true"}], ids=["Run", "Startup"])
def test_a_component_that_falls_ill_breaks(factory: Factory, lifecycle: dict[str, str]) -> None:
    factory.publish(APP, "1.0.0", lifecycle)
    factory.device.set_faults([Fault(kind="unhealthy", after=1.5, components=(APP,))])
    assert factory.deploy({APP: "1.0.0"})["coreDeviceExecutionStatus"] == "COMPLETED"
    assert eventually(lambda: status(factory) == "UNHEALTHY")
    listed = factory.client.list_installed_components(coreDeviceThingName=THING)["installedComponents"]
    assert [(each["lifecycleState"], each["lifecycleStateDetails"]) for each in listed] == [
        ("BROKEN", "fault: unhealthy")
    ]
    unhealthy = factory.client.list_core_devices(status="UNHEALTHY")["coreDevices"]
    assert [each["coreDeviceThingName"] for each in unhealthy] == [THING]


def fleet(factory: Factory, *specs: DeviceSpec) -> Iterable[Any]:
    return factory.greengrass.add_fleet(specs, ACCOUNT)


def test_a_device_of_another_architecture_chooses_its_own_manifest(factory: Factory) -> None:
    manifests = [
        {"Platform": {"architecture": each}, "Lifecycle": {"Install": f"echo {each} > out"}}
        for each in ("amd64", "aarch64")
    ]
    factory.publish(APP, "1.0.0", {}, Manifests=manifests)
    (device,) = fleet(factory, DeviceSpec(thing="foreign", architecture=FOREIGN, groups=("line",)))
    identifier = factory.client.create_deployment(
        targetArn=f"arn:aws:iot:us-east-1:{ACCOUNT}:thinggroup/line",
        components={APP: {"componentVersion": "1.0.0"}},
    )["deploymentId"]
    assert eventually(
        lambda: factory.outcome(identifier, "foreign")["coreDeviceExecutionStatus"] == "SUCCEEDED"
    )
    assert (device.root / "work" / APP / "out").read_text() == f"{FOREIGN}\n"
    assert factory.client.get_core_device(coreDeviceThingName="foreign")["architecture"] == FOREIGN


@pytest.mark.parametrize(
    ("compiled_for", "said"),
    [
        (FOREIGN, "does not emulate other processors"),
        (host_attributes()["architecture"], f"and the device is {FOREIGN}"),
    ],
)
def test_compiled_code_on_a_device_of_another_architecture_is_refused(
    factory: Factory, compiled_for: str, said: str
) -> None:
    publish_with_artifact(factory, elf(compiled_for))
    fleet(factory, DeviceSpec(thing="foreign", architecture=FOREIGN))
    identifier = factory.client.create_deployment(
        targetArn=f"arn:aws:iot:us-east-1:{ACCOUNT}:thing/foreign",
        components={APP: {"componentVersion": "1.0.0"}},
    )["deploymentId"]
    assert eventually(lambda: factory.outcome(identifier, "foreign")["coreDeviceExecutionStatus"] == "FAILED")
    reason = factory.outcome(identifier, "foreign")["reason"]
    assert f"tool.bin of component {APP} 1.0.0 is compiled for {compiled_for}" in reason
    assert said in reason


def test_a_fleet_has_things_groups_attributes_and_tags(factory: Factory) -> None:
    spec = DeviceSpec(
        thing="cam-1", groups=("line", "hall"), attributes={"line": "3"}, labels={"team": "vision"}
    )
    (device,) = fleet(factory, spec)
    iot = factory.context.client("iot", ACCOUNT)
    groups = iot.list_thing_groups_for_thing(thingName="cam-1")["thingGroups"]
    assert {each["groupName"] for each in groups} == {"line", "hall"}
    assert iot.describe_thing(thingName="cam-1")["attributes"] == {"line": "3"}
    assert factory.client.get_core_device(coreDeviceThingName="cam-1")["tags"] == {"team": "vision"}
    assert fleet(factory, spec) == (device,)
    fleet(factory, DeviceSpec(thing="cam-1", faults=(Fault(kind="offline"),)))
    assert device.spec.faults == (Fault(kind="offline"),)
