"""Time that is scaled: what takes days for a person or a fleet ends here in seconds, in its order."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.test_resume import edgepipe
from tests.functional.test_run import ROOT, processes_below
from tests.functional.test_steering import ROLLOUT

if TYPE_CHECKING:
    from pathlib import Path

DAY, HOUR = 86_400, 3600
ASKS = """\
version: 1
name: asks
usecase: bench
steps:
  approve: {message: "Ship?", timeout: 3d}
"""


def run_scaled(spec: Path, code: int, *words: str) -> dict[str, Any]:
    state = spec.parent / "state"
    options = ["--state-dir", str(state), "--output", "json"]
    done = edgepipe("run", str(spec), *options, *words, cwd=ROOT)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert processes_below(state) == []
    record: dict[str, Any] = json.loads(done.stdout)
    return record


@pytest.mark.soak
def test_days_of_waiting_for_a_person_end_as_they_would(tmp_path: Path) -> None:
    spec = tmp_path / "pipeline.yaml"
    spec.write_text(ASKS)
    record = run_scaled(spec, 1, "--time-scale", "100000")
    assert (record["failure"]["step"], record["failure"]["error"]) == ("approve", "States.Timeout")
    assert record["steps"]["approve"]["seconds"] >= 3 * DAY


@pytest.mark.parametrize(("flag", "code"), [("--approve", 0), ("--reject", 1)])
def test_an_answer_given_beforehand_comes_in_time_however_fast_time_runs(
    tmp_path: Path, flag: str, code: int
) -> None:
    spec = tmp_path / "pipeline.yaml"
    spec.write_text(ASKS.replace("3d", "1m"))
    record = run_scaled(spec, code, "--time-scale", "1000000", flag, "approve")
    assert record["steps"]["approve"]["seconds"] < 60
    assert (record["failure"] or {}).get("error") == (None if code == 0 else "RejectedError")


@pytest.mark.soak
def test_waves_that_bake_for_hours_do_so_one_after_the_other(tmp_path: Path) -> None:
    folder = tmp_path / "rollout"
    shutil.copytree(ROLLOUT.parent, folder)
    spec = folder / "pipeline.yaml"
    text = ROLLOUT.read_text()
    for before, after in (
        ("bake: 4s", "bake: 4h"),
        ("timeout: 2m", "timeout: 2d"),
        ("timeout: 5m", "timeout: 2d"),
    ):
        text = text.replace(before, after)
    spec.write_text(text)
    record = run_scaled(spec, 0, "--time-scale", "10000", "--approve", "approve")
    assert record["steps"]["deploy"]["seconds"] >= 8 * HOUR
    assert {device["status"] for device in record["devices"].values()} == {"HEALTHY"}
