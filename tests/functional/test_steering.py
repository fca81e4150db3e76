"""Whole runs of what steers a pipeline: waves, approvals, an author's own functions, conditions and lists."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.functional.test_run import EDGEPIPE, RUN_SECONDS, Result, arguments, processes_below, run

PIPELINES = Path(__file__).parent / "pipelines"
ROLLOUT = PIPELINES / "rollout" / "pipeline.yaml"
BRANCHES = PIPELINES / "branches" / "pipeline.yaml"
NAME = "com.example.rollout"
INSTALLED = {NAME: {"version": "1.0.0", "state": "RUNNING"}}


def components(result: Result) -> dict[str, Any]:
    return {thing: device["components"] for thing, device in result.record()["devices"].items()}


def test_two_waves_bake_one_after_the_other(tmp_path: Path) -> None:
    result = run(tmp_path, "--approve", "approve", spec=ROLLOUT)
    assert result.code == 0, result.err
    steps = result.record()["steps"]
    assert steps["register"]["outputs"]["seen"] == 2
    assert steps["approve"]["outputs"]["approval"]["comment"] == "--approve approve"
    deployment = steps["deploy"]["outputs"]["deployment"]
    assert deployment["facts"]["waves"] == ["canary", "line"]
    assert [made["target"] for made in deployment["facts"]["deployments"]] == [
        "thing/first",
        "thinggroup/line",
    ]
    assert {name: device["status"] for name, device in deployment["facts"]["devices"].items()} == {
        "first": "SUCCEEDED",
        "line-device-1": "SUCCEEDED",
    }
    # Each wave baked for four seconds.
    assert steps["deploy"]["seconds"] >= 8
    assert components(result) == {"first": INSTALLED, "line-device-1": INSTALLED}
    reports = Path(result.record()["artifacts_dir"]) / "deploy"
    assert sorted(path.name for path in reports.iterdir()) == ["canary", "line"]
    words = [str(EDGEPIPE), "logs", "--device", "first", "--state-dir", str(result.state_dir)]
    logs = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout.splitlines()
    assert any(line.startswith("first: ") and f"{NAME} 1.0.0 RUNNING" in line for line in logs)
    assert processes_below(tmp_path) == []


BROKEN = [
    ("start", "line-device-1", "line", ["line-device-1 is FAILED", "FAILED_ROLLBACK_COMPLETE"]),
    ("bake", "line-device-1", "line", ["line-device-1 reports that", f"{NAME} is"]),
    ("bake", "first", "canary", ["first reports that", "back to their former components: first"]),
]


@pytest.mark.parametrize(("when", "thing", "wave", "told"), BROKEN)
def test_a_wave_that_breaks_is_taken_back_and_those_before_it_stay(
    tmp_path: Path, when: str, thing: str, wave: str, told: list[str]
) -> None:
    result = run(
        tmp_path,
        *("--approve", "approve", "--param", f"when={when}", "--param", f"break_on={thing}"),
        spec=ROLLOUT,
    )
    assert result.code == 1, result.err
    failure = result.record()["failure"]
    assert (failure["step"], failure["error"]) == ("deploy", "RolloutError")
    for part in (f"wave '{wave}': 1 of 1 devices", *told):
        assert part in failure["message"]
    kept = INSTALLED if wave == "line" else {}
    assert components(result) == {"first": kept, "line-device-1": {}}


def test_a_rejection_ends_the_run_before_anything_is_deployed(tmp_path: Path) -> None:
    result = run(tmp_path, "--reject", "approve", spec=ROLLOUT)
    assert result.code == 1, result.err
    record = result.record()
    assert (record["failure"]["step"], record["failure"]["error"]) == ("approve", "RejectedError")
    assert record["steps"]["deploy"]["status"] == "PENDING"


def test_without_a_terminal_a_run_says_how_to_answer_and_waits(tmp_path: Path) -> None:
    child = subprocess.Popen(
        arguments(tmp_path, spec=ROLLOUT),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    line = next(line for line in child.stderr if "To answer: edgepipe approve " in line)
    assert line.startswith("approve: Ship to the line?")
    command = line.partition("To answer: edgepipe approve ")[2].partition(" (or reject)")[0]
    subprocess.run(
        [str(EDGEPIPE), "reject", *command.split(), "--comment", "not on a Friday"], check=True, timeout=60
    )
    out, _ = child.communicate(timeout=RUN_SECONDS)
    assert child.returncode == 1
    assert "rejected step 'approve': not on a Friday" in json.loads(out)["failure"]["message"]


def test_at_a_terminal_the_run_asks(tmp_path: Path) -> None:
    keyboard, screen = pty.openpty()
    child = subprocess.Popen(
        arguments(tmp_path, spec=ROLLOUT), stdin=screen, stdout=subprocess.PIPE, stderr=screen, text=True
    )
    os.close(screen)
    wait_for(keyboard, b"approve: Ship to the line? [y/N] ")
    os.write(keyboard, b"no, it is Friday\n")
    out, _ = child.communicate(timeout=RUN_SECONDS)
    os.close(keyboard)
    assert child.returncode == 1
    assert "it is Friday" in json.loads(out)["failure"]["message"]


def wait_for(terminal: int, text: bytes) -> None:
    shown = b""
    deadline = time.monotonic() + RUN_SECONDS
    while text not in shown:
        assert time.monotonic() < deadline, shown.decode()
        shown += os.read(terminal, 1000)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--approve", "ship"], "no approve step 'ship' to answer; those that wait for an answer: approve"),
        (["--approve", "approve", "--reject", "approve"], "both name approve"),
    ],
)
def test_an_answer_that_cannot_count_is_a_usage_error(tmp_path: Path, flags: list[str], told: str) -> None:
    result = run(tmp_path, *flags, spec=ROLLOUT)
    assert result.code == 2
    assert told in result.err
    assert not (tmp_path / "state").exists()


def test_a_list_fans_out_and_a_condition_skips(tmp_path: Path) -> None:
    result = run(tmp_path, spec=BRANCHES)
    assert result.code == 0, result.err
    steps = result.record()["steps"]
    assert steps["measure"]["outputs"]["area"] == [9, 1, 4]
    assert steps["measure"]["attempts"] == 3
    assert steps["total"]["outputs"] == {"sum": 14}
    assert steps["ship"]["status"] == "SKIPPED"
    assert "ship         SKIPPED" in result.err


def test_an_output_that_is_not_declared_fails_its_step(tmp_path: Path) -> None:
    result = run(tmp_path, "--param", "stage=prod", spec=BRANCHES)
    assert result.code == 1
    failure = result.record()["failure"]
    assert (failure["step"], failure["error"]) == ("ship", "TaskInputError")
    assert (
        "figures:ship of step 'ship' returned secret, which the spec does not declare" in failure["message"]
    )


UNAVAILABLE = """\
version: 1
name: later
usecase: bench
steps:
  call:
    uses: custom
    handler: arn:aws:lambda:us-east-1:123456789012:function:mine
  serve:
    inputs: {model: "s3://models/model.tar.gz"}
"""


def test_what_cannot_run_here_is_refused_step_by_step_before_anything_starts(tmp_path: Path) -> None:
    spec = tmp_path / "pipeline.yaml"
    spec.write_text(UNAVAILABLE)
    result = run(tmp_path, spec=spec)
    assert result.code == 5, result.err
    assert f"{spec}:5: step 'call': its Lambda function is in AWS" in result.err
    assert f"{spec}:8: step 'serve': " in result.err
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("topic", ["${{ usecase.topic }}", "arn:aws:sns:eu-west-1:345678901234:line-3"])
def test_here_too_an_approval_tells_its_topic(tmp_path: Path, topic: str) -> None:
    """Whichever account and region it is of: nothing of it has to be there."""
    spec = tmp_path / "pipeline.yaml"
    steps = 'steps:\n  approve: {message: "Ship?"}\n'
    notify = f'notify: {{on: [waiting], topic: "{topic}"}}\n'
    spec.write_text(f"version: 1\nname: asks\nusecase: bakery\n{steps}{notify}", encoding="utf-8")
    result = run(tmp_path, "--approve", "approve", spec=spec)
    assert result.code == 0, result.err
