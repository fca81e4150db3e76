"""deploy: brings the component to devices, beside what they already run, and waits for every one of them.

A wave is one call: its devices take the component, are watched for as long as it bakes, and are verified.
With `on_failure: rollback` the devices of a failed wave go back to what they ran before. Those of the waves
before it passed their own verification and keep the new version.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from tasks import aws, callback, entry, fleet, greengrass, restore, rollout, s3, waves
from tasks.callback import Description, Desk, Detail, Work
from tasks.errors import RolloutError, TaskInputError
from tasks.event import Artifact, Output, StepEvent
from tasks.fields import Fields
from tasks.locations import Location, parse_location
from tasks.waves import Wave

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tasks.aws import Client
    from tasks.protocol import Job
    from tasks.rollout import DeviceState, Placement
    from tasks.waves import Health, Verdict

ACTIONS = (
    *callback.ACTIONS,
    *fleet.ACTIONS,
    *restore.ACTIONS,
    *s3.READ_ACTIONS,
    *s3.WRITE_ACTIONS,
    "greengrass:CancelDeployment",
    "greengrass:GetComponent",
    "greengrass:ListComponentVersions",
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
MAX_REPORT = 64 * 1024 * 1024
"""Bytes of a report: more than the devices of one rollout fill."""
TARGET = r"(thing|thinggroup)/[A-Za-z0-9:_-]{1,128}"
"""What a deployment is aimed at; the names are IoT's (IoT service model, ThingName and ThingGroupName)."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The step's settings; `components` are others to deploy along, with their configuration.

    A step without waves deploys to all its targets at once and is done when they are: its `wave` is None.
    """

    targets: tuple[str, ...]
    components: Mapping[str, Mapping[str, Any]]
    on_failure: str
    wave: Wave | None


def run(event: StepEvent) -> Output:
    """Create the deployments, or adopt them; the step's output arrives by the token."""
    return launch(event, callback.open_desk())


def launch(event: StepEvent, desk: Desk) -> Output:
    """Do what `run` does, with the desk given."""
    config = parse_config(event.config)
    component = Fields(event.artifact("component").facts, "inputs.component.facts")
    if config.wave is not None:
        # A step's waves are jobs of their own, as a fan-out's targets are.
        event = replace(event, target=config.wave.name)
    context = {
        "targets": list(config.targets),
        "component": {"name": component.text("name"), "version": component.text("version")},
        "report": (event.folder / "deployment.json").uri,
        "wave": asdict(config.wave) if config.wave else None,
        "on_failure": config.on_failure,
        "tags": event.tags,
    }

    def create(job: Job) -> None:
        _create_deployments(event, config, job)

    return callback.start(event, Work(type="deployment", context=context, create=create), desk)


handler = entry.step(run)


def parse_config(config: Fields) -> Config:
    """Return the step's settings; raises TaskInputError naming the wrong field."""
    wave = config.child("wave") if config.has("wave") else None
    on_failure = config.text("on_failure", "rollback")
    if on_failure not in POLICIES:
        config.refuse("on_failure", f"must be one of {', '.join(POLICIES)}")
    components = config.child("components", {})
    return Config(
        targets=_parse_targets(wave or config),
        components={name: components.child(name).values for name in components.values},
        on_failure=on_failure,
        wave=waves.parse_wave(wave) if wave else None,
    )


def _parse_targets(config: Fields) -> tuple[str, ...]:
    targets = config.texts("targets")
    if not all(re.fullmatch(TARGET, target) for target in targets):
        config.refuse("targets", "must be of the form thing/NAME or thinggroup/NAME")
    if not targets:
        config.refuse("targets", "must name one device or group, or more")
    return targets


