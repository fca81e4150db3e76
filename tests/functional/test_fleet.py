"""Many virtual devices on one small machine: all of them deploy, and nothing of them is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from moto import mock_aws

from local_cloud.context import Context
from local_cloud.fleet import parse_fleet, read_devices
from local_cloud.greengrass import install
from local_cloud.store import Store
from tests.functional.test_greengrass import ACCOUNT, LOOP, Factory, eventually

if TYPE_CHECKING:
    from local_cloud.greengrass import Greengrass

APP, TOOL = "com.example.App", "com.example.Tool"
MANY = [pytest.param(20, id="20"), pytest.param(200, id="200", marks=pytest.mark.soak)]
SECONDS = 600


def mine() -> set[int]:
    """Return the processes below this one."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(path.parent.name)] = int(fields[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def shared_memory() -> set[str]:
    return {each.name for each in Path("/dev/shm").iterdir()} if Path("/dev/shm").is_dir() else set()


def deploy_to_fleet(greengrass: Greengrass, factory: Factory, count: int) -> float:
    """Deploy to a fleet and return the seconds from the request to the last device's success."""
    specs = parse_fleet(f"version: 1\ndevices: {{'station-{{1..{count}}}': {{groups: [line]}}}}", path="x")
    devices = greengrass.add_fleet(specs, ACCOUNT)
    begun = time.monotonic()
    identifier = factory.client.create_deployment(
        targetArn=f"arn:aws:iot:us-east-1:{ACCOUNT}:thinggroup/line",
        components={APP: {"componentVersion": "1.0.0"}},
    )["deploymentId"]
    limit = begun + SECONDS
    while any(not each.executions()[0].is_over for each in devices) and time.monotonic() < limit:
        time.sleep(0.05)
    took = time.monotonic() - begun
    for device in devices:
        assert device.executions()[0].order.deployment_id == identifier
        assert device.executions()[0].status == "SUCCEEDED", device.executions()[0].reason
    return took


@pytest.mark.parametrize("count", MANY)
def test_a_fleet_deploys_and_leaves_nothing(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    threads, processes, memory = set(threading.enumerate()), mine(), shared_memory()
    store = Store(tmp_path)
    context = Context(state_dir=tmp_path, store=store)
    greengrass = install(context)
    try:
        with mock_aws():
            factory = Factory(context, greengrass, [])
            uri = factory.upload("a/tool.sh", b"echo tool > tool")
            lifecycle = {"Install": "sh {artifacts:path}/tool.sh"}
            factory.publish(
                TOOL, "1.0.0", {}, Manifests=[{"Artifacts": [{"URI": uri}], "Lifecycle": lifecycle}]
            )
            needs = {TOOL: {"VersionRequirement": "^1.0.0"}}
            run = {"Run": f"trap 'exit 0' TERM; {LOOP.replace('0.05', '1')}"}
            factory.publish(APP, "1.0.0", run, ComponentDependencies=needs)
            took = deploy_to_fleet(greengrass, factory, count)
            pages = factory.client.get_paginator("list_core_devices").paginate(status="HEALTHY")
            assert sum(len(page["coreDevices"]) for page in pages) == count + 1
            begun = time.monotonic()
            greengrass.close()
            closing = time.monotonic() - begun
    finally:
        greengrass.close()
        store.close()
    with capsys.disabled():
        print(f"\n{count} devices deployed in {took:.1f} s and closed in {closing:.1f} s")
    assert len([each for each in read_devices(tmp_path) if each.components]) == count
    assert set(threading.enumerate()) <= threads
    assert eventually(lambda: mine() <= processes)
    assert eventually(lambda: shared_memory() <= memory), "other tests may have some for a while"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_cloud_that_is_stopped_while_it_deploys_leaves_no_process(
    number: signal.Signals, tmp_path: Path
) -> None:
    memory = shared_memory()
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.functional.fleet_program", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert program.stdout is not None
        assert program.stdout.readline() == "deploying\n"
        program.send_signal(number)
        assert program.wait(60) != 0
        program.stdout.close()
    finally:
        program.kill()
        program.wait()
    assert eventually(lambda: not working_in(tmp_path))
    assert eventually(lambda: shared_memory() <= memory), "other tests may have some for a while"


def working_in(folder: Path) -> list[str]:
    """Return the processes whose working folder lies in a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if path.readlink().is_relative_to(folder):
                found.append(path.parent.name)
    return found
