"""The logs of a run's steps and of devices, found from the run's record and read from files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pipelines.platform import function_name
from pipelines.spec import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from local_cloud.runs import Run

_START = re.compile(r"START RequestId: (\S+) Version: \S+ At: (\S+)")
_SLACK = timedelta(seconds=1)
"""A handler starts a moment before or after the event that says so."""


@dataclass
class Follower:
    """Reads a file's lines as they come; what is not there yet is empty."""

    path: Path
    _position: int = 0

    def read(self) -> str:
        """Return the whole lines that are new since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._position)
                data = file.read()
        except FileNotFoundError:
            return ""
        whole = data[: data.rfind(b"\n") + 1]
        self._position += len(whole)
        return whole.decode(errors="replace")


def job_logs(state_dir: Path, step: Mapping[str, Any]) -> list[Path]:
    """Return the logs of a step's jobs: those named in the record that lie in the state folder."""
    root = (state_dir / "logs").resolve()
    paths = [state_dir / "logs" / each.partition("/logs/")[2] for each in step["logs"]]
    return [path for path in paths if path.resolve().is_relative_to(root)]


def handler_log(state_dir: Path, run: Run, step_id: str) -> str:
    """Return what the step's handler wrote while the step ran, call by call."""
    step = run.document["steps"][step_id]
    if not step["started"]:
        return ""
    began = datetime.fromisoformat(step["started"]) - _SLACK
    ended = datetime.fromisoformat(step["ended"]) + _SLACK if step["ended"] else None
    name = step["kind"] if step["kind"] != "custom" else f"custom_{identifier(step_id)}"
    path = state_dir / "logs" / "aws" / "lambda" / f"{function_name(name)}.log"
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    except FileNotFoundError:
        return ""
    return "".join(_between(lines, began, ended))


def _between(lines: list[str], began: datetime, ended: datetime | None) -> Iterator[str]:
    """Yield the lines of calls that began between two times."""
    wanted = False
    for line in lines:
        if found := _START.match(line):
            at = datetime.fromisoformat(found[2])
            wanted = at >= began and (ended is None or at <= ended)
        if wanted:
            yield line
