"""What a run needs before anything is started: the compiled spec, its parameters and its datasets.

A plan is kept in the run's folder before the cloud opens, so that a run that was killed goes on as it was
planned, whatever has become of the spec since.
"""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local_cloud.context import ORCHESTRATOR_ACCOUNT
from local_cloud.datasets import Dataset, plan_datasets
from local_cloud.fleet import FILE_NAME as FLEET_FILE
from local_cloud.fleet import read_fleet
from local_cloud.platform import local_usecase
from local_cloud.runs import PLAN_FILE, PLAN_FORMAT, read_document
from pipelines import machine, topics
from pipelines.assets import exists_beside, read_spec
from pipelines.compiler import Compiled, compile_text
from pipelines.parameters import ParameterError, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local_cloud.greengrass.specs import DeviceSpec
    from pipelines.spec import Pipeline, Step
    from pipelines.usecase import UseCase


SPEC_FILE = "pipeline.yaml"


class UnavailableError(Exception):
    """The spec holds steps that cannot run here; the message names each with its place."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run, decided but not begun."""

    run_id: str
    spec: Path
    compiled: Compiled
    usecase: UseCase
    datasets: tuple[Dataset, ...]
    params: Mapping[str, Any]
    folder: Path
    state_dir: Path
    started: datetime
    time_scale: float = 1.0
    """How many times as fast time passes while nothing works."""
    fleet: tuple[DeviceSpec, ...] = ()
    """The devices that devices.yaml describes."""
    fleet_file: Path | None = None

    @property
    def arn(self) -> str:
        """Name the execution that the plan becomes."""
        machine = self.compiled.pipeline.name
        return (
            f"arn:aws:states:{self.usecase.region}:{ORCHESTRATOR_ACCOUNT}:execution:{machine}:{self.run_id}"
        )

    @property
    def kinds(self) -> dict[str, str]:
        """Return step id → kind, in the order of the states."""
        steps = self.compiled.graph.order(self.compiled.pipeline)
        return {step.id.value: step.kind_name.value for step in steps}

    @property
    def targets(self) -> tuple[str, ...]:
        """Return every `thing/...` and `thinggroup/...` that the pipeline deploys to, each once."""
        configs = [step.config for step in self._steps("deploy")]
        stages = [stage for config in configs for stage in (config, *config.get("waves", ()))]
        return tuple(dict.fromkeys(target for stage in stages for target in stage.get("targets", ())))

    @property
    def approvals(self) -> tuple[str, ...]:
        """Return the steps that wait for a person."""
        return tuple(step.id.value for step in self._steps("approve"))

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the topics that approvals tell, as ARNs or markers."""
        return tuple(topics.find(machine.parse(self.compiled.definition)))

    @property
    def labelled(self) -> tuple[str, ...]:
        """Return the steps whose images people label."""
        steps = self._steps("label")
        return tuple(step.id.value for step in steps if step.config.get("method") == "ground-truth")

    @property
    def custom_steps(self) -> tuple[Step, ...]:
        """Return the steps that call a function of the spec's own folder."""
        return tuple(step for step in self._steps("custom") if not step.config["handler"].startswith("arn:"))

    def _steps(self, kind: str) -> list[Step]:
        return [step for step in self.compiled.pipeline.steps if step.kind_name.value == kind]

    def where(self, step_id: str | None) -> str:
        """Return `file:line` of a step, or the file alone."""
        step = self.compiled.pipeline.step(step_id) if step_id else None
        return f"{self.spec}:{step.id.span.line}" if step else str(self.spec)


def plan_run(
    spec: Path,
    *,
    params: Mapping[str, str],
    state_dir: Path,
    region: str = "us-east-1",
    time_scale: float = 1.0,
    devices: Path | None = None,
) -> Plan:
    """Compile `spec` and settle its parameters; a parameter may name a local folder, which becomes a dataset.

    `devices` describes the fleet; without it a devices.yaml beside the spec does, if there is one. Raises
    SpecError for the spec and the fleet, ParameterError for `params`, UnavailableError for steps that cannot
    run here, OSError when a file cannot be read.
    """
    compiled = compile_text(read_spec(spec), path=spec.as_posix(), exists=exists_beside(spec))
    pipeline = compiled.pipeline
    check_available(compiled, spec)
    usecase = local_usecase(pipeline.usecase, region=region)
    local = plan_datasets(_addresses(pipeline, params), usecase.data_bucket)
    _check_paths(pipeline, {name: value for name, value in params.items() if name not in local})
    fleet_file = devices or _beside(spec)
    started = datetime.now(UTC)
    run_id = f"{pipeline.name}-{started:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return Plan(
        run_id=run_id,
        spec=spec,
        compiled=compiled,
        usecase=usecase,
        datasets=tuple(local.values()),
        params=resolve(pipeline, {**params, **{name: dataset.uri for name, dataset in local.items()}}),
        folder=state_dir / "runs" / run_id,
        state_dir=state_dir,
        started=started,
        time_scale=time_scale,
        fleet=read_fleet(fleet_file) if fleet_file else (),
        fleet_file=fleet_file,
    )


