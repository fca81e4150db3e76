"""What a state folder keeps of runs that ended long ago, and what nothing names any more: found, and removed.

A run that can still go on is never among it. Handlers' logs, the registry and the devices stay.
"""

from __future__ import annotations

import re
import shutil
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_cloud.engine.runs import FILE_NAME as RUNS_FILE
from local_cloud.engine.runs import Runs
from local_cloud.requests import forget_requests
from local_cloud.runs import FINAL, PLAN_FILE, list_runs, read_document
from local_cloud.store import FILE_NAME as STORE_FILE
from local_cloud.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from local_cloud.runs import Run

_DIGEST = re.compile(rb"[0-9a-f]{64}")
_S3 = "s3/"


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """What may go: whole runs, S3 objects by the collection that keeps them, files and folders."""

    runs: Sequence[Run]
    objects: Mapping[str, Sequence[str]]
    paths: Sequence[Path]

    @property
    def size(self) -> int:
        """Return how many bytes the files and folders hold."""
        return sum(_size(path) for path in self.paths)


def find_leftovers(state_dir: Path, *, before: datetime, keep: int) -> Leftovers:
    """Return what runs left that have ended and began before a moment, but for the `keep` newest runs.

    Bodies of objects and folders of jobs that no run names go with them.
    """
    runs = list_runs(state_dir)
    old = [run for run in runs[keep:] if run.status in FINAL and run.started < before]
    gone = {run.run_id for run in old}
    stay = [run for run in runs if run.run_id not in gone]
    rows = _rows(state_dir)
    objects = dict(_old_objects(rows, old, stay))
    paths = [
        *(run.folder for run in old),
        *_job_files(state_dir, _jobs(old) - _jobs(stay)),
        *_unnamed_bodies(state_dir, rows, objects),
    ]
    return Leftovers(runs=old, objects=objects, paths=paths)


def remove_leftovers(state_dir: Path, found: Leftovers) -> None:
    """Remove what was found; whoever calls holds the folder's lock.

    A run's folder goes first: without it the run is not there any more, whatever else still is.
    """
    for path in found.paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    if (state_dir / STORE_FILE).exists():
        with closing(Store(state_dir)) as store:
            for collection, keys in found.objects.items():
                store.change(collection, dict.fromkeys(keys))
            for run in found.runs:
                forget_requests(store, run.run_id)
    if (state_dir / RUNS_FILE).exists():
        with closing(Runs(state_dir / RUNS_FILE)) as kept:
            kept.forget([run.run_id for run in found.runs])


def _rows(state_dir: Path) -> dict[str, dict[str, bytes]]:
    """Return what the store keeps of each S3 object, by collection and key."""
    with closing(Store(state_dir, write=False)) as store:
        return {name: dict(store.all_bytes(name)) for name in store.collections(_S3)}


def _old_objects(
    rows: Mapping[str, Mapping[str, bytes]], old: Sequence[Run], stay: Sequence[Run]
) -> Iterator[tuple[str, list[str]]]:
    """Yield the keys of what old runs wrote, and of datasets that no run reads any more."""
    datasets = _datasets(old) - _datasets(stay)
    prefixes = (*(f"runs/{run.pipeline}/{run.run_id}/" for run in old), *datasets)
    for collection, objects in rows.items():
        if keys := [key for key in objects if key.startswith(prefixes)]:
            yield collection, keys


def _datasets(runs: Iterable[Run]) -> set[str]:
    plans = [read_document(run.folder / PLAN_FILE) for run in runs]
    return {each["prefix"] for plan in plans for each in plan["datasets"]}


def _jobs(runs: Iterable[Run]) -> set[str]:
    """Return the names of the runs' jobs, which their logs bear."""
    steps = [step for run in runs for step in run.document.get("steps", {}).values()]
    return {log.rsplit("/", 1)[-1].removesuffix(".log") for step in steps for log in step["logs"]}


def _job_files(state_dir: Path, jobs: Collection[str]) -> Iterator[Path]:
    logs = (state_dir / "logs" / "aws" / "sagemaker").glob("*/*.log")
    yield from (path for path in (state_dir / "jobs").glob("*") if path.name in jobs)
    yield from (path for path in logs if path.stem in jobs)


def _unnamed_bodies(
    state_dir: Path, rows: Mapping[str, Mapping[str, bytes]], gone: Mapping[str, Sequence[str]]
) -> Iterator[Path]:
    """Yield the bodies whose digests stand in no row that stays."""
    named = {
        digest.decode()
        for collection, objects in rows.items()
        for key in objects.keys() - set(gone.get(collection, ()))
        for digest in _DIGEST.findall(objects[key])
    }
    yield from (path for path in (state_dir / "objects").glob("*/*") if path.name not in named)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files)
