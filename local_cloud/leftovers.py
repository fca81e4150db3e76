"""What a state folder keeps of runs that ended long ago, and what nothing names any more: found, and removed.

A run that can still go on is never among it. The registry and the devices stay, with the deployments that
they have taken.
"""

from __future__ import annotations

import re
import shutil
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local_cloud import traces
from local_cloud.engine.runs import FILE_NAME as RUNS_FILE
from local_cloud.engine.runs import Runs
from local_cloud.requests import forget_requests
from local_cloud.runs import FINAL, PLAN_FILE, LaterRunError, read_document, survey
from local_cloud.store import FILE_NAME as STORE_FILE
from local_cloud.store import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from local_cloud.runs import DamagedRunError, Run
    from local_cloud.traces import JobRow

_DIGEST = re.compile(rb"[0-9a-f]{64}")
_S3 = "s3/"
_BODIES = "objects"


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """What may go."""

    runs: Sequence[str]
    """Whole runs, by id."""
    objects: Mapping[str, Sequence[str]]
    """S3 objects by the collection that keeps them."""
    documents: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What else the store keeps of the runs, by collection."""
    paths: Sequence[Path]
    """Files and folders."""
    logs: Mapping[Path, str] = field(default_factory=dict)
    """Logs that runs share, with what is left of each."""

    @property
    def size(self) -> int:
        """Return how many bytes of files and folders go."""
        shorter = sum(
            path.stat().st_size - len(rest.encode(errors="surrogateescape"))
            for path, rest in self.logs.items()
        )
        return shorter + sum(_size(path) for path in self.paths)


@dataclass(frozen=True, kw_only=True)
class _Parting:
    """The runs that go and those that stay; of damaged ones only the folders are known."""

    old: Sequence[Run]
    stay: Sequence[Run]
    broken: Sequence[Path]
    unknown: bool
    """Whether a run stays that cannot be read."""

    @property
    def gone(self) -> list[str]:
        """Return the ids of the runs that go."""
        return [*(run.run_id for run in self.old), *(folder.name for folder in self.broken)]


def find_leftovers(state_dir: Path, *, before: datetime, keep: int) -> Leftovers:
    """Return what runs left that have ended and began before a moment, but for the `keep` newest runs.

    A damaged run goes when it has not been touched since then. Bodies of objects and folders of jobs that no
    run names go with them. Raises ForeignStateError.
    """
    parting = _part(state_dir, before, keep)
    gone = parting.gone
    with closing(Store(state_dir, write=False)) as store:
        kept = {name: dict(store.all_bytes(name)) for name in store.collections(_S3)}
        rows = traces.job_rows(store, state_dir)
        jobs = _jobs(parting.old, rows, gone) - _jobs(
            parting.stay, rows, {row.run_id for row in rows} - {*gone}
        )
        documents = traces.job_documents(store, rows, gone, jobs)
    objects = dict(_old_objects(kept, parting))
    folders = [*(run.folder for run in parting.old), *parting.broken]
    paths = [*folders, *_job_files(state_dir, jobs), *_unnamed_bodies(state_dir, kept, objects)]
    logs = traces.shortened_logs(state_dir, parting.old, parting.stay)
    return Leftovers(runs=gone, objects=objects, documents=documents, paths=paths, logs=logs)


def remove_leftovers(state_dir: Path, found: Leftovers) -> None:
    """Remove what was found; whoever calls holds the folder's lock.

    A run's folder goes last: until then another call finds the rest of what is left.
    """
    if (state_dir / STORE_FILE).exists():
        with closing(Store(state_dir)) as store:
            for collection, keys in [*found.objects.items(), *found.documents.items()]:
                store.change(collection, dict.fromkeys(keys))
            for run_id in found.runs:
                forget_requests(store, run_id)
    if (state_dir / RUNS_FILE).exists():
        with closing(Runs(state_dir / RUNS_FILE)) as kept:
            kept.forget(found.runs)
    traces.write_logs(found.logs)
    for path in reversed(found.paths):
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        if path.parent.parent.name == _BODIES:
            with suppress(OSError):  # it holds others
                path.parent.rmdir()


def _part(state_dir: Path, before: datetime, keep: int) -> _Parting:
    runs, damaged = survey(state_dir)
    old = [run for run in runs[keep:] if run.status in FINAL and run.started < before]
    broken = [error.folder for error in damaged if _is_old(error, before)]
    return _Parting(
        old=old,
        stay=[run for run in runs if run not in old],
        broken=broken,
        unknown=len(broken) < len(damaged),
    )


def _is_old(error: DamagedRunError, before: datetime) -> bool:
    try:
        touched = max(path.lstat().st_mtime for path in (error.folder, *error.folder.iterdir()))
    except OSError:  # who may not look into it may not remove it either
        return False
    return not isinstance(error, LaterRunError) and datetime.fromtimestamp(touched, UTC) < before


def _old_objects(
    kept: Mapping[str, Mapping[str, bytes]], parting: _Parting
) -> Iterator[tuple[str, list[str]]]:
    """Yield the keys of what old runs wrote, and of datasets that no run reads any more."""
    datasets = () if parting.unknown else tuple(_datasets(parting.old) - _datasets(parting.stay))
    gone = set(parting.gone)
    for collection, objects in kept.items():
        if keys := [key for key in objects if _run_of(key) in gone or key.startswith(datasets)]:
            yield collection, keys


def _run_of(key: str) -> str | None:
    """Return the run that wrote an object: runs/<pipeline>/<run>/..."""
    parts = key.split("/", 3)
    return parts[2] if len(parts) == 4 and parts[0] == "runs" else None


def _datasets(runs: Iterable[Run]) -> set[str]:
    plans = [read_document(run.folder / PLAN_FILE) for run in runs]
    return {each["prefix"] for plan in plans for each in plan["datasets"]}


def _jobs(runs: Iterable[Run], rows: Iterable[JobRow], run_ids: Collection[str]) -> set[str]:
    """Return the names of the runs' jobs: those whose logs are in their records, and those in the table."""
    steps = [step for run in runs for step in run.document.get("steps", {}).values()]
    logged = {log.rsplit("/", 1)[-1].removesuffix(".log") for step in steps for log in step["logs"]}
    return logged | {row.name for row in rows if row.run_id in run_ids}


def _job_files(state_dir: Path, jobs: Collection[str]) -> Iterator[Path]:
    logs = (state_dir / "logs" / "aws" / "sagemaker").glob("*/*.log")
    yield from (path for path in (state_dir / "jobs").glob("*") if path.name in jobs)
    yield from (path for path in logs if path.stem in jobs)


def _unnamed_bodies(
    state_dir: Path, kept: Mapping[str, Mapping[str, bytes]], gone: Mapping[str, Sequence[str]]
) -> Iterator[Path]:
    """Yield the bodies whose digests stand in no row that stays."""
    named = {
        digest.decode()
        for collection, objects in kept.items()
        for key in objects.keys() - set(gone.get(collection, ()))
        for digest in _DIGEST.findall(objects[key])
    }
    yield from (path for path in (state_dir / _BODIES).glob("*/*") if path.name not in named)


def _size(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files)
