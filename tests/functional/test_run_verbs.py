"""The verbs that steer runs, from other terminals and after the process that drove a run has gone."""

from __future__ import annotations

import json
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.functional.test_resume import BRANCHES, edgepipe, expect_nothing_twice
from tests.functional.test_run import EDGEPIPE, ROOT, RUN_SECONDS, arguments, processes_below

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPEC = """\
version: 1
name: careful
usecase: bench
params:
  folder: {type: string}
steps:
  count:
    uses: custom
    handler: work:count
    outputs: {calls: integer}
    config: {folder: "${{ params.folder }}"}
  ask: {uses: approve, message: "Go on?", timeout: 10m, needs: [count]}
  check:
    uses: custom
    handler: work:check
    outputs: {calls: integer}
    needs: [ask]
    config: {folder: "${{ params.folder }}", calls: "${{ steps.count.calls }}"}
"""
CODE = '''\
"""Steps that leave a trace."""

from pathlib import Path


def count(event, context):
    """Count the calls in a file."""
    path = Path(event["config"]["folder"], "calls")
    calls = len(path.read_text()) + 1 if path.exists() else 1
    path.write_text("x" * calls)
    print(f"this is call {calls}")
    return {"calls": calls}


def check(event, context):
    """Fail until a file is there."""
    if not Path(event["config"]["folder"], "ready").exists():
        raise RuntimeError("nothing is ready")
    return {"calls": event["config"]["calls"]}
'''


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    (tmp_path / "work.py").write_text(CODE)
    path = tmp_path / "pipeline.yaml"
    path.write_text(SPEC)
    return path


def words(spec: Path, *more: str) -> list[str]:
    return arguments(spec.parent, "--param", f"folder={spec.parent}", *more, spec=spec)


