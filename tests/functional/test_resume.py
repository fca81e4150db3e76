"""A run that is killed goes on: the same steps, the same tokens, the same end, and nothing done twice."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.functional.test_run import EDGEPIPE, ROOT, RUN_SECONDS, arguments, processes_below

PIPELINES = Path(__file__).parent / "pipelines"
BRANCHES = PIPELINES / "branches" / "pipeline.yaml"
ROLLOUT = PIPELINES / "rollout" / "pipeline.yaml"
MOST_LIVES = 400


@dataclass(frozen=True)
class Chain:
    """One run that was killed again and again until it ended."""

    state_dir: Path
    kills: int
    writes: list[str]
    record: dict[str, Any]


def call(words: list[str], *, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command; its output goes to files, which a process that outlives it does not hold up."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        code = subprocess.run(
            words, stdout=out, stderr=err, stdin=subprocess.DEVNULL, timeout=RUN_SECONDS, check=False, cwd=cwd
        ).returncode
        for stream in (out, err):
            stream.seek(0)
        return subprocess.CompletedProcess(words, code, out.read(), err.read())


def edgepipe(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return call([str(EDGEPIPE), *words], cwd=cwd)


def killed(when: str, writes: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return call([sys.executable, "-m", "tests.functional.killed", when, str(writes), *words], cwd=ROOT)


def chain(tmp_path: Path, when: str, spec: Path, *params: str, lives: int = MOST_LIVES) -> Chain:
    """Run a spec, its process killed `when`, resumed and killed again; the last of `lives` is not killed."""
    state_dir, writes, kills = tmp_path / "state", tmp_path / "writes", 0
    options = ["--state-dir", str(state_dir), "--output", "json"]
    words = ["run", str(spec), *params, *options]
    while True:
        last = kills == lives
        done = edgepipe(*words, cwd=ROOT) if last else killed(when, writes, *words)
        if done.returncode != -signal.SIGKILL:
            break
        kills += 1
        assert kills < MOST_LIVES, "the run makes no progress"
        words = ["resume", "last", *options]
    assert done.returncode == 0, done.stderr
    return Chain(state_dir, kills, writes.read_text().splitlines(), json.loads(done.stdout))


def expect_nothing_twice(state_dir: Path) -> None:
    """Check that no step was done twice, by what each step leaves that can be counted."""
    with sqlite3.connect(state_dir / "runs.db") as runs:
        (bodies,) = [runs.execute("select body from entries order by number").fetchall()]
    answers = [key for (body,) in bodies for key in json.loads(body)["answers"]]
    assert len(answers) == len(set(answers))
    events = [event for (body,) in bodies for event in json.loads(body)["events"]]
    assert len(events) == len({json.dumps(event[0]) for event in events})


def unfinished(state_dir: Path) -> list[str]:
    """Return the files that are written beside their place and were never moved to it."""
    names = [path.name for path in state_dir.rglob("*")]
    return [name for name in names if name.startswith(("new-", ".fetch-", ".unpack-")) or ".part" in name]


def outline(record: dict[str, Any]) -> dict[str, Any]:
    """Return what two runs of one spec have in common."""
    return {
        "status": record["status"],
        "steps": {
            name: (step["status"], step["attempts"], sorted(step["outputs"]))
            for name, step in record["steps"].items()
        },
        "devices": record["devices"],
        "failure": record["failure"],
    }


def expect_writes(made: Chain) -> None:
    """Check that every write of the run was kept, and that a process died at each of them.

    A life has one write. Before the first one there is nothing yet to go on with.
    """
    with sqlite3.connect(made.state_dir / "runs.db") as runs:
        ((entries,),) = runs.execute("select count(*) from entries").fetchall()
    assert made.writes.count("append") + made.writes.count("settle") == entries
    assert made.kills >= len(made.writes) - 1 > 1


@pytest.mark.soak
@pytest.mark.parametrize("when", ["after", "before"])
def test_a_run_killed_at_every_write_ends_as_an_undisturbed_one(tmp_path: Path, when: str) -> None:
    whole = ["run", str(BRANCHES), "--output", "json", "--state-dir", str(tmp_path / "undisturbed")]
    undisturbed = json.loads(edgepipe(*whole, cwd=ROOT).stdout)
    made = chain(tmp_path, when, BRANCHES)
    assert outline(made.record) == outline(undisturbed)
    expect_writes(made)
    expect_nothing_twice(made.state_dir)
    assert processes_below(tmp_path) == []


def outcomes(state_dir: Path, step: str) -> int:
    """Return how many calls of a step have ended for good: their outcomes are kept."""
    with sqlite3.connect(state_dir / "runs.db") as runs:
        bodies = [body for (body,) in runs.execute("select body from entries")]
    answers = [key for body in bodies for key in json.loads(body)["answers"]]
    return sum(key.endswith("/outcome") and f"{step} (item)#" in key for key in answers)


def calls(state_dir: Path, step: str) -> int:
    """Return how often a step's function has been called."""
    log = state_dir / "logs" / "aws" / "lambda" / f"edgepipe-custom_{step}.log"
    return log.read_text().count("START RequestId") if log.exists() else 0


def test_a_killed_run_goes_on_and_calls_nothing_that_has_ended(tmp_path: Path) -> None:
    state_dir, writes = tmp_path / "state", tmp_path / "writes"
    options = ["--state-dir", str(state_dir), "--output", "json"]
    assert killed("after=4", writes, "run", str(BRANCHES), *options).returncode == -signal.SIGKILL
    for when in ("before=2", None):
        before, ended = calls(state_dir, "measure"), outcomes(state_dir, "measure")
        words = ["resume", "last", *options]
        done = killed(when, writes, *words) if when else edgepipe(*words, cwd=ROOT)
        assert calls(state_dir, "measure") - before <= 3 - ended
        assert done.returncode == (-signal.SIGKILL if when else 0), done.stderr
    record = json.loads(done.stdout)
    assert {name: step["status"] for name, step in record["steps"].items()} == {
        "measure": "SUCCEEDED",
        "total": "SUCCEEDED",
        "ship": "SKIPPED",
    }
    assert record["steps"]["measure"]["outputs"]["area"] == [9, 1, 4]
    assert (record["steps"]["measure"]["attempts"], record["steps"]["total"]["outputs"]["sum"]) == (3, 14)
    assert outcomes(state_dir, "measure") == 3
    expect_nothing_twice(state_dir)
    assert unfinished(state_dir) == []
    assert processes_below(tmp_path) == []


def test_an_approval_answered_while_nobody_drove_the_run_is_taken_up(tmp_path: Path) -> None:
    child = subprocess.Popen(
        arguments(tmp_path, spec=ROLLOUT), stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    next(line for line in child.stderr if "To answer: " in line)
    state = ["--state-dir", str(tmp_path / "state")]
    second = edgepipe("resume", "last", *state, cwd=ROOT)
    assert (second.returncode, f"process {child.pid} " in second.stderr) == (5, True)
    child.kill()
    child.wait()
    child.stderr.close()
    shown = edgepipe("runs", *state, "--output", "json", cwd=ROOT)
    assert [row["status"] for row in json.loads(shown.stdout)] == ["INTERRUPTED"]
    assert edgepipe("approve", "last", "approve", *state, "--comment", "late", cwd=ROOT).returncode == 0
    done = edgepipe("resume", "last", *state, "--output", "json", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)["steps"]
    assert steps["approve"]["outputs"]["approval"]["comment"] == "late"
    assert steps["register"]["attempts"] == 1
    expect_nothing_twice(tmp_path / "state")
    assert processes_below(tmp_path) == []
