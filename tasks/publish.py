"""publish: registers the packages as one Greengrass component version, exactly once for each run and step.

Versions: the first is 1.0.0, and `auto` raises the minor number after that. A retrained model keeps its
interface, so a device that asks for >=1.0.0 <2.0.0 takes it; a change of interface is a new major version,
which only a person can tell and writes down.

A version's folder in the component bucket belongs to who first put its claim.json there; two runs at once
therefore never write into one folder, and a run that is killed finds its own claim again.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks import aws, entry, greengrass, s3
from tasks.errors import TaskInputError, TransientError
from tasks.event import Artifact, Output, StepEvent
from tasks.greengrass import Version
from tasks.locations import Location
from tasks.package import MODEL_NAME
from tasks.recipe import Component, build_recipe, render_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tasks.aws import Client
    from tasks.fields import Fields

ACTIONS = (
    *aws.ACTIONS,
    *s3.READ_ACTIONS,
    *s3.WRITE_ACTIONS,
    "greengrass:CreateComponentVersion",
    "greengrass:DescribeComponent",
    "greengrass:ListComponentVersions",
    "greengrass:TagResource",
)

FIRST = Version(1, 0, 0)
MAX_NUMBER = 999_999
CONTENT_TAG = "edgepipe:content"
PAUSES = (0.0, 0.5, 1.0, 2.0)
"""Seconds to wait before looking whether a new version is ready; after that a retry looks again."""
_UNKNOWN = ("ResourceNotFoundException",)
_MAX_CLAIMS = 50


@dataclass(frozen=True, kw_only=True)
class Config:
    """The step's settings; `version` is None for auto."""

    component: str
    version: Version | None
    model: str
    dependencies: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Desk:
    """What publishing works with."""

    s3: Client
    greengrass: Client
    sleep: Callable[[float], None]


def run(event: StepEvent) -> Output:
    """Register the component version, or adopt the one this step registered before."""
    desk = Desk(
        s3=aws.client("s3", event.usecase, event.run),
        greengrass=aws.client("greengrassv2", event.usecase, event.run),
        sleep=time.sleep,
    )
    return publish(event, desk)


handler = entry.step(run)


def publish(event: StepEvent, desk: Desk) -> Output:
    """Do what `run` does, with the desk given."""
    config = parse_config(event.config)
    packages = event.artifacts("package")
    content = content_digest(config, packages)
    version = str(_settle_version(event, config, content, desk))
    component = Component(
        name=config.component, version=version, model=config.model, dependencies=config.dependencies
    )
    zips = {target: version_folder(event, config, version) / f"{target}.zip" for target in packages}
    recipe = render_recipe(build_recipe(component, zips))
    arn = f"{greengrass.component_arn(event.usecase, config.component)}:versions:{version}"
    if _describe(desk, arn) is None:
        for target, package in packages.items():
            s3.copy(desk.s3, package.location, zips[target])
        _create(event, recipe, arn, content, desk)
    _await_deployable(arn, content, config, desk)
    location = event.folder / "recipe.json"
    digest = s3.write_bytes(desk.s3, location, recipe, content_type="application/json")
    facts = {"name": config.component, "version": version, "arn": arn}
    return {"component": Artifact(type="component", uri=location.uri, digest=digest, facts=facts).as_json()}


def parse_config(config: Fields) -> Config:
    """Return the step's settings; raises TaskInputError naming the wrong field."""
    written = config.text("version", "auto")
    version = None if written == "auto" else greengrass.parse_version(written)
    if version is None and written != "auto":
        config.refuse("version", "must be auto or a version such as 1.2.0, with numbers up to 999999")
    component = config.text("component", pattern=greengrass.COMPONENT_NAME)
    if component.startswith("aws.greengrass."):
        config.refuse("component", "must not begin with aws.greengrass, which AWS keeps for itself")
    dependencies = config.child("dependencies", {})
    return Config(
        component=component,
        version=version,
        model=config.text("model", pattern=MODEL_NAME),
        dependencies={name: dependencies.text(name) for name in dependencies.values},
    )


