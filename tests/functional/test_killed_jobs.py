"""A run whose process ends while one of its jobs is under way: killed, it goes on with the same job."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.functional.test_resume import edgepipe, expect_nothing_twice
from tests.functional.test_run import EDGEPIPE, ROOT, RUN_SECONDS, SPEC, draw_dataset, processes_below

if TYPE_CHECKING:
    from pathlib import Path


def kill_when(
    words: list[str], tmp_path: Path, log: str, text: str = "", number: signal.Signals = signal.SIGKILL
) -> None:
    """Run edgepipe and send it a signal once a job's log, found by a pattern, has the text in it."""
    with (tmp_path / "said").open("w") as said:
        child = subprocess.Popen(
            [str(EDGEPIPE), *words], stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=ROOT
        )
    try:
        deadline = time.monotonic() + RUN_SECONDS
        while not any(
            text in path.read_text() for path in (tmp_path / "state/logs/aws/sagemaker").rglob(log)
        ):
            assert child.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < deadline, (tmp_path / "said").read_text()
            time.sleep(0.02)
        child.send_signal(number)
        child.wait(RUN_SECONDS)
    finally:
        child.kill()
        child.wait()


def job_names(state_dir: Path) -> set[str]:
    return {path.name for path in (state_dir / "jobs").iterdir()}


@pytest.mark.soak
def test_a_run_killed_in_train_and_in_compile_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    state = ["--state-dir", str(tmp_path / "state"), "--output", "json"]
    dataset, go = draw_dataset(tmp_path / "dataset", each=30), tmp_path / "go"
    run = ["run", str(SPEC), "--param", f"dataset={dataset}", "--param", f"mode=until={go}", *state]
    kill_when(run, tmp_path, "*train*.log", "waiting")
    (training,) = job_names(tmp_path / "state")
    (tmp_path / "state/logs/aws/sagemaker/TrainingJobs" / f"{training}.log").unlink()
    kill_when(["resume", "last", *state], tmp_path, "*train*.log", "waiting")
    go.touch()
    kill_when(["resume", "last", *state], tmp_path, "*compile*.log")
    done = edgepipe("resume", "last", *state, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert {name: step["attempts"] for name, step in record["steps"].items()}["train"] == 1
    assert record["steps"]["train"]["outputs"]["model"]["facts"]["job"] == training
    assert len(job_names(tmp_path / "state")) == 3
    expect_nothing_twice(tmp_path / "state")
    assert processes_below(tmp_path) == []


@pytest.mark.soak
@pytest.mark.parametrize("how", ["interrupted", "killed and stopped"])
def test_a_run_that_was_stopped_in_train_goes_on_with_a_new_job(tmp_path: Path, how: str) -> None:
    state = ["--state-dir", str(tmp_path / "state"), "--output", "json"]
    dataset, go = draw_dataset(tmp_path / "dataset", each=30), tmp_path / "go"
    run = ["run", str(SPEC), "--param", f"dataset={dataset}", "--param", f"mode=until={go}", *state]
    if how == "interrupted":
        kill_when(run, tmp_path, "*train*.log", "waiting", signal.SIGINT)
    else:
        kill_when(run, tmp_path, "*train*.log", "waiting")
        stopped = edgepipe("stop", "last", *state[:2], cwd=ROOT)
        assert stopped.returncode == 0, stopped.stderr
    go.touch()
    done = edgepipe("resume", "last", *state, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert len([name for name in job_names(tmp_path / "state") if "train" in name]) == 2
    assert processes_below(tmp_path) == []
