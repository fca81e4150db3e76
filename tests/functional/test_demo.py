"""The README's promise: the example trains, deploys, and is right about images that training never saw."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "cookies"
PHOTOGRAPHS = ROOT.parent / "shared" / "data" / "cookies" / "images"
RUN_SECONDS = 540
PROMISED_ACCURACY = 0.95


def run_example(tmp_path: Path, dataset: Path) -> dict[str, Any]:
    edgepipe = Path(sys.executable).with_name("edgepipe")
    command = [str(edgepipe), "run", str(EXAMPLE / "pipeline.yaml"), "--param", f"dataset={dataset}"]
    options = ["--state-dir", str(tmp_path / "state"), "--output", "json"]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def draw(folder: Path, seed: int) -> Path:
    command = [sys.executable, str(EXAMPLE / "generate.py"), "--out", str(folder), "--seed", str(seed)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def expect_promise(record: dict[str, Any], images: int) -> None:
    assert record["status"] == "SUCCEEDED"
    assert record["predictions"]["images"] >= images
    assert record["predictions"]["accuracy"] >= PROMISED_ACCURACY
    splits = record["steps"]["transform"]["outputs"]["manifest"]["facts"]["splits"]
    assert record["predictions"]["images"] == splits["test"]["count"]


def test_the_example_keeps_its_promise(tmp_path: Path) -> None:
    expect_promise(run_example(tmp_path, draw(tmp_path / "cookies", seed=7)), images=60)


@pytest.mark.soak
@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the photographs are not beside this checkout")
def test_the_same_command_takes_real_photographs(tmp_path: Path) -> None:
    for name in ("normal", "anomaly"):
        (tmp_path / "photographs" / name).mkdir(parents=True)
        for path in PHOTOGRAPHS.glob(f"{name}-*.jpg"):
            shutil.copy(path, tmp_path / "photographs" / name)
    record = run_example(tmp_path, tmp_path / "photographs")
    assert record["status"] == "SUCCEEDED"
    assert record["predictions"]["images"] > 0