def content_digest(config: Config, packages: Mapping[str, Artifact]) -> str:
    """Return what tells one content of a component version from another, as 64 hexadecimal digits."""
    parts = {
        "model": config.model,
        "dependencies": dict(config.dependencies),
        "packages": {target: package.digest for target, package in packages.items()},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def next_version(taken: list[Version]) -> Version:
    """Return the version that `auto` gives after those taken."""
    if not taken:
        return FIRST
    highest = max(*taken, Version(0, 0, 0))
    if highest.major == 0:
        return FIRST
    if highest.minor == MAX_NUMBER:
        return Version(highest.major + 1, 0, 0)
    return Version(highest.major, highest.minor + 1, 0)


def version_folder(event: StepEvent, config: Config, version: str) -> Location:
    """Return where the artifacts of a component version lie."""
    bucket = event.usecase.component_bucket
    return Location(bucket=bucket, key=f"components/{config.component}/{version}/")


def _settle_version(event: StepEvent, config: Config, content: str, desk: Desk) -> Version:
    """Return the version that is this step's to publish; the same one however often the step is run."""
    if config.version is not None:
        if not _claim(event, config, config.version, content, desk):
            raise _taken(config, "is being published")
        return config.version
    note = event.folder / "version.json"
    noted = _read_note(desk, note)
    arn = greengrass.component_arn(event.usecase, config.component)
    if noted is not None and _is_free_or_ours(_describe(desk, f"{arn}:versions:{noted}"), content):
        return noted
    version = next_version(list(greengrass.list_versions(desk.greengrass, arn)))
    for _ in range(_MAX_CLAIMS):
        if _claim(event, config, version, content, desk):
            text = json.dumps({"version": str(version)}).encode()
            s3.write_bytes(desk.s3, note, text, content_type="application/json")
            return version
        version = next_version([version])
    message = f"{_MAX_CLAIMS} versions of {config.component} are being published at once; try again later"
    raise TransientError(message)


def _claim(event: StepEvent, config: Config, version: Version, content: str, desk: Desk) -> bool:
    """Make the version's folder ours; say whether it is. An explicit version may have been made before."""
    location = version_folder(event, config, str(version)) / "claim.json"
    claim = {"run": event.run.arn, "step": event.step, "content": content}
    if s3.create_bytes(desk.s3, location, json.dumps(claim, sort_keys=True).encode()):
        return True
    found = json.loads(s3.read_bytes(desk.s3, location, limit=4096))
    return bool(found == claim or (config.version is not None and found["content"] == content))


def _read_note(desk: Desk, note: Location) -> Version | None:
    if s3.digest(desk.s3, note) is None:
        return None
    return greengrass.parse_version(json.loads(s3.read_bytes(desk.s3, note, limit=4096))["version"])


def _create(event: StepEvent, recipe: bytes, arn: str, content: str, desk: Desk) -> None:
    request = {
        "inlineRecipe": recipe,
        "tags": {**event.tags, CONTENT_TAG: content},
        "clientToken": hashlib.sha256(f"{arn}\n{content}\n{event.run.arn}".encode()).hexdigest(),
    }
    # A version that somebody registered meanwhile is judged by its tags, as one found before is.
    aws.ask(desk.greengrass.create_component_version, request, unless=("ConflictException",))


def _await_deployable(arn: str, content: str, config: Config, desk: Desk) -> None:
    for pause in PAUSES:
        desk.sleep(pause)
        found = _describe(desk, arn)
        if not _is_free_or_ours(found, content):
            if config.version is None:
                message = (
                    f"{arn} has been registered by somebody else meanwhile; a retry takes the next version"
                )
                raise TransientError(message)
            raise _taken(config, "is registered")
        status = (found or {}).get("status", {})
        if status.get("componentState") == "DEPLOYABLE":
            return
        if status.get("componentState") in ("FAILED", "DEPRECATED"):
            message = f"Greengrass refused {arn}: {_reason(status)}; correct what it names and publish again"
            raise TaskInputError(message)
    message = f"{arn} is not ready to be deployed yet"
    raise TransientError(message)


def _describe(desk: Desk, arn: str) -> Mapping[str, Any] | None:
    found: Mapping[str, Any] | None = aws.ask(
        desk.greengrass.describe_component, {"arn": arn}, unless=_UNKNOWN
    )
    return found


def _is_free_or_ours(found: Mapping[str, Any] | None, content: str) -> bool:
    return found is None or found.get("tags", {}).get(CONTENT_TAG) == content


def _taken(config: Config, how: str) -> TaskInputError:
    return TaskInputError(
        f"version {config.version} of {config.component} {how} with other content; a version never changes, "
        "so name another one, or `version: auto`"
    )


def _reason(status: Mapping[str, Any]) -> str:
    errors = "; ".join(f"{key}: {text}" for key, text in status.get("errors", {}).items())
    return errors or status.get("message") or status["componentState"]