def build_request(
    job: Job, target: str, components: Mapping[str, Mapping[str, Any]], *, former: str | None, group_size: int
) -> dict[str, Any]:
    """Return the CreateDeployment request for one target; its name is what a retry knows it by.

    `former` is the deployment that this one replaces. A thing has a `group_size` of 0: the wave's pace and
    limit are those of a group.
    """
    request = {
        "targetArn": fleet.target_arn(job.usecase, target),
        "deploymentName": job.name,
        "components": components,
        "deploymentPolicies": {
            "failureHandlingPolicy": POLICIES[job.context["on_failure"]],
            "componentUpdatePolicy": {"action": "NOTIFY_COMPONENTS", "timeoutInSeconds": NOTIFY_SECONDS},
        },
        "tags": {**job.context["tags"], **({restore.FORMER_TAG: former} if former else {})},
        "clientToken": hashlib.sha256(f"{job.job_key}\n{target}".encode()).hexdigest(),
    }
    wave = _wave(job)
    paced = waves.job_configuration(wave, group_size) if wave and group_size else {}
    return {**request, **({"iotJobConfiguration": paced} if paced else {})}


def describe(job: Job, now: int) -> Description | None:
    """Ask Greengrass how every device of every target stands; once it is decided, write deployment.json.

    The devices of a failed wave are waited for once more, on their way back.
    """
    client = aws.client("greengrassv2", job.usecase, job.run)
    found = [fleet.find_placement(client, job.usecase, name, job.name)[0] for name in job.context["targets"]]
    placements = [placement for placement in found if placement is not None]
    if not placements:
        return None
    going_back = _rolls_back(job) and bool(restore.find(client, job))
    if going_back:
        detail = _read_report(job)
    elif len(placements) < len(found) or (decided := _decide(client, job, placements, now)) is None:
        return Description(ended=False, detail={})
    else:
        detail = decided
    if detail["bad"] and _rolls_back(job):
        if not going_back:
            _write_report(job, detail)  # the reason must outlive the broken state it was seen in
        return _describe_return(client, job, placements, detail, now)
    return _end(job, detail)


def outcome(detail: Detail, job: Job) -> Output:
    """Return the deployment; raises RolloutError naming each device that failed and why."""
    if detail["bad"]:
        raise RolloutError(_explain(detail, job))
    devices = {
        name: {"status": _told(device["status"]), "components": device["components"]}
        for name, device in detail["devices"].items()
    }
    facts = {"deployments": detail["deployments"], "devices": devices}
    artifact = Artifact(type="deployment", uri=job.context["report"], digest=detail["digest"], facts=facts)
    wave = _wave(job)
    return {**({"wave": wave.name} if wave else {}), "deployment": artifact.as_json()}


def stop(job: Job) -> None:
    """Cancel the deployments that have not ended.

    Devices that have taken them keep them, but for those of a wave that rolls back: it has failed then.
    """
    client = aws.client("greengrassv2", job.usecase, job.run)
    for target in job.context["targets"]:
        placement, _ = fleet.find_placement(client, job.usecase, target, job.name)
        if placement is not None:
            request = {"deploymentId": placement.deployment_id}
            aws.ask(client.cancel_deployment, request, unless=(*fleet.UNKNOWN, "ConflictException"))


def _wave(job: Job) -> Wave | None:
    wave = job.context["wave"]
    return Wave(**wave) if wave else None


def _rolls_back(job: Job) -> bool:
    """Say whether devices that took a failed wave go back; a failed device does so by its own policy."""
    return job.context["wave"] is not None and job.context["on_failure"] == "rollback"


def _decide(client: Client, job: Job, placements: list[Placement], now: int) -> dict[str, Any] | None:
    """Return the report about a decided wave; None while it goes on."""
    states = _device_states(client, job, placements)
    wave = _wave(job)
    health = _read_health(client, states) if wave and wave.watches else {}
    component = job.context["component"]["name"]
    verdict = waves.judge(wave or waves.PLAIN, states, health, component=component, now=now)
    if verdict is None:
        return None
    return _report(placements, states, fleet.read_components(client, placements), verdict)


def _read_health(client: Client, states: Mapping[str, DeviceState]) -> dict[str, Health]:
    """Return the health of the devices that took the wave, once all of them are done."""
    if not all(state.ended for state in states.values()):
        return {}
    took = [name for name, state in states.items() if state.status in rollout.SUCCEEDED]
    return {name: fleet.read_health(client, name) for name in took}


