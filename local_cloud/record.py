"""The record of a run: what `--output json` prints, what lies in the run's folder, what the summary says."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines import results

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from local_cloud.predictions import Trial
    from local_cloud.progress import Step


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a run did not succeed: step, place in the spec, the error's name, what happened and what to do."""

    step: str | None
    where: str
    error: str
    message: str

    def render(self) -> str:
        """Return the failure as one paragraph: file:line, step, error, message."""
        step = f"step '{self.step}' failed: " if self.step else ""
        return f"{self.where}: {step}{self.error}: {self.message}"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One run as it stood at `now`."""

    run_id: str
    pipeline: str
    status: str
    steps: Sequence[Step]
    folder: Path
    started: datetime
    now: datetime
    devices: Mapping[str, Any]
    failure: Failure | None = None
    trial: Trial | None = None
    waits: Mapping[str, str] = field(default_factory=dict)
    """What each running step waits for, in words."""
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The files that hold the logs of each step's jobs."""

    def document(self) -> dict[str, Any]:
        """Return the object that `edgepipe run --output json` prints."""
        return {
            "run_id": self.run_id,
            "pipeline": self.pipeline,
            "status": self.status,
            "started": self.started.isoformat(),
            "updated": self.now.isoformat(),
            "seconds": round((self.now - self.started).total_seconds(), 3),
            "steps": {step.id: self._step(step) for step in self.steps},
            "artifacts_dir": str(self.folder / "artifacts"),
            "devices": self.devices,
            "predictions": self._predictions(),
            "failure": vars(self.failure) if self.failure else None,
        }

    def _step(self, step: Step) -> dict[str, Any]:
        return {
            "kind": step.kind,
            "status": step.status,
            "started": step.started.isoformat() if step.started else None,
            "ended": step.ended.isoformat() if step.ended else None,
            "seconds": round(step.seconds(self.now), 3),
            "attempts": step.attempts,
            "cached": False,
            "waits_for": self.waits.get(step.id) if step.status == "RUNNING" else None,
            "logs": list(self.logs.get(step.id, ())),
            "outputs": step.outputs,
        }

    def _predictions(self) -> dict[str, Any] | None:
        trial = self.trial
        if not trial:
            return None
        return {
            "url": trial.url,
            "engine": trial.engine,
            "images": trial.images,
            "correct": trial.correct,
            "accuracy": round(trial.accuracy, 4),
            "wrong": list(trial.wrong),
        }


def write_record(record: Record) -> None:
    """Write run.json into the run's folder; a reader never sees half of it."""
    record.folder.mkdir(parents=True, exist_ok=True)
    path = record.folder / "run.json"
    part = path.with_suffix(".part")
    part.write_text(json.dumps(record.document(), indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)  # noqa: PTH105 - the atomic rename is the point


def write_artifacts(s3: Any, bucket: str, prefix: str, folder: Path) -> None:  # noqa: ANN401 - a boto3 client
    """Copy every object under `prefix` into `folder`, so that a run's artifacts outlive the process."""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", []):
            path = folder / item["Key"].removeprefix(prefix)
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, item["Key"], str(path))


def render_summary(record: Record) -> str:
    """Return the closing lines of a run: figures, device, predictions, where the artifacts lie."""
    seconds = (record.now - record.started).total_seconds()
    rows = [f"{record.status} in {seconds:.1f} s", *(f"  {name:<12} {text}" for name, text in _rows(record))]
    return "\n".join(rows)


def _rows(record: Record) -> Iterator[tuple[str, str]]:
    for step in record.steps:
        if step.kind == "train" and step.outputs.get("gate"):
            yield "gate", results.gate(step.outputs["gate"])
        if step.kind == "package" and step.outputs:
            yield "package", results.describe(step.kind, step.outputs)
    for thing, device in record.devices.items():
        yield "device", f"{thing} {device['status']}: {_components(device['components'])}"
    if record.trial:
        yield "predictions", _trial(record.trial)
    yield "artifacts", str(record.folder / "artifacts")
    yield "record", str(record.folder / "run.json")


def _components(components: Mapping[str, Mapping[str, str]]) -> str:
    return (
        ", ".join(f"{name} {c['version']} {c['state']}" for name, c in components.items()) or "no components"
    )


def _trial(trial: Trial) -> str:
    share = f"{trial.correct} of {trial.images} held-back images right ({trial.accuracy:.3f})"
    return f"{share} through {trial.url}, served by {trial.engine}"
