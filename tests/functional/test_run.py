"""Whole runs, with real jobs and a real server; and what a person reads when something is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from local_cloud.engine.archive import open_archive

ROOT = Path(__file__).parents[2]
SPEC = Path(__file__).parent / "pipelines" / "brightness" / "pipeline.yaml"
RUN_SECONDS = 180
MOST_TRANSITIONS = 20
"""Of a run, beside one for each target and wave; waiting takes none."""
EDGEPIPE = Path(sys.executable).with_name("edgepipe")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str
    state_dir: Path

    def record(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.out)
        return document


def draw_dataset(folder: Path, *, each: int = 40, classes: tuple[str, ...] = ("normal", "anomaly")) -> Path:
    random = np.random.default_rng(5)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            light = random.integers(170, 230) if name == "normal" else random.integers(20, 80)
            pixels = np.clip(random.normal(light, 10, (30 + number, 40, 3)), 0, 255).astype(np.uint8)
            suffix = "png" if number % 2 else "jpg"
            Image.fromarray(pixels).save(folder / name / f"{number:03}.{suffix}")
    return folder


def arguments(tmp_path: Path, *more: str, spec: Path = SPEC) -> list[str]:
    state = ["--state-dir", str(tmp_path / "state"), "--output", "json"]
    return [str(EDGEPIPE), "run", str(spec), *state, *more]


def run(tmp_path: Path, *more: str, spec: Path = SPEC) -> Result:
    done = subprocess.run(
        arguments(tmp_path, *more, spec=spec),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return Result(done.returncode, done.stdout, done.stderr, tmp_path / "state")


def processes_below(folder: Path) -> list[str]:
    """Return the command lines of processes that mention a folder; Linux only."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            environment = (entry.parent / "environ").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line or str(folder) in environment:
            found.append(line)
    return found


def test_a_run_ends_with_a_model_that_answers_on_the_device(tmp_path: Path) -> None:
    dataset = draw_dataset(tmp_path / "dataset")
    result = run(tmp_path, "--param", f"dataset={dataset}")
    assert result.code == 0, result.err
    record = result.record()
    assert record["status"] == "SUCCEEDED"
    assert {step["status"] for step in record["steps"].values()} == {"SUCCEEDED"}
    assert record["predictions"]["accuracy"] >= 0.95
    assert record["predictions"]["images"] > 8
    components = record["devices"]["bench-device"]["components"]
    assert components["com.example.brightness"] == {"version": "1.0.0", "state": "RUNNING"}
    artifacts = Path(record["artifacts_dir"])
    assert list(artifacts.glob("train/**/model.tar.gz"))
    assert len(list(artifacts.glob("compile/**/model.onnx"))) == 2
    assert {name: len(step["logs"]) for name, step in record["steps"].items() if step["logs"]} == {
        "train": 1,
        "compile": 2,
    }, "however short the jobs were"
    assert processes_below(tmp_path) == []
    archive = open_archive(result.state_dir)
    events = archive.events(archive.execution(record["run_id"]).arn)
    entered = [event["type"] for event in events if str(event["type"]).endswith("StateEntered")]
    targets, waves = 2, 1
    assert 7 <= len(entered) <= MOST_TRANSITIONS + targets + waves


FAILURES = [
    ("crash", "train", "JobFailedError", ["the training data drawer is empty", "log:"]),
    ("silent", "train", "QualityGateError", ["accuracy", "print"]),
    ("weak", "train", "QualityGateError", ["accuracy", "0.5", "0.9"]),
]


@pytest.mark.parametrize(("mode", "step", "error", "parts"), FAILURES, ids=[case[0] for case in FAILURES])
def test_a_failing_training_is_explained(
    tmp_path: Path, mode: str, step: str, error: str, parts: list[str]
) -> None:
    dataset = draw_dataset(tmp_path / "dataset")
    result = run(tmp_path, "--param", f"dataset={dataset}", "--param", f"mode={mode}")
    expect_failure(result, step, error, parts)


