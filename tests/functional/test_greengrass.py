"""Real components on virtual core devices, driven through boto3."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws

from local_cloud.context import Context
from local_cloud.greengrass import Device, Greengrass, install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

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
