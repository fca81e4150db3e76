"""The runs that a state folder knows, read from its files: nothing is started and no lock is taken."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_cloud.lock import FILE_NAME as LOCK_FILE
from local_cloud.lock import StateFolderError, is_held
from pipelines.diagnostics import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

FINAL = frozenset({"SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"})
INTERRUPTED = "INTERRUPTED"
LAST = "last"
PLAN_FILE = "plan.json"
PLAN_FORMAT = 1
"""Of PLAN_FILE; it grows when an earlier edgepipe could not go on with what a later one wrote."""


class DamagedRunError(StateFolderError):
    """A run's folder cannot be read; the message says which file and what to do."""

    def __init__(self, message: str, folder: Path) -> None:
        super().__init__(message)
        self.folder = folder


class LaterRunError(DamagedRunError):
    """A run's folder is whole, but a later edgepipe wrote it."""


class UnknownRunError(Exception):
    """No run, or more than one, is meant by a name."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run as its folder shows it; `document` is its record, empty before its first step."""

    run_id: str
    pipeline: str
    spec: str
    started: datetime
    updated: datetime
    status: str
    """As the record has it; RUNNING if a process drives it, INTERRUPTED if none does."""
    approvals: tuple[str, ...]
    document: Mapping[str, Any]
    folder: Path

    @property
    def seconds(self) -> float:
        """Return how long it has run, in seconds."""
        end = datetime.now(UTC) if self.status == "RUNNING" else self.updated
        return max(0.0, (max(end, self.updated) - self.started).total_seconds())

    def row(self) -> dict[str, Any]:
        """Return the run as a row of a list."""
        return {
            "run_id": self.run_id,
            "pipeline": self.pipeline,
            "status": self.status,
            "started": self.started.isoformat(),
            "seconds": round(self.seconds, 3),
        }


def list_runs(state_dir: Path) -> list[Run]:
    """Return the folder's runs that can be read, the newest first."""
    return survey(state_dir)[0]


def survey(state_dir: Path) -> tuple[list[Run], list[DamagedRunError]]:
    """Return the folder's runs, the newest first, and what is wrong with those that cannot be read."""
    driver = _driver(state_dir)
    runs: list[Run] = []
    damaged: list[DamagedRunError] = []
    for folder in sorted((state_dir / "runs").glob("*/")):
        try:
            with suppress(FileNotFoundError):  # it has no plan yet, or is removed in this moment
                runs.append(_read(folder, driver))
        except DamagedRunError as error:
            damaged.append(error)
    return sorted(runs, key=lambda run: (run.started, run.run_id), reverse=True), damaged


def find_run(state_dir: Path, run_id: str) -> Run | None:
    """Return one run by its whole id, or None."""
    folder = state_dir / "runs" / run_id
    return _read(folder, _driver(state_dir)) if (folder / PLAN_FILE).is_file() else None


def choose_run(state_dir: Path, name: str) -> Run:
    """Return the run with this id, the only one whose id begins so, or the newest for `last`.

    Raises UnknownRunError, which says what there is, or DamagedRunError if it cannot be read.
    """
    runs, damaged = survey(state_dir)
    by_id: dict[str, Run | DamagedRunError] = {run.run_id: run for run in runs}
    by_id |= {error.folder.name: error for error in damaged}
    if not by_id:
        message = f"there is no run in {state_dir}; `edgepipe run SPEC` starts one"
        raise UnknownRunError(message)
    if name == LAST:
        return _readable(runs[0] if runs else damaged[0])
    found = [name] if name in by_id else [run_id for run_id in by_id if run_id.startswith(name)]
    if len(found) == 1:
        return _readable(by_id[found[0]])
    raise UnknownRunError(_explain(name, state_dir, found, list(by_id)))


def _readable(found: Run | DamagedRunError) -> Run:
    if isinstance(found, DamagedRunError):
        raise found
    return found


def _explain(name: str, state_dir: Path, found: Sequence[str], known: Sequence[str]) -> str:
    if found:
        listed = ", ".join(found[:5])
        return f"'{name}' begins the names of {len(found)} runs: {listed}; give more of the one you mean"
    near = did_you_mean(name, known, cutoff=0.5)
    hint = near or "`edgepipe runs` lists them."
    return f"there is no run '{name}' in {state_dir}. {hint}"


def _driver(state_dir: Path) -> str | None:
    """Return the id of the process that drives the folder, or None."""
    if not is_held(state_dir):
        return None
    try:
        return str(json.loads((state_dir / LOCK_FILE).read_text(encoding="utf-8"))["pid"])
    except (OSError, ValueError, KeyError, TypeError):  # it comes or goes in this moment
        return None


def _read(folder: Path, driver: str | None) -> Run:
    """Return a run; raises FileNotFoundError if its folder has no plan, and DamagedRunError."""
    try:
        return _parse(folder, driver)
    except FileNotFoundError:
        raise
    except OSError as error:
        what = f"{error.filename or folder} cannot be read ({error.strerror})"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{folder / PLAN_FILE} or run.json lacks what a run has ({type(error).__name__}: {error})"
    message = f"{what}: {_remedy(folder)}"
    raise DamagedRunError(message, folder)


def _remedy(folder: Path) -> str:
    return f"put it right, or remove the folder {folder}"


def _parse(folder: Path, driver: str | None) -> Run:
    plan = read_document(folder / PLAN_FILE)
    document = read_document(folder / "run.json") if (folder / "run.json").exists() else {}
    started = datetime.fromisoformat(plan["started"])
    return Run(
        run_id=plan["run_id"],
        pipeline=plan["pipeline"],
        spec=plan["spec"],
        started=started,
        updated=datetime.fromisoformat(document["updated"]) if document else started,
        status=_status(folder, document, driver),
        approvals=tuple(plan["approvals"]),
        document=document,
        folder=folder,
    )


def read_document(path: Path) -> dict[str, Any]:
    """Return what a file of a run's folder holds.

    Raises DamagedRunError for what is no JSON object, or was written by a later edgepipe.
    """
    try:
        document = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        message = f"{path} is damaged ({error}): {_remedy(path.parent)}"
        raise DamagedRunError(message, path.parent) from error
    if document.get("format", PLAN_FORMAT) > PLAN_FORMAT:
        message = (
            f"{path} was written by a later edgepipe: use that one, or name another folder with --state-dir"
        )
        raise LaterRunError(message, path.parent)
    return document


def _status(folder: Path, document: Mapping[str, Any], driver: str | None) -> str:
    status = str(document.get("status", "RUNNING"))
    if status in FINAL:
        return status
    return "RUNNING" if _drives(folder, driver) else INTERRUPTED


def _drives(folder: Path, driver: str | None) -> bool:
    try:
        return driver is not None and (folder / "driver").read_text(encoding="utf-8") == driver
    except FileNotFoundError:
        return False
