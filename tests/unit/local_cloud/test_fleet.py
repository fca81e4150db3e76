"""fleet: what devices.yaml may say, where its mistakes are shown, and what the store tells of devices."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local_cloud.fleet import complete, parse_fleet, read_devices, read_fleet
from local_cloud.greengrass.faults import Fault
from local_cloud.greengrass.memory import DEVICES, EXECUTIONS, Memory
from local_cloud.greengrass.specs import DeviceSpec, read_spec
from local_cloud.store import Store
from pipelines.diagnostics import SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable


def parse(*lines: str) -> tuple[DeviceSpec, ...]:
    return parse_fleet("\n".join(["version: 1", "devices:", *lines, ""]), path="devices.yaml")


def things(specs: Iterable[DeviceSpec]) -> list[str]:
    return [each.thing for each in specs]


def test_a_device_with_everything() -> None:
    (spec,) = parse(
        "  line-3-station-1:",
        "    architecture: aarch64",
        "    groups: [line-3, all]",
        "    attributes: {line: 3, hall: north}",
        "    labels: {team: vision}",
        "    faults:",
        "      offline: {for: 2m}",
        "      slow: {delay: 2s, factor: 1.5, components: [com.example.App]}",
        "      disk-full:",
        "      crash-in-install: {times: 2}",
        "      unhealthy: {after: 10s}",
        "      flapping: {every: 3s}",
    )
    assert spec == DeviceSpec(
        thing="line-3-station-1",
        architecture="aarch64",
        groups=("line-3", "all"),
        attributes={"line": "3", "hall": "north"},
        labels={"team": "vision"},
        faults=(
            Fault(kind="offline", lasts=120.0),
            Fault(kind="flapping", every=3.0),
            Fault(kind="slow", delay=2.0, factor=1.5, components=("com.example.App",)),
            Fault(kind="disk-full"),
            Fault(kind="crash-in-install", times=2),
            Fault(kind="unhealthy", after=10.0),
        ),
    )
    assert read_spec(spec.document()) == spec


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["  cam:"], ["cam"]),
        (["  cam-{1..3}:"], ["cam-1", "cam-2", "cam-3"]),
        (["  cam-{08..10}-left: {architecture: arm}"], ["cam-08-left", "cam-09-left", "cam-10-left"]),
        (["  cam: {count: 2}", "  other: {}"], ["cam-1", "cam-2", "other"]),
    ],
)
def test_names_and_how_many(lines: list[str], expected: list[str]) -> None:
    assert things(parse(*lines)) == expected


@pytest.mark.parametrize(
    ("lines", "place", "said"),
    [
        (["  cam: {architectur: amd64}"], "3:9: P010", "Did you mean 'architecture'?"),
        (["  cam: {architecture: arm64}"], "3:23: P013", "one of amd64, x86, arm, aarch64"),
        (["  cam:", "    faults: {ofline: {}}"], "4:14: P010", "Did you mean 'offline'?"),
        (["  cam:", "    faults: {offline: {for: soon}}"], "4:29: P013", "a whole number and a unit"),
        (["  cam:", "    faults: {slow: {}}"], "4:20: D003", "Write {delay: 2s}"),
        (["  cam:", "    faults: {slow: }"], "4:20: D003", "neither 'delay' nor 'factor'"),
        (["  cam-{1..3}:", "  cam-2:"], "4:3: D001", "two devices 'cam-2'; the other is of line 3"),
        (["  cam-{3..1}:"], "3:3: D002", "must go up"),
        (["  cam-{1..999999}:"], "3:3: D002", "2000 devices in all"),
        (["  cam-{1..2}: {count: 2}"], "3:3: D002", "both a range and a count"),
        (["  ../../cam:"], "3:3: P013", "letters, digits, - and _"),
        (["  cam: {groups: [a, a]}"], "3:21: P013", "twice"),
        (["  cam:", "  cam:"], "4:3: P003", "cam"),
        (["  cam: [1]"], "3:8: P012", "must be a mapping"),
    ],
)
def test_mistakes_are_shown_at_their_place(lines: list[str], place: str, said: str) -> None:
    with pytest.raises(SpecError) as error:
        parse(*lines)
    assert str(error.value).startswith(f"devices.yaml:{place} ")
    assert said in str(error.value)


def test_the_documented_fleet_is_one() -> None:
    page = Path(__file__).parents[3].joinpath("docs", "operations.md").read_text(encoding="utf-8")
    shown = next(text for text in page.split("```yaml\n")[1:] if "devices:" in text).partition("```")[0]
    assert len(parse_fleet(shown, path="devices.yaml")) == 41


def test_all_mistakes_are_shown_at_once() -> None:
    with pytest.raises(SpecError) as error:
        parse("  a: {architecture: z80}", "  b: {count: 0}")
    assert [each.code for each in error.value.diagnostics] == ["P013", "P013"]


def test_a_fleet_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "devices.yaml"
    path.write_bytes(b"version: 1\ndevices: {a: }\n")
    assert things(read_fleet(path)) == ["a"]
    path.write_bytes(b"version: 2\n")
    with pytest.raises(SpecError, match=r"P011 the fleet has no 'devices'"):
        read_fleet(path)


def test_targets_that_no_device_answers_for_get_one() -> None:
    fleet = parse("  cam: {groups: [line-3]}", "  spare:")
    targets = ["thing/cam", "thing/new", "thinggroup/line-3", "thinggroup/line-4"]
    assert complete(fleet, targets) == (
        *fleet,
        DeviceSpec(thing="new"),
        DeviceSpec(thing="line-4-device-1", groups=("line-4",)),
    )


def test_devices_are_read_from_the_store_alone(tmp_path: Path) -> None:
    assert read_devices(tmp_path) == ()
    assert list(tmp_path.iterdir()) == []
    store = Store(tmp_path)
    memory = Memory(store, "1")
    component = {
        "name": "com.example.App",
        "version": "1.0.0",
        "state": "RUNNING",
        "detail": "",
        "is_root": True,
    }
    memory.keep(
        DEVICES,
        "cam",
        {
            "thing": "cam",
            "spec": DeviceSpec(thing="cam", groups=("line",), faults=(Fault(kind="offline"),)).document(),
            "architecture": "amd64",
            "status": "HEALTHY",
            "updated": "2026-01-01T00:00:00+00:00",
            "components": [{**component, "is_root": True}],
        },
    )
    for number in (1, 2):
        execution = {
            "thing": "cam",
            "number": number,
            "order": {"deployment_id": f"d{number}", "target": "arn:aws:iot:r:1:thing/cam"},
            "status": "COMPLETED",
            "reason": "SUCCESSFUL",
            "modified": "2026-01-01T00:00:00+00:00",
        }
        memory.keep(EXECUTIONS, f"cam/d{number}", execution)
    store.close()
    (device,) = read_devices(tmp_path)
    assert (device.thing, device.account, device.status, device.groups) == ("cam", "1", "HEALTHY", ("line",))
    assert device.faults == ("offline",)
    assert [each.id for each in device.deployments] == ["d2", "d1"]
    assert [(each.name, each.state) for each in device.components] == [("com.example.App", "RUNNING")]
    assert device.components[0].log == tmp_path / "devices" / "cam" / "logs" / "com.example.App.log"
