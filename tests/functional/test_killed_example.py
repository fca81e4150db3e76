"""The example, its process killed while it trains, compiles and deploys: it ends as it would have."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.functional.test_demo import EXAMPLE
from tests.functional.test_resume import (
    chain,
    edgepipe,
    expect_nothing_twice,
    expect_writes,
    outline,
    unfinished,
)
from tests.functional.test_run import EDGEPIPE, ROOT, RUN_SECONDS, processes_below

if TYPE_CHECKING:
    from pathlib import Path

GATE = 'gate: {accuracy: ">= 0.85", recall: ">= 0.8"}'


def example(folder: Path) -> Path:
    """Copy the example without its gate: one epoch over a few pictures need not learn anything."""
    shutil.copytree(EXAMPLE, folder / "example")
    spec = folder / "example" / "pipeline.yaml"
    assert GATE in spec.read_text()
    spec.write_text(spec.read_text().replace(GATE, "volume_gb: 30"))
    return spec


def drawn(folder: Path) -> list[str]:
    """Draw a few pictures and return the parameters of a short run over them."""
    draw = [sys.executable, str(EXAMPLE / "generate.py"), "--out", str(folder / "cookies"), "--count", "80"]
    subprocess.run(draw, check=True, capture_output=True)
    return ["--param", f"dataset={folder / 'cookies'}", "--param", "epochs=1"]


def kill_while(step: str, words: list[str], tmp_path: Path) -> None:
    """Run edgepipe and kill it once its record says that a step is under way."""
    with (tmp_path / "said").open("w") as said:
        child = subprocess.Popen(
            [str(EDGEPIPE), *words], stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=ROOT
        )
    try:
        deadline = time.monotonic() + RUN_SECONDS
        while not runs(tmp_path / "state", step):
            assert child.poll() is None, (tmp_path / "said").read_text()
            assert time.monotonic() < deadline, (tmp_path / "said").read_text()
            time.sleep(0.02)
    finally:
        child.kill()
        child.wait()


def runs(state_dir: Path, step: str) -> bool:
    # What it waits for is noted once a second, and on a quick machine a deployment takes less.
    records = list(state_dir.glob("runs/*/run.json"))
    return bool(records) and json.loads(records[0].read_text())["steps"][step]["status"] == "RUNNING"


@pytest.mark.soak
def test_the_example_killed_in_train_compile_and_deploy_ends_as_it_would_have(tmp_path: Path) -> None:
    spec = example(tmp_path)
    options = ["--state-dir", str(tmp_path / "state"), "--output", "json"]
    words = ["run", str(spec), *drawn(tmp_path), *options]
    for step in ("train", "compile", "deploy"):
        kill_while(step, words, tmp_path)
        words = ["resume", "last", *options]
    done = edgepipe(*words, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert {step["status"] for step in record["steps"].values()} == {"SUCCEEDED"}
    assert {step["attempts"] for name, step in record["steps"].items() if name != "compile"} == {1}
    assert {device["status"] for device in record["devices"].values()} == {"HEALTHY"}
    assert record["predictions"]["images"] > 0
    trainings = list((tmp_path / "state/logs/aws/sagemaker/TrainingJobs").iterdir())
    assert len(trainings) == 1
    expect_nothing_twice(tmp_path / "state")
    assert unfinished(tmp_path / "state") == []
    assert processes_below(tmp_path) == []


@pytest.mark.soak
@pytest.mark.parametrize("when", ["after", "before"])
def test_the_example_killed_at_every_write_ends_as_an_undisturbed_one(tmp_path: Path, when: str) -> None:
    spec, params = example(tmp_path), drawn(tmp_path)
    whole = ["run", str(spec), *params, "--output", "json", "--state-dir", str(tmp_path / "undisturbed")]
    undisturbed = json.loads(edgepipe(*whole, cwd=ROOT).stdout)
    made = chain(tmp_path, when, spec, *params)
    assert outline(made.record) == outline(undisturbed)
    expect_writes(made)
    expect_nothing_twice(made.state_dir)
    assert unfinished(made.state_dir) == []
    assert processes_below(tmp_path) == []
