"""What a handler is given: the Lambda payload parsed once into frozen values.

A wrong event is a TaskInputError that names the field, because the definition that sent it is at fault.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeAlias

from tasks.errors import TaskInputError
from tasks.fields import Fields
from tasks.locations import Location, parse_location

Output: TypeAlias = dict[str, Any]
"""A step's output object: JSON, at most 256 KB, URIs and facts, never payloads."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}"
_RUN_ID = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}"
_TARGET = r"[a-z0-9][a-z0-9_-]{0,39}"
_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"

LAMBDA_SECONDS = 900
"""The longest that a Lambda function runs: what a step has whose event says no other time."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One execution of a pipeline: its name, its ARN and the pipeline's name."""

    id: str
    arn: str
    pipeline: str

    def as_json(self) -> dict[str, str]:
        """Return the shape that `parse_run` reads."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class UseCase:
    """The account a step works in, how to enter it, and where its things lie."""

    id: str
    account: str
    region: str
    role_arn: str
    external_id: str
    execution_role_arn: str
    data_bucket: str
    results_bucket: str
    component_bucket: str
    optimize_image_uri: str

    def as_json(self) -> dict[str, str]:
        """Return the shape that `parse_usecase` reads."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A typed result in S3: where it lies, what its bytes are, and a few facts about it."""

    type: str
    uri: str
    digest: str
    facts: Mapping[str, Any]

    @property
    def location(self) -> Location:
        """Return where the artifact lies."""
        return parse_location(self.uri)

    def as_json(self) -> Output:
        """Return the artifact as it stands in a step's output."""
        return {"type": self.type, "uri": self.uri, "digest": self.digest, "facts": dict(self.facts)}


@dataclass(frozen=True, kw_only=True)
class StepEvent:
    """One delivery of one step (of one target of it, inside compile's Map)."""

    step: str
    kind: str
    attempt: int
    timeout_seconds: int
    run: Run
    usecase: UseCase
    config: Fields
    inputs: Mapping[str, Artifact | Mapping[str, Artifact]]
    assets: Mapping[str, str]
    target: str | None
    token: str | None = field(repr=False)

    @property
    def folder(self) -> Location:
        """Return the step's own folder in the results bucket."""
        parts = ["runs", self.run.pipeline, self.run.id, self.step, *([self.target] if self.target else [])]
        return Location(bucket=self.usecase.results_bucket, key="/".join(parts) + "/")

    @property
    def tags(self) -> dict[str, str]:
        """Return the tags of everything that this step makes."""
        return {
            "edgepipe:run": self.run.id,
            "edgepipe:step": self.step,
            "edgepipe:pipeline": self.run.pipeline,
        }

    def artifact(self, name: str) -> Artifact:
        """Return the single artifact that arrived as `name`; raises TaskInputError when there is none."""
        found = self.inputs.get(name)
        if not isinstance(found, Artifact):
            message = (
                f"step {self.step!r} needs one artifact as its input {name!r}; it got {self._given(name)}"
            )
            raise TaskInputError(message)
        return found

    def artifacts(self, name: str) -> Mapping[str, Artifact]:
        """Return the artifacts by target that arrived as `name`; raises TaskInputError for none."""
        found = self.inputs.get(name)
        if not isinstance(found, Mapping) or not found:
            message = (
                f"step {self.step!r} needs artifacts by target as input {name!r}; it got {self._given(name)}"
            )
            raise TaskInputError(message)
        return found

    def asset(self, name: str) -> Location:
        """Return where the asset `name` lies; raises TaskInputError when the event has none."""
        if name not in self.assets:
            message = f"step {self.step!r} needs the asset {name!r}; the event has {sorted(self.assets)}"
            raise TaskInputError(message)
        return parse_location(self.assets[name], what=f"the asset {name!r}")

    def _given(self, name: str) -> str:
        return "nothing" if name not in self.inputs else type(self.inputs[name]).__name__


def parse_event(raw: Mapping[str, Any]) -> StepEvent:
    """Return `raw`, a Lambda payload, as a StepEvent; raises TaskInputError naming the wrong field."""
    event = Fields(raw, "event") if isinstance(raw, Mapping) else Fields({}, "event")
    return StepEvent(
        step=event.text("step", pattern=r"[a-z][a-z0-9_-]{0,39}"),
        kind=event.text("kind", pattern=r"[a-z]{1,20}"),
        attempt=event.integer("attempt", 0),
        timeout_seconds=event.integer("timeout_seconds", LAMBDA_SECONDS, minimum=1),
        run=parse_run(event.child("run")),
        usecase=parse_usecase(event.child("usecase")),
        config=event.child("config", {}),
        inputs=_parse_inputs(event.child("inputs", {})),
        assets={key: event.child("assets").text(key) for key in event.child("assets", {}).values},
        target=event.text("target", pattern=_TARGET) if event.has("target") else None,
        token=event.text("token") if event.has("token") else None,
    )


def parse_run(run: Fields) -> Run:
    """Return the run of an event; raises TaskInputError."""
    return Run(
        id=run.text("id", pattern=_RUN_ID), arn=run.text("arn"), pipeline=run.text("pipeline", pattern=_NAME)
    )


def parse_usecase(usecase: Fields) -> UseCase:
    """Return the use case of an event; raises TaskInputError."""
    patterns = {
        "account": r"[0-9]{12}",
        "region": r"[a-z]{2}(-[a-z]+)+-[0-9]",
        "role_arn": r"arn:[a-z-]+:iam::[0-9]{12}:role/.+",
        "execution_role_arn": r"arn:[a-z-]+:iam::[0-9]{12}:role/.+",
        "data_bucket": _BUCKET,
        "results_bucket": _BUCKET,
        "component_bucket": _BUCKET,
    }
    names = [item.name for item in fields(UseCase)]
    return UseCase(**{name: usecase.text(name, pattern=patterns.get(name)) for name in names})


def parse_artifact(artifact: Fields) -> Artifact:
    """Return one artifact of a step's output; raises TaskInputError."""
    uri = artifact.text("uri")
    parse_location(uri, what=f"{artifact.where}.uri")
    return Artifact(
        type=artifact.text("type"),
        uri=uri,
        digest=artifact.text("digest", pattern=r"(sha256|etag):.+"),
        facts=artifact.child("facts", {}).values,
    )


def _parse_inputs(inputs: Fields) -> dict[str, Artifact | Mapping[str, Artifact]]:
    return {name: _parse_input(inputs.child(name)) for name in inputs.values if inputs.has(name)}


def _parse_input(given: Fields) -> Artifact | Mapping[str, Artifact]:
    if given.has("uri"):
        return parse_artifact(given)
    for target in given.values:
        if re.fullmatch(_TARGET, target) is None:
            given.refuse(target, f"is a target whose name must match {_TARGET}")
    return {target: parse_artifact(given.child(target)) for target in given.values}
