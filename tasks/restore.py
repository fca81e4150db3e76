"""Takes a failed wave back: every target of it gets the components that its former deployment named.

Which one that was stands in a tag of the wave's own deployment, so that a handler may die anywhere. A target
that has been deployed to since is somebody else's and is left alone.

What does not come back is configuration that the wave merged into components which stay: Greengrass keeps a
component's merged configuration until a deployment resets it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from tasks import aws, fleet, rollout

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tasks.aws import Client
    from tasks.protocol import Job
    from tasks.rollout import DeviceState, Placement

ACTIONS = ("greengrass:CreateDeployment", "greengrass:TagResource")

FORMER_TAG = "edgepipe:former-deployment"
"""The tag that names the deployment which a wave's deployment replaced."""
NEVER_BEGUN = frozenset({rollout.WAITING, "CANCELED", "REPLACED"})
"""How a device stands that the wave has not reached: nobody waits for it to go back."""


def deployment_name(job: Job) -> str:
    """Return what the restoring deployments are called."""
    return f"{job.name}-restore"


def find(client: Client, job: Job) -> dict[str, Placement]:
    """Return the restoring deployments that there are, by target."""
    found = {}
    for target in job.context["targets"]:
        placement, _ = fleet.find_placement(client, job.usecase, target, deployment_name(job))
        if placement is not None:
            found[target] = placement
    return found


def create(client: Client, job: Job, placements: Collection[Placement]) -> None:
    """Create the restoring deployments that are missing, where the latest deployment is still the wave's."""
    done = find(client, job)
    for placement in placements:
        if placement.target not in done and placement.is_latest:
            former = _former_components(client, placement)
            if former is not None:
                client.create_deployment(**build_request(job, placement, former))


def build_request(job: Job, placement: Placement, components: Mapping[str, Any]) -> dict[str, Any]:
    """Return the CreateDeployment request that puts a target's former components back."""
    text = f"{job.job_key}\n{placement.target}\nrestore"
    return {
        "targetArn": fleet.target_arn(job.usecase, placement.target),
        "deploymentName": deployment_name(job),
        "components": components,
        "deploymentPolicies": {"failureHandlingPolicy": "ROLLBACK"},
        "tags": job.context["tags"],
        "clientToken": hashlib.sha256(text.encode()).hexdigest(),
    }


def read_states(client: Client, job: Job, devices: Collection[str]) -> dict[str, DeviceState]:
    """Return how the devices fare on their way back; one that no restoring deployment means is left out."""
    found: dict[str, list[DeviceState]] = {}
    for placement in find(client, job).values():
        for device in _members(job, placement, devices):
            execution = fleet.read_execution(client, device, placement.deployment_id)
            found.setdefault(device, []).append(rollout.judge_device(placement, execution))
    return {device: rollout.worst(states) for device, states in sorted(found.items())}


def tell(restored: Mapping[str, DeviceState]) -> str:
    """Return in words what became of the devices on their way back."""
    back = [name for name, state in restored.items() if state.status in rollout.SUCCEEDED]
    stuck = [
        f"{name} is {state.status}: {state.reason or 'the device gave no reason'}"
        for name, state in restored.items()
        if state.status not in rollout.SUCCEEDED
    ]
    told = [f"back to their former components: {', '.join(back)}"] if back else []
    return "; ".join([*told, *([f"not back: {'; '.join(stuck)}"] if stuck else [])])


def _members(job: Job, placement: Placement, devices: Collection[str]) -> Iterator[str]:
    members = fleet.list_devices(job.usecase, job.run, placement.target)
    return (device for device in members if device in devices)


def _former_components(client: Client, placement: Placement) -> Mapping[str, Any] | None:
    """Return what the target ran before the wave: nothing where nothing was, None where it is unknown."""
    ours = client.get_deployment(deploymentId=placement.deployment_id)
    former = (ours.get("tags") or {}).get(FORMER_TAG)
    if not former:
        return {}
    found = aws.ask(client.get_deployment, {"deploymentId": former}, unless=fleet.UNKNOWN)
    return None if found is None else found.get("components") or {}
