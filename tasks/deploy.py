"""deploy: brings the component to devices, beside what they already run, and waits for every one of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks import aws, callback, entry, greengrass, rollout, s3
from tasks.callback import Description, Desk, Detail, Work
from tasks.errors import RolloutError, TaskInputError
from tasks.event import Artifact, Output, Run, StepEvent, UseCase
from tasks.fields import Fields
from tasks.locations import Location, parse_location
from tasks.rollout import DeviceState, Placement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tasks.aws import Client
    from tasks.protocol import Job

ACTIONS = (
    *callback.ACTIONS,
    *s3.READ_ACTIONS,
    *s3.WRITE_ACTIONS,
    "greengrass:CancelDeployment",
    "greengrass:CreateDeployment",
    "greengrass:GetComponent",
    "greengrass:GetCoreDevice",
    "greengrass:GetDeployment",
    "greengrass:ListComponentVersions",
    "greengrass:ListDeployments",
    "greengrass:ListEffectiveDeployments",
    "greengrass:TagResource",
    "iot:ListThingsInThingGroup",
    # CreateDeployment and CancelDeployment act on IoT jobs and shadows in the caller's name (service
    # authorization reference, "AWS IoT Greengrass V2", dependent actions).
    "iot:CancelJob",
    "iot:CreateJob",
    "iot:DeleteThingShadow",
    "iot:DescribeJob",
    "iot:DescribeThing",
    "iot:DescribeThingGroup",
    "iot:GetThingShadow",
    "iot:UpdateJob",
    "iot:UpdateThingShadow",
)

POLICIES = {"rollback": "ROLLBACK", "nothing": "DO_NOTHING"}
NOTIFY_SECONDS = 60
_UNKNOWN = ("ResourceNotFoundException",)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The step's settings; `components` are others to deploy along, with their configuration."""

    targets: tuple[str, ...]
    components: Mapping[str, Mapping[str, Any]]
    on_failure: str


def run(event: StepEvent) -> Output:
    """Create the deployments, or adopt them; the step's output arrives by the token."""
    return launch(event, callback.open_desk())


def launch(event: StepEvent, desk: Desk) -> Output:
    """Do what `run` does, with the desk given."""
    config = parse_config(event.config)
    component = Fields(event.artifact("component").facts, "inputs.component.facts")
    context = {
        "targets": list(config.targets),
        "component": {"name": component.text("name"), "version": component.text("version")},
        "report": (event.folder / "deployment.json").uri,
    }

    def create(job: Job) -> None:
        _create_deployments(event, config, job)

    return callback.start(event, Work(type="deployment", context=context, create=create), desk)


handler = entry.step(run)


def parse_config(config: Fields) -> Config:
    """Return the step's settings; raises TaskInputError naming the wrong field."""
    targets = config.texts("targets")
    for target in targets:
        kind, _, name = target.partition("/")
        if (
            kind not in ("thing", "thinggroup")
            or not name
            or not name.replace("-", "").replace(":", "").isidentifier()
        ):
            config.refuse("targets", "must be of the form thing/NAME or thinggroup/NAME")
    if not targets:
        config.refuse("targets", "must name one device or group, or more")
    on_failure = config.text("on_failure", "rollback")
    if on_failure not in POLICIES:
        config.refuse("on_failure", f"must be one of {', '.join(POLICIES)}")
    components = config.child("components", {})
    return Config(
        targets=targets,
        components={name: components.child(name).values for name in components.values},
        on_failure=on_failure,
    )


