"""A process killed at every write of the engine's file, and gone on with by the next one."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud.engine.runs import FILE_NAME, reading

if TYPE_CHECKING:
    from pathlib import Path

WRITES = 25
"""As many as a whole run has at least: branches that come to something at once share a write."""


def run(folder: Path, fatal: int = 0, when: str = "before") -> subprocess.CompletedProcess[str]:
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "tests.functional.mortal_engine", str(folder), str(fatal), when]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def calls(folder: Path) -> list[str]:
    """Return the attempts that were made, one for each call."""
    path = folder / "calls"
    return (
        [line.split()[1] for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    )


def ended(folder: Path) -> set[str]:
    """Return the attempts whose call has been kept as answered."""
    with reading(folder / FILE_NAME) as runs:
        kept = [(record.arn, entry) for record in runs.all() for entry in runs.entries(record.number)]
    keys = [(arn, key.rpartition("/")) for arn, entry in kept for key in json.loads(entry)["answers"]]
    places = [f"{arn} {key[0]}" for arn, key in keys if key[2] in ("outcome", "call")]
    return {hashlib.sha256(place.encode()).hexdigest()[:32] for place in places}


def shape(said: dict[str, Any]) -> Counter[str]:
    """Count the events by type; whether a job answers before its submission has returned is chance."""
    return Counter(kind for _, kind in said["kinds"] if kind != "TaskSubmitted")


def check(folder: Path, whole: dict[str, Any], fatal: int, when: str) -> bool:
    """Kill a process at a write, let another go on, and compare; return False if there is no such write."""
    killed = run(folder, fatal, when)
    if killed.returncode == 0:
        return False
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    before, done = calls(folder), ended(folder)
    resumed = run(folder)
    assert resumed.returncode == 0, resumed.stderr
    said = json.loads(resumed.stdout)
    assert (said["status"], said["output"]) == (whole["status"], whole["output"])
    assert shape(said) == shape(whole)
    assert [number for number, _ in said["kinds"]] == list(range(1, len(said["kinds"]) + 1))
    assert [attempt for attempt in calls(folder)[len(before) :] if attempt in done] == []
    return True


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a run that nobody kills comes to."""
    done = run(tmp_path_factory.mktemp("whole"))
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["status"] == "SUCCEEDED"
    return said


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_outlives_a_kill(tmp_path: Path, whole: dict[str, Any], when: str) -> None:
    assert check(tmp_path, whole, 9, when)


@pytest.mark.soak
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_run_outlives_a_kill_at_every_write(tmp_path: Path, whole: dict[str, Any], when: str) -> None:
    fatal = 1
    while check(tmp_path / str(fatal), whole, fatal, when):
        fatal += 1
    assert fatal > WRITES, "a process died of no write"