def test_an_empty_dataset_is_named_by_its_local_path(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run(tmp_path, "--param", f"dataset={tmp_path / 'empty'}")
    expect_failure(result, "label", "TaskInputError", [str(tmp_path / "empty"), "normal"])


def test_a_dataset_with_one_class_is_refused(tmp_path: Path) -> None:
    dataset = draw_dataset(tmp_path / "dataset", classes=("normal",))
    result = run(tmp_path, "--param", f"dataset={dataset}")
    expect_failure(result, "label", "TaskInputError", ["anomaly"])


def test_a_broken_jpeg_is_named(tmp_path: Path) -> None:
    dataset = draw_dataset(tmp_path / "dataset")
    broken = dataset / "normal" / "004.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    result = run(tmp_path, "--param", f"dataset={dataset}")
    expect_failure(result, "transform", "TaskInputError", ["normal/004.jpg"])


def expect_failure(result: Result, step: str, error: str, parts: list[str]) -> None:
    assert result.code == 1, result.err
    record = result.record()
    failure = record["failure"]
    assert record["status"] == "FAILED"
    assert (failure["step"], failure["error"]) == (step, error)
    assert record["steps"][step]["status"] == "FAILED"
    assert f"pipeline.yaml:{line_of(step)}" in failure["where"]
    for part in parts:
        assert part in failure["message"]
        assert part in result.err
    kept = json.loads((result.state_dir / "runs" / record["run_id"] / "run.json").read_text())
    assert kept["failure"] == failure


def line_of(step: str) -> int:
    lines = SPEC.read_text().splitlines()
    return next(number for number, text in enumerate(lines, 1) if text.startswith(f"  {step}:"))


def test_a_missing_parameter_and_a_misspelt_one_are_usage_errors(tmp_path: Path) -> None:
    assert (missing := run(tmp_path)).code == 2
    assert "dataset" in missing.err
    assert (misspelt := run(tmp_path, "--param", "datset=s3://bucket/x/")).code == 2
    assert "dataset" in misspelt.err
    assert (absent := run(tmp_path, "--param", f"dataset={tmp_path / 'absent'}")).code == 2
    assert "no such folder" in absent.err
    assert not (tmp_path / "state").exists()


def test_a_misspelt_key_is_a_spec_error_with_its_place(tmp_path: Path) -> None:
    spec = tmp_path / "pipeline.yaml"
    spec.write_text(SPEC.read_text().replace("hyperparameters:", "hyperparamters:"))
    result = run(tmp_path, "--param", "dataset=s3://bucket/x/", spec=spec)
    assert result.code == 3
    assert f"pipeline.yaml:{line_of('train') + 4}:5:" in result.err
    assert "hyperparameters" in result.err


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at /proc")
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing_running(tmp_path: Path, stop: signal.Signals) -> None:
    dataset = draw_dataset(tmp_path / "dataset", each=30)
    child = subprocess.Popen(
        arguments(tmp_path, "--param", f"dataset={dataset}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_job(tmp_path / "state")
    child.send_signal(stop)
    out, err = child.communicate(timeout=RUN_SECONDS)
    assert child.returncode == 130, err
    assert json.loads(out)["status"] == "ABORTED"
    assert "Traceback" not in err
    assert processes_below(tmp_path) == []


def wait_for_job(state_dir: Path) -> None:
    deadline = time.monotonic() + RUN_SECONDS
    while not list(state_dir.glob("jobs/*")):
        assert time.monotonic() < deadline, "no job was started"
        time.sleep(0.05)


def test_the_users_own_aws_settings_are_out_of_reach(tmp_path: Path) -> None:
    environment = {**os.environ, "AWS_PROFILE": "production", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    dataset = draw_dataset(tmp_path / "dataset", classes=("normal",), each=2)
    done = subprocess.run(
        arguments(tmp_path, "--param", f"dataset={dataset}"),
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        check=False,
        env=environment,
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["failure"]["step"] == "label"