def build_request(
    event: StepEvent, job: Job, target: str, components: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the CreateDeployment request for one target; its name is what a retry knows it by."""
    policy = POLICIES[parse_config(event.config).on_failure]
    return {
        "targetArn": target_arn(event.usecase, target),
        "deploymentName": job.name,
        "components": components,
        "deploymentPolicies": {
            "failureHandlingPolicy": policy,
            "componentUpdatePolicy": {"action": "NOTIFY_COMPONENTS", "timeoutInSeconds": NOTIFY_SECONDS},
        },
        "tags": event.tags,
        "clientToken": hashlib.sha256(f"{job.job_key}\n{target}".encode()).hexdigest(),
    }


def target_arn(usecase: UseCase, target: str) -> str:
    """Return the ARN of thing/NAME or thinggroup/NAME."""
    return f"arn:{usecase.role_arn.split(':')[1]}:iot:{usecase.region}:{usecase.account}:{target}"


def describe(job: Job) -> Description | None:
    """Ask Greengrass how every device of every target stands; once it is decided, write deployment.json."""
    client = aws.client("greengrassv2", job.usecase, job.run)
    placements = [_find(client, job.usecase, target, job.name)[0] for target in job.context["targets"]]
    known = [placement for placement in placements if placement is not None]
    if not known:
        return None
    states = _device_states(client, job, known)
    ended = len(known) == len(placements) and rollout.has_ended(states.values())
    detail = _report(known, states, _components(client, known) if ended else {})
    if ended:
        detail["digest"] = _write_report(job, detail)
    return Description(ended=ended, detail=detail)


def outcome(detail: Detail, job: Job) -> Output:
    """Return the deployment; raises RolloutError naming each device that failed and why."""
    failed = {
        name: device for name, device in detail["devices"].items() if device["status"] in rollout.FAILED
    }
    if failed:
        reasons = "; ".join(
            f"{name} is {device['status']}: {device['reason'] or 'the device gave no reason'}"
            for name, device in sorted(failed.items())
        )
        ids = ", ".join(item["id"] for item in detail["deployments"])
        message = (
            f"{len(failed)} of {len(detail['devices'])} devices did not take deployment {ids}: {reasons}; "
            "see the component's log on the device (log: /greengrass/v2/logs)"
        )
        raise RolloutError(message)
    devices = {
        name: {"status": "SUCCEEDED", "components": device["components"]}
        for name, device in detail["devices"].items()
    }
    facts = {"deployments": detail["deployments"], "devices": devices}
    artifact = Artifact(type="deployment", uri=job.context["report"], digest=detail["digest"], facts=facts)
    return {"deployment": artifact.as_json()}


def stop(job: Job) -> None:
    """Cancel the deployments that have not ended; devices that have taken them keep them."""
    client = aws.client("greengrassv2", job.usecase, job.run)
    for target in job.context["targets"]:
        placement, _ = _find(client, job.usecase, target, job.name)
        if placement is not None:
            request = {"deploymentId": placement.deployment_id}
            aws.ask(client.cancel_deployment, request, unless=(*_UNKNOWN, "ConflictException"))


def _create_deployments(event: StepEvent, config: Config, job: Job) -> None:
    client = aws.client("greengrassv2", event.usecase, event.run)
    wanted = _wanted_components(client, event, config)
    for target in config.targets:
        _check_target(client, event, target)
    for target in config.targets:
        placement, latest = _find(client, event.usecase, target, job.name)
        if placement is None:
            current = client.get_deployment(deploymentId=latest)["components"] if latest else {}
            merged = rollout.merge_components(current, wanted)
            client.create_deployment(**build_request(event, job, target, merged))


def _wanted_components(client: Client, event: StepEvent, config: Config) -> dict[str, dict[str, Any]]:
    component = Fields(event.artifact("component").facts, "inputs.component.facts")
    requirements = _requirements(client, component.text("arn"))
    wanted: dict[str, dict[str, Any]] = {
        component.text("name"): {"componentVersion": component.text("version")}
    }
    for name, configuration in config.components.items():
        if name not in wanted:
            version = greengrass.latest_version(client, event.usecase, name, requirements.get(name, "*"))
            wanted[name] = {"componentVersion": str(version)}
        if configuration:
            wanted[name]["configurationUpdate"] = {"merge": json.dumps(configuration, sort_keys=True)}
    return wanted


def _requirements(client: Client, arn: str) -> dict[str, str]:
    """Return what the component's own recipe asks of the versions of others."""
    recipe = json.loads(client.get_component(arn=arn, recipeOutputFormat="JSON")["recipe"])
    dependencies = recipe.get("ComponentDependencies") or {}
    return {name: item.get("VersionRequirement", "*") for name, item in dependencies.items()}


def _check_target(client: Client, event: StepEvent, target: str) -> None:
    """Raise TaskInputError for a target that no device would ever answer for."""
    kind, _, name = target.partition("/")
    if kind == "thing":
        found = aws.ask(client.get_core_device, {"coreDeviceThingName": name}, unless=_UNKNOWN)
        if found is None:
            message = (
                f"{target} is no Greengrass core device in account {event.usecase.account}; install the "
                "Greengrass core software there under that thing name, or correct `targets`"
            )
            raise TaskInputError(message)
    elif not _devices(event.usecase, event.run, target):
        message = (
            f"{target} is not there or has no things in it; add devices to the group, or correct `targets`"
        )
        raise TaskInputError(message)


def _find(client: Client, usecase: UseCase, target: str, name: str) -> tuple[Placement | None, str | None]:
    """Return our deployment on a target, and the id of the target's latest one, whoever made it."""
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


def _device_states(client: Client, job: Job, placements: list[Placement]) -> dict[str, DeviceState]:
    found: dict[str, list[DeviceState]] = {}
    for placement in placements:
        for device in _devices(job.usecase, job.run, placement.target):
            execution = _execution(client, device, placement.deployment_id)
            found.setdefault(device, []).append(rollout.judge_device(placement, execution))
    return {device: rollout.worst(states) for device, states in sorted(found.items())}


def _devices(usecase: UseCase, run: Run, target: str) -> list[str]:
    kind, _, name = target.partition("/")
    if kind == "thing":
        return [name]
    iot = aws.client("iot", usecase, run)
    return list(_pages(iot.list_things_in_thing_group, {"thingGroupName": name, "recursive": True}, "things"))


def _execution(client: Client, device: str, deployment_id: str) -> Mapping[str, Any] | None:
    pages = _pages(client.list_effective_deployments, {"coreDeviceThingName": device}, "effectiveDeployments")
    return next((item for item in pages if item["deploymentId"] == deployment_id), None)


def _components(client: Client, placements: list[Placement]) -> dict[str, str]:
    """Return what the deployments put on their devices, name → version."""
    found: dict[str, str] = {}
    for placement in placements:
        components = client.get_deployment(deploymentId=placement.deployment_id).get("components", {})
        found.update({name: item["componentVersion"] for name, item in components.items()})
    return dict(sorted(found.items()))


def _report(
    placements: list[Placement], states: Mapping[str, DeviceState], components: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "deployments": [{"id": item.deployment_id, "target": item.target} for item in placements],
        "devices": {
            device: {"status": state.status, "reason": state.reason, "components": components}
            for device, state in states.items()
        },
    }


def _write_report(job: Job, report: Mapping[str, Any]) -> str:
    client = aws.client("s3", job.usecase, job.run)
    location: Location = parse_location(job.context["report"])
    text = json.dumps(report, indent=2, sort_keys=True).encode()
    return s3.write_bytes(client, location, text, content_type="application/json")


def _pages(method: Callable[..., Any], request: Mapping[str, Any], key: str) -> Iterator[Any]:
    """Yield the items of every page; none when what is asked about does not exist."""
    asked = dict(request)
    while True:
        reply = aws.ask(method, asked, unless=_UNKNOWN)
        yield from (reply or {}).get(key, [])
        if not (reply or {}).get("nextToken"):
            return
        asked["nextToken"] = reply["nextToken"]
