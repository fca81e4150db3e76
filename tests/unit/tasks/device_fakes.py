"""In-memory Greengrass V2 and IoT thing groups."""

# ruff: noqa: N803 - the fakes' parameters are AWS's own names

from __future__ import annotations

import re
from typing import Any

from tests.unit.tasks.faults import page_of, refuse


class InMemoryGreengrass:
    """Components and deployments; `devices` says what each core device reports, deployment id → fields."""

    def __init__(self) -> None:
        self.components: dict[str, dict[str, Any]] = {}
        self.recipes: dict[str, bytes] = {}
        self.states = ["DEPLOYABLE"]
        """What a component's state is at each look; the last one stays."""
        self.deployments: list[dict[str, Any]] = []
        self.devices: dict[str, dict[str, dict[str, Any]]] = {}
        self.unhealthy: set[str] = set()
        self.installed: dict[str, dict[str, str]] = {}
        """Device → component → lifecycle state."""

    def register(self, arn: str, version: str, recipe: bytes = b"{}", **fields: Any) -> None:
        key = f"{arn}:versions:{version}"
        self.components[key] = {"componentVersion": version, "tags": {}, **fields}
        self.recipes[key] = recipe

    def create_component_version(
        self, *, inlineRecipe: bytes, tags: dict[str, str], **_: Any
    ) -> dict[str, Any]:
        text = inlineRecipe.decode()
        name, version = (
            re.search(rf'"Component{key}": "([^"]+)"', text).group(1)  # type: ignore[union-attr]  # the recipe is ours
            for key in ("Name", "Version")
        )
        arn = f"arn:aws:greengrass:us-east-1:210987654321:components:{name}"
        if f"{arn}:versions:{version}" in self.components:
            refuse("ConflictException", status=409)
        self.register(arn, version, inlineRecipe, tags=tags)
        return {"arn": f"{arn}:versions:{version}"}

    def describe_component(self, *, arn: str) -> dict[str, Any]:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return {**self._component(arn), "status": {"componentState": state, "message": "told so"}}

    def get_component(self, *, arn: str, recipeOutputFormat: str) -> dict[str, Any]:
        assert recipeOutputFormat == "JSON"
        self._component(arn)
        return {"recipe": self.recipes[arn]}

    def list_component_versions(self, *, arn: str, nextToken: str = "0") -> dict[str, Any]:
        found = [item for key, item in self.components.items() if key.startswith(f"{arn}:versions:")]
        if not found:
            refuse("ResourceNotFoundException", status=404)
        return page_of("componentVersions", found, nextToken)

    def create_deployment(self, **request: Any) -> dict[str, Any]:
        for other in self.deployments:
            if other["targetArn"] == request["targetArn"]:
                other["isLatestForTarget"] = False
        number = f"{len(self.deployments) + 1:08d}"
        self.deployments.append(
            {**request, "deploymentId": number, "deploymentStatus": "ACTIVE", "isLatestForTarget": True}
        )
        return {"deploymentId": number}

    def get_deployment(self, *, deploymentId: str) -> dict[str, Any]:
        return next(item for item in self.deployments if item["deploymentId"] == deploymentId)

    def list_deployments(self, *, targetArn: str, historyFilter: str, nextToken: str = "0") -> dict[str, Any]:
        assert historyFilter == "ALL"
        found = [item for item in self.deployments if item["targetArn"] == targetArn]
        return page_of("deployments", found, nextToken)

    def cancel_deployment(self, *, deploymentId: str) -> dict[str, Any]:
        self.get_deployment(deploymentId=deploymentId)["deploymentStatus"] = "CANCELED"
        return {}

    def get_core_device(self, *, coreDeviceThingName: str) -> dict[str, Any]:
        if coreDeviceThingName not in self.devices:
            refuse("ResourceNotFoundException", status=404)
        status = "UNHEALTHY" if coreDeviceThingName in self.unhealthy else "HEALTHY"
        return {"coreDeviceThingName": coreDeviceThingName, "status": status}

    def list_installed_components(
        self, *, coreDeviceThingName: str, topologyFilter: str, nextToken: str = "0"
    ) -> dict[str, Any]:
        assert topologyFilter == "ALL"
        states = self.installed.get(coreDeviceThingName, {}).items()
        found = [{"componentName": name, "lifecycleState": state} for name, state in states]
        return page_of("installedComponents", found, nextToken)

    def list_effective_deployments(self, *, coreDeviceThingName: str, nextToken: str = "0") -> dict[str, Any]:
        reports = self.devices.get(coreDeviceThingName, {})
        found = [{"deploymentId": key, **fields} for key, fields in reports.items()]
        return page_of("effectiveDeployments", found, nextToken)

    def _component(self, arn: str) -> dict[str, Any]:
        if arn not in self.components:
            refuse("ResourceNotFoundException", status=404)
        return self.components[arn]


class InMemoryIot:
    """Thing groups."""

    def __init__(self) -> None:
        self.groups: dict[str, list[str]] = {}

    def list_things_in_thing_group(
        self, *, thingGroupName: str, recursive: bool, nextToken: str = "0"
    ) -> Any:
        assert recursive
        if thingGroupName not in self.groups:
            refuse("ResourceNotFoundException", status=404)
        return page_of("things", self.groups[thingGroupName], nextToken)