def write_plan(plan: Plan) -> None:
    """Keep the plan in the run's folder, which it makes: spec and fleet as they stand, then plan.json."""
    plan.folder.mkdir(parents=True)
    (plan.folder / SPEC_FILE).write_bytes(plan.spec.read_bytes())
    if plan.fleet_file:
        (plan.folder / FLEET_FILE).write_bytes(plan.fleet_file.read_bytes())
    document = {
        "format": PLAN_FORMAT,
        "run_id": plan.run_id,
        "pipeline": plan.compiled.pipeline.name,
        "spec": str(plan.spec),
        "region": plan.usecase.region,
        "params": dict(plan.params),
        "datasets": [{"path": str(each.path), "prefix": each.prefix} for each in plan.datasets],
        "started": plan.started.isoformat(),
        "time_scale": plan.time_scale,
        "approvals": list(plan.approvals),
    }
    part = plan.folder / f"{PLAN_FILE}.part"
    part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    os.replace(part, plan.folder / PLAN_FILE)  # noqa: PTH105 - the atomic rename is the point


def read_plan(folder: Path) -> Plan:
    """Return the plan that `write_plan` kept in a run's folder."""
    document = read_document(folder / PLAN_FILE)
    spec = Path(document["spec"])
    text = read_spec(folder / SPEC_FILE)
    compiled = compile_text(text, path=spec.as_posix(), exists=lambda _name: True)
    usecase = local_usecase(compiled.pipeline.usecase, region=document["region"])
    fleet_file = _beside(folder / SPEC_FILE)
    return Plan(
        run_id=document["run_id"],
        spec=spec,
        compiled=compiled,
        usecase=usecase,
        datasets=tuple(
            Dataset(path=Path(each["path"]), bucket=usecase.data_bucket, prefix=each["prefix"])
            for each in document["datasets"]
        ),
        params=document["params"],
        folder=folder,
        state_dir=folder.parents[1],
        started=datetime.fromisoformat(document["started"]),
        time_scale=document["time_scale"],
        fleet=read_fleet(fleet_file) if fleet_file else (),
        fleet_file=fleet_file,
    )


def _beside(spec: Path) -> Path | None:
    """Return the fleet's file in the folder of a spec, or None."""
    path = spec.parent / FLEET_FILE
    return path if path.exists() else None


def _addresses(pipeline: Pipeline, params: Mapping[str, str]) -> dict[str, str]:
    """Return what was given for S3 addresses: only that may name a folder or file of this machine."""
    kinds = {param.name: param.type for param in pipeline.params}
    return {name: value for name, value in params.items() if value and kinds.get(name) == "s3uri"}


def _check_paths(pipeline: Pipeline, others: Mapping[str, str]) -> None:
    """Raise ParameterError for a dataset that is neither an S3 address nor there on this machine."""
    for name, value in others.items():
        param = pipeline.param(name)
        if param and param.type == "s3uri" and "://" not in value:
            named = value or "nothing"
            message = (
                f"the parameter '{name}' names {named}, and there is no such folder or file here. "
                "Give one that exists, or an address such as s3://bucket/prefix/"
            )
            raise ParameterError(message)


def check_available(compiled: Compiled, spec: Path) -> None:
    """Raise UnavailableError naming every step that cannot run in the local cloud, with its place and why."""
    lines = [
        f"  {spec}:{step.id.span.line}: step '{step.id.value}': {why}" for step, why in _missing(compiled)
    ]
    if lines:
        message = "\n".join(["this spec cannot run on this machine:", *lines])
        raise UnavailableError(message)


def _missing(compiled: Compiled) -> Iterator[tuple[Step, str]]:
    for name, why in compiled.unavailable:
        if step := compiled.pipeline.step(name):
            yield step, why
    for step in compiled.pipeline.steps:
        if step.kind_name.value == "custom" and step.config["handler"].startswith("arn:"):
            yield step, "its Lambda function is in AWS; name a function beside the spec as module:function"