def verb(spec: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return edgepipe(*more, "--state-dir", str(spec.parent / "state"), cwd=ROOT)


def statuses(spec: Path) -> list[str]:
    return [row["status"] for row in json.loads(verb(spec, "runs", "--output", "json").stdout)]


@contextmanager
def asking(spec: Path) -> Iterator[subprocess.Popen[str]]:
    """Give a run that waits for an answer; it is killed in the end if it has not ended."""
    child = subprocess.Popen(
        words(spec), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    assert child.stdout is not None
    with child.stderr, child.stdout:
        try:
            next(line for line in child.stderr if "To answer: " in line)
            yield child
        finally:
            child.kill()
            child.wait()


def ended(child: subprocess.Popen[str]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(child.communicate(timeout=RUN_SECONDS)[0])
    return record


def test_a_failed_run_goes_on_at_the_step_that_failed(spec: Path) -> None:
    failed = edgepipe(*words(spec, "--approve", "ask")[1:], cwd=ROOT)
    assert failed.returncode == 1
    assert json.loads(failed.stdout)["failure"]["step"] == "check"
    (spec.parent / "ready").touch()
    assert "go on where it stood with: edgepipe resume careful-" in verb(spec, "status", "last").stdout
    done = verb(spec, "resume", "last", "--output", "json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["status"], record["failure"], statuses(spec)) == ("SUCCEEDED", None, ["SUCCEEDED"])
    steps = {name: (step["status"], step["attempts"]) for name, step in record["steps"].items()}
    assert steps == {"count": ("SUCCEEDED", 1), "ask": ("SUCCEEDED", 1), "check": ("SUCCEEDED", 2)}
    assert record["steps"]["check"]["outputs"] == {"calls": 1}
    assert (spec.parent / "calls").read_text() == "x"
    expect_nothing_twice(spec.parent / "state")
    again = verb(spec, "resume", "last")
    assert (again.returncode, "has succeeded; there is nothing to resume" in again.stderr) == (2, True)


def test_the_code_of_a_step_that_failed_is_read_anew(spec: Path) -> None:
    (spec.parent / "ready").touch()
    code = spec.parent / "work.py"
    code.write_text(CODE.replace('event["config"]["calls"]}', 'event["confog"]["calls"]}'))
    failed = edgepipe(*words(spec, "--approve", "ask")[1:], cwd=ROOT)
    assert (failed.returncode, "'confog'" in failed.stderr) == (1, True)
    code.rename(spec.parent / "work.txt")
    again = verb(spec, "resume", "last")
    assert (again.returncode, "going on with the code of before: " in again.stderr) == (1, True)
    code.write_text(CODE)
    done = verb(spec, "resume", "last", "--output", "json")
    assert done.returncode == 0, done.stderr
    steps = json.loads(done.stdout)["steps"]
    assert (steps["check"]["attempts"], steps["check"]["outputs"]) == (3, {"calls": 1})
    assert (spec.parent / "calls").read_text() == "x"


def test_a_run_is_stopped_from_another_terminal(spec: Path) -> None:
    with asking(spec) as child:
        stopped = verb(spec, "stop", "last", "--output", "json")
        assert (stopped.returncode, json.loads(stopped.stdout)["status"]) == (0, "ABORTED")
        record = ended(child)
    assert (child.returncode, record["status"], record["failure"]["step"]) == (130, "ABORTED", "ask")
    again = verb(spec, "stop", "last")
    assert (again.returncode, "has ended already: ABORTED" in again.stderr) == (2, True)
    assert processes_below(spec.parent) == []


def test_a_run_that_nobody_drives_is_stopped_and_taken_up(spec: Path) -> None:
    with asking(spec):
        pass
    assert statuses(spec) == ["INTERRUPTED"]
    stopped = verb(spec, "stop", "last")
    assert (stopped.returncode, stopped.stderr.endswith(": ABORTED\n")) == (0, True)
    assert statuses(spec) == ["ABORTED"]
    assert "go on where it stood with: edgepipe resume careful-" in verb(spec, "status", "last").stdout
    (spec.parent / "ready").touch()
    done = verb(spec, "resume", "last", "--approve", "ask", "--output", "json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["status"], record["steps"]["ask"]["attempts"]) == ("SUCCEEDED", 2)
    assert (spec.parent / "calls").read_text() == "x"
    expect_nothing_twice(spec.parent / "state")
    assert processes_below(spec.parent) == []


def test_a_run_is_watched_and_its_logs_are_followed_to_its_end(spec: Path) -> None:
    (spec.parent / "ready").touch()
    state = ["--state-dir", str(spec.parent / "state")]
    with asking(spec) as child:
        follow = [str(EDGEPIPE), "logs", "last", "--follow", *state]
        watch = [str(EDGEPIPE), "watch", "last", *state]
        with (
            subprocess.Popen(follow, stdout=subprocess.PIPE, text=True) as logs,
            subprocess.Popen(watch, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watched,
        ):
            assert logs.stdout is not None
            assert watched.stderr is not None
            assert any("count handler: this is call 1" in line for line in logs.stdout)
            assert any("waits for a person's answer: Go on?" in line for line in watched.stderr)
            assert verb(spec, "approve", "last", "ask", "--comment", "fine").returncode == 0
            rest = logs.communicate(timeout=RUN_SECONDS)[0]
            told = watched.communicate(timeout=RUN_SECONDS)
        assert ended(child)["status"] == "SUCCEEDED"
    assert "check handler: START RequestId" in rest
    assert told[0].startswith("SUCCEEDED in ")
    assert "fine" in told[1]
    assert (logs.returncode, watched.returncode) == (0, 0)


def test_a_reader_that_goes_does_not_end_a_run(tmp_path: Path) -> None:
    child = subprocess.Popen(
        arguments(tmp_path, "--param", "stage=prod", spec=BRANCHES),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()
    child.stderr.close()
    assert child.wait(timeout=RUN_SECONDS) == 1
    told = edgepipe("runs", "--state-dir", str(tmp_path / "state"), "--output", "json", cwd=ROOT)
    assert [row["status"] for row in json.loads(told.stdout)] == ["FAILED"]
