"""Deploys to twenty devices in a whole local cloud, and says when it is in the middle of it."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from local_cloud import interrupts
from local_cloud.cloud import local_cloud
from local_cloud.greengrass.specs import DeviceSpec

ACCOUNT = "210987654321"
RECIPE = {
    "RecipeFormatVersion": "2020-01-25",
    "ComponentName": "com.example.App",
    "ComponentVersion": "1.0.0",
    "Manifests": [{"Lifecycle": {"Startup": "sleep 601 & sleep 602"}}],
}


def main() -> None:
    specs = [DeviceSpec(thing=f"cam-{number}", groups=("line",)) for number in range(20)]
    with interrupts.raised(), local_cloud(Path(sys.argv[1])) as cloud:
        cloud.greengrass.add_fleet(specs, ACCOUNT)
        client = cloud.context.client("greengrassv2", ACCOUNT)
        client.create_component_version(inlineRecipe=json.dumps(RECIPE).encode())
        client.create_deployment(
            targetArn=f"arn:aws:iot:us-east-1:{ACCOUNT}:thinggroup/line",
            components={"com.example.App": {"componentVersion": "1.0.0"}},
        )
        while sum(bool(device.installed()) for device in cloud.greengrass.devices) < 5:
            time.sleep(0.05)
        print("deploying", flush=True)
        while True:
            time.sleep(0.05)  # a signal just before one long sleep would be noticed only after it


if __name__ == "__main__":
    main()
