"""What runs leave outside their folders: rows and records of their jobs, and their calls in shared logs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from local_cloud.labelling.oracle import ORACLES
from local_cloud.labelling.sheets import ANSWERS
from local_cloud.sagemaker.ledger import JOBS
from local_cloud.store import FILE_NAME as STORE_FILE
from pipelines.platform import JOBS_TABLE, function_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from local_cloud.runs import Run
    from local_cloud.store import Store

_START = re.compile(r"START RequestId: \S+ Version: \S+ At: (\S+)")
_SLACK = timedelta(seconds=1)
"""A run's record begins and ends a moment after, or before, its handlers."""


@dataclass(frozen=True, kw_only=True)
class JobRow:
    """A row of the jobs table as the store keeps it, with the run and the name that it is about."""

    collection: str
    key: str
    run_id: str
    name: str


def job_rows(store: Store, state_dir: Path) -> list[JobRow]:
    """Return the rows of all accounts' jobs tables. Raises ForeignStateError."""
    collections = [name for name in store.collections("dynamodb/") if name.endswith(f"/{JOBS_TABLE}")]
    if not collections:
        return []
    from local_cloud.durable.items import kept_texts
    from local_cloud.durable.memory import check_owner

    check_owner(state_dir / STORE_FILE)
    return [
        JobRow(
            collection=collection,
            key=key,
            run_id=texts.get("run_arn", "").rpartition(":")[2],
            name=texts.get("name", ""),
        )
        for collection in collections
        for key, texts in kept_texts(store, collection)
    ]


def job_documents(
    store: Store, rows: Iterable[JobRow], runs: Collection[str], jobs: Collection[str]
) -> dict[str, list[str]]:
    """Return what the store keeps of some runs' jobs: keys, by collection."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row.run_id in runs:
            found.setdefault(row.collection, []).append(row.key)
    if records := [key for key, _ in store.all_bytes(JOBS) if key.rpartition("/")[2] in jobs]:
        found[JOBS] = records
    for collection in store.collections(ANSWERS):
        if collection.rpartition("/")[2] in jobs:
            found[collection] = [key for key, _ in store.all_bytes(collection)]
    if oracles := [key for key, _ in store.all_bytes(ORACLES) if key in runs]:
        found[ORACLES] = oracles
    return found


def shortened_logs(state_dir: Path, gone: Iterable[Run], stay: Iterable[Run]) -> dict[Path, str]:
    """Return the logs of handlers without the calls of some runs, but for those in another run's time."""
    spans, spared = [_span(run) for run in gone], [_span(run) for run in stay]
    shortened: dict[Path, str] = {}
    for path in (state_dir / "logs" / "aws" / "lambda").glob(f"{function_name('*')}.log"):
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        rest = "".join(_rest(text.splitlines(keepends=True), spans, spared))
        if rest != text:
            shortened[path] = rest
    return shortened


def write_logs(logs: Mapping[Path, str]) -> None:
    """Replace logs by what is left of them; an empty one goes."""
    for path, text in logs.items():
        part = path.with_suffix(".part")
        part.write_text(text, encoding="utf-8", errors="surrogateescape")
        part.replace(path)
        if not text:
            path.unlink()


_Span = tuple[datetime, datetime]


def _span(run: Run) -> _Span:
    return run.started - _SLACK, run.updated + _SLACK


def _rest(lines: Iterable[str], gone: Sequence[_Span], spared: Sequence[_Span]) -> Iterator[str]:
    """Yield the lines of calls that began in none of the first times, or in one of the second."""
    stays = True
    for line in lines:
        if found := _START.match(line):
            at = datetime.fromisoformat(found[1])
            stays = _within(at, spared) or not _within(at, gone)
        if stays:
            yield line


def _within(at: datetime, spans: Iterable[_Span]) -> bool:
    return any(first <= at <= last for first, last in spans)