def _describe_return(
    client: Client, job: Job, placements: list[Placement], detail: dict[str, Any], now: int
) -> Description:
    """Send the wave's devices back and say whether those that it had reached have arrived."""
    restore.create(client, job, placements)
    devices = detail["devices"].items()
    reached = [name for name, device in devices if device["status"] not in restore.NEVER_BEGUN]
    states = restore.read_states(client, job, reached)
    if not all(state.ended for state in states.values()) and now <= job.deadline:
        return Description(ended=False, detail=detail)
    return _end(job, {**detail, "restored": restore.tell(states)})


def _end(job: Job, detail: dict[str, Any]) -> Description:
    return Description(ended=True, detail={**detail, "digest": _write_report(job, detail)})


def _explain(detail: Detail, job: Job) -> str:
    bad = detail["bad"]
    wave = f"wave {job.context['wave']['name']!r}: " if job.context["wave"] else ""
    ids = ", ".join(item["id"] for item in detail["deployments"])
    reasons = "; ".join(f"{name} {why}" for name, why in sorted(bad.items()))
    restored = f" ({detail['restored']})" if detail.get("restored") else ""
    return (
        f"{wave}{len(bad)} of {len(detail['devices'])} devices {detail['what']} deployment {ids}: {reasons}"
        f"{restored}; see the component's log on the device (log: /greengrass/v2/logs)"
    )


def _told(status: str) -> str:
    """Return a device's status in one word for things and groups."""
    return "SUCCEEDED" if status in rollout.SUCCEEDED else status


def _create_deployments(event: StepEvent, config: Config, job: Job) -> None:
    client = aws.client("greengrassv2", event.usecase, event.run)
    wanted = _wanted_components(client, event, config)
    sizes = {target: _check_target(client, event, target) for target in config.targets}
    for target, size in sizes.items():
        placement, latest = fleet.find_placement(client, event.usecase, target, job.name)
        if placement is None:
            current = client.get_deployment(deploymentId=latest)["components"] if latest else {}
            merged = rollout.merge_components(current, wanted)
            client.create_deployment(**build_request(job, target, merged, former=latest, group_size=size))


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


def _check_target(client: Client, event: StepEvent, target: str) -> int:
    """Return how many devices a group has, 0 for a thing.

    Raises TaskInputError for a target that no device would ever answer for.
    """
    kind, _, name = target.partition("/")
    if kind == "thing":
        found = aws.ask(client.get_core_device, {"coreDeviceThingName": name}, unless=fleet.UNKNOWN)
        if found is None:
            message = (
                f"{target} is no Greengrass core device in account {event.usecase.account}; install the "
                "Greengrass core software there under that thing name, or correct `targets`"
            )
            raise TaskInputError(message)
        return 0
    devices = fleet.list_devices(event.usecase, event.run, target)
    if not devices:
        message = (
            f"{target} is not there or has no things in it; add devices to the group, or correct `targets`"
        )
        raise TaskInputError(message)
    return len(devices)


def _device_states(client: Client, job: Job, placements: Iterable[Placement]) -> dict[str, DeviceState]:
    found: dict[str, list[DeviceState]] = {}
    for placement in placements:
        for device in fleet.list_devices(job.usecase, job.run, placement.target):
            execution = fleet.read_execution(client, device, placement.deployment_id)
            found.setdefault(device, []).append(rollout.judge_device(placement, execution))
    return {device: rollout.worst(states) for device, states in sorted(found.items())}


def _report(
    placements: Iterable[Placement],
    states: Mapping[str, DeviceState],
    components: Mapping[str, str],
    verdict: Verdict,
) -> dict[str, Any]:
    return {
        "deployments": [{"id": item.deployment_id, "target": item.target} for item in placements],
        "devices": {
            device: {"status": state.status, "reason": state.reason, "components": components}
            for device, state in states.items()
        },
        **asdict(verdict),
    }


def _read_report(job: Job) -> dict[str, Any]:
    client = aws.client("s3", job.usecase, job.run)
    location = parse_location(job.context["report"])
    report: dict[str, Any] = json.loads(s3.read_bytes(client, location, limit=MAX_REPORT))
    return report


def _write_report(job: Job, report: Mapping[str, Any]) -> str:
    client = aws.client("s3", job.usecase, job.run)
    location: Location = parse_location(job.context["report"])
    text = json.dumps(report, indent=2, sort_keys=True).encode()
    return s3.write_bytes(client, location, text, content_type="application/json")
