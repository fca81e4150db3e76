"""Reads what the engine kept, without an engine: beside a process that drives the runs, or after it died."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from local_cloud.engine import runs
from local_cloud.engine.history import Event, render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from local_cloud.engine.expression import Json
    from local_cloud.engine.runs import Record


class UnknownExecutionError(LookupError):
    """No execution has this name or ARN, or more than one has the name; the message says which."""


class Archive:
    """The kept executions of a state folder; nothing is written, and each method reads the file anew."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def executions(self, *, machine: str | None = None, status: str | None = None) -> list[Record]:
        """Return the executions of a machine's ARN, or all, newest first."""
        with runs.reading(self._path) as kept:
            return kept.all(machine=machine, status=status)

    def execution(self, name_or_arn: str) -> Record:
        """Return one execution; raises UnknownExecutionError."""
        records = self.executions()
        found = [one for one in records if name_or_arn in (one.arn, one.name)]
        if len(found) == 1:
            return found[0]
        raise UnknownExecutionError(_explain(name_or_arn, found))

    def latest(self) -> float:
        """Return when the last thing that is kept happened, in seconds since the epoch; 0 if nothing did."""
        records = self.executions()
        going = [self.events(one.arn)[-1:] for one in records if one.ending.status == "RUNNING"]
        moments = [float(event["timestamp"].timestamp()) for events in going for event in events]
        return max([0.0, *moments, *(one.ending.stopped or one.started for one in records)])

    def events(self, arn: str, *, after: int = 0, with_data: bool = True) -> list[dict[str, Json]]:
        """Return an execution's events with ids above `after`, shaped as GetExecutionHistory has them."""
        with runs.reading(self._path) as kept:
            record = kept.find(arn)
            if record is None:
                raise UnknownExecutionError(_explain(arn, ()))
            entries = kept.entries(record.number)
        events = [Event(*event) for entry in entries for event in json.loads(entry)["events"]]
        return render([event for event in events if event.id > after], with_data=with_data)


def open_archive(state_dir: Path) -> Archive:
    """Return the archive of a state folder; one that has run nothing is empty."""
    return Archive(state_dir / runs.FILE_NAME)


def _explain(name: str, found: Sequence[Record]) -> str:
    if not found:
        return f"no run is called '{name}': `edgepipe runs` lists them"
    return f"'{name}' names {len(found)} runs: give one of {', '.join(one.arn for one in found)}"
