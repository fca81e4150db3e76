"""What Greengrass and IoT say about devices and the deployments that reach them: questions only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks import aws
from tasks.rollout import Placement
from tasks.waves import Health

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tasks.aws import Client
    from tasks.event import Run, UseCase

ACTIONS = (
    "greengrass:GetCoreDevice",
    "greengrass:GetDeployment",
    "greengrass:ListDeployments",
    "greengrass:ListEffectiveDeployments",
    "greengrass:ListInstalledComponents",
    "iot:ListThingsInThingGroup",
)

UNKNOWN = ("ResourceNotFoundException",)
"""What Greengrass answers about something that does not exist."""


def target_arn(usecase: UseCase, target: str) -> str:
    """Return the ARN of thing/NAME or thinggroup/NAME."""
    return f"arn:{usecase.role_arn.split(':')[1]}:iot:{usecase.region}:{usecase.account}:{target}"


def find_placement(
    client: Client, usecase: UseCase, target: str, name: str
) -> tuple[Placement | None, str | None]:
    """Return the deployment called `name` on a target, and the id of the target's latest, whoever made it."""
    ours, latest = None, None
    request = {"targetArn": target_arn(usecase, target), "historyFilter": "ALL"}
    for item in _pages(client.list_deployments, request, "deployments"):
        if item.get("isLatestForTarget"):
            latest = item["deploymentId"]
        if item.get("deploymentName") == name:
            ours = Placement(
                target=target,
                deployment_id=item["deploymentId"],
                status=item["deploymentStatus"],
                is_latest=bool(item.get("isLatestForTarget")),
            )
    return ours, latest


def list_devices(usecase: UseCase, run: Run, target: str) -> list[str]:
    """Return the names of the core devices that a target means; none for a group that does not exist."""
    kind, _, name = target.partition("/")
    if kind == "thing":
        return [name]
    iot = aws.client("iot", usecase, run)
    return list(_pages(iot.list_things_in_thing_group, {"thingGroupName": name, "recursive": True}, "things"))


def read_execution(client: Client, device: str, deployment_id: str) -> Mapping[str, Any] | None:
    """Return what a device reports about a deployment; None when it reports nothing."""
    pages = _pages(client.list_effective_deployments, {"coreDeviceThingName": device}, "effectiveDeployments")
    return next((item for item in pages if item["deploymentId"] == deployment_id), None)


def read_components(client: Client, placements: Iterable[Placement]) -> dict[str, str]:
    """Return what deployments put on their devices, name → version."""
    found: dict[str, str] = {}
    for placement in placements:
        components = client.get_deployment(deploymentId=placement.deployment_id).get("components", {})
        found.update({name: item["componentVersion"] for name, item in components.items()})
    return dict(sorted(found.items()))


def read_health(client: Client, device: str) -> Health:
    """Return how a device reports itself; one that Greengrass no longer knows is UNKNOWN."""
    core = aws.ask(client.get_core_device, {"coreDeviceThingName": device}, unless=UNKNOWN)
    request = {"coreDeviceThingName": device, "topologyFilter": "ALL"}
    installed = _pages(client.list_installed_components, request, "installedComponents")
    return Health(
        core=str((core or {}).get("status", "UNKNOWN")),
        components={item["componentName"]: item["lifecycleState"] for item in installed},
    )


def _pages(method: Callable[..., Any], request: Mapping[str, Any], key: str) -> Iterator[Any]:
    """Yield the items of every page; none when what is asked about does not exist."""
    asked = dict(request)
    while True:
        reply = aws.ask(method, asked, unless=UNKNOWN)
        yield from (reply or {}).get(key, [])
        if not (reply or {}).get("nextToken"):
            return
        asked["nextToken"] = reply["nextToken"]
