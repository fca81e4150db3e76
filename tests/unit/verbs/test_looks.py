"""What the looking verbs print about a state folder, and what they say when they are asked amiss."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import cli
from local_cloud.lock import held
from tests.unit.local_cloud.folders import keep_run, me, step

if TYPE_CHECKING:
    from pathlib import Path

DONE, WAITS = "cookies-1", "cookies-2"
LOG = "logs/aws/sagemaker/TrainingJobs/job-1.log"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    steps = {
        "train": step(logs=[f"/elsewhere/{LOG}"]),
        "ask": step("FAILED", kind="approve", attempts=2),
        "later": step("PENDING", kind="deploy"),
    }
    keep_run(tmp_path, DONE, status="FAILED", steps=steps)
    waiting = step("RUNNING", kind="approve", waits_for="a person's answer: Ship?")
    keep_run(
        tmp_path, WAITS, status="RUNNING", after=9, steps={"ask": waiting}, approvals=("ask",), driver=me()
    )
    (tmp_path / LOG).parent.mkdir(parents=True)
    (tmp_path / LOG).write_text("epoch 1\nepoch 2\n")
    return tmp_path


class Told:
    """What a verb wrote, and how it ended."""

    def __init__(self, state: Path, capsys: pytest.CaptureFixture[str], *words: str) -> None:
        self.code = cli.main([*words, "--state-dir", str(state)])
        self.out, self.err = capsys.readouterr()

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def test_runs_are_a_table_or_json(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(state, capsys, "runs")
    head, first, second = told.out.splitlines()
    assert head.split() == ["RUN", "PIPELINE", "STATUS", "STARTED", "DURATION"]
    assert first.split()[:3] == [WAITS, "cookies", "INTERRUPTED"]
    assert second.split()[:3] == [DONE, "cookies", "FAILED"]
    assert second.endswith("1m 00s")
    told = Told(state, capsys, "runs", "--status", "FAILED", "--output", "json")
    assert [(row["run_id"], row["seconds"]) for row in told.document] == [(DONE, 60.0)]
    told = Told(state, capsys, "runs", "--limit", "1")
    assert (len(told.out.splitlines()), told.err) == (2, "1 more; --limit 2 shows them\n")
    assert Told(state, capsys, "runs", "--status", "ABORTED").err == f"no runs in {state} are ABORTED\n"


def test_a_status_tells_steps_waits_and_what_to_do(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with held(state):
        told = Told(state, capsys, "status", "last")
        assert told.out.startswith(f"{WAITS}  RUNNING")
        assert "waits for a person's answer: Ship?" in told.out
        assert "edgepipe resume" not in told.out
    assert f"go on with: edgepipe resume {WAITS}" in Told(state, capsys, "status", "last").out
    lines = Told(state, capsys, "status", DONE).out.splitlines()
    assert lines[0] == f"{DONE}  FAILED  1m 00s"
    assert lines[2].split() == ["ask", "FAILED", "5.0", "s", "2", "attempts"]
    assert lines[3].split() == ["later", "PENDING"]
    told = Told(state, capsys, "status", DONE, "--output", "json")
    assert (told.document["status"], list(told.document["steps"])) == ("FAILED", ["train", "ask", "later"])


def test_watch_ends_as_the_run_did(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = Told(state, capsys, "watch", DONE)
    assert (told.code, "train        SUCCEEDED" in told.err) == (1, True)
    told = Told(state, capsys, "watch", "last")
    assert (told.code, f"edgepipe resume {WAITS}" in told.out) == (1, True)
    keep_run(state, "good-1", after=99)
    told = Told(state, capsys, "watch", "good")
    assert (told.code, told.out) == (0, "SUCCEEDED in 1m 00s\n")


def test_logs_name_their_source(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Told(state, capsys, "logs", DONE).out == "train job-1: epoch 1\ntrain job-1: epoch 2\n"
    assert Told(state, capsys, "logs", DONE, "later").out == ""
    told = Told(state, capsys, "logs", DONE, "train", "--output", "json")
    assert json.loads(told.out.splitlines()[0]) == {"source": "train job-1", "line": "epoch 1"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["status", "cookies"], "begins the names of 2 runs"),
        (["logs", DONE, "trian"], "Did you mean 'train'?"),
        (["logs", DONE, "zzz"], "It has: train, ask, later."),
        (["logs", "--device", "line-1"], "there is no device 'line-1'"),
        (["stop", DONE], "has ended already: FAILED"),
        (["approve", WAITS, "aks"], "has no approve step 'aks'; those that ask: ask. Did you mean 'ask'?"),
        (["approve", DONE, "ask"], "has ended already"),
        (["devices", "line-1"], "there is no device 'line-1'"),
    ],
)
def test_what_is_asked_amiss_is_a_usage_error(
    state: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    said = Told(state, capsys, *words)
    assert (said.code, said.out) == (2, "")
    assert told in said.err


DAMAGED = [
    ("plan.json", "{", "plan.json is damaged"),
    ("plan.json", '{"run_id": "cookies-1"}', "lacks what a run has (KeyError: 'started')"),
    ("run.json", "[1]", "run.json is damaged"),
    ("run.json", '{"updated": "yesterday"}', "lacks what a run has (ValueError"),
    ("run.json", None, "run.json cannot be read (Is a directory)"),
    ("plan.json", '{"format": 2}', "plan.json was written by a later edgepipe"),
]
"""What is written to a file of a run's folder, None for a folder in its place, and what is said of it."""


def damage(folder: Path, name: str, text: str | None) -> None:
    if text is None:
        (folder / name).unlink()
        (folder / name).mkdir()
    else:
        (folder / name).write_text(text)


@pytest.mark.parametrize(("name", "text", "told"), DAMAGED)
def test_a_run_that_cannot_be_read_is_named_and_hides_no_other(
    state: Path, capsys: pytest.CaptureFixture[str], name: str, text: str | None, told: str
) -> None:
    damage(state / "runs" / DONE, name, text)
    said = Told(state, capsys, "runs", "--output", "json")
    assert (said.code, [row["run_id"] for row in said.document]) == (0, [WAITS])
    assert (f"left out {DONE}: " in said.err, told in said.err, said.err.count("\n")) == (True, True, 1)
    for words in (["status", "last"], ["watch", "last"], ["logs"], ["stop", "last"]):
        last = Told(state, capsys, *words)
        assert (last.code == 5, WAITS in last.out + last.err, told in last.err) == (
            False,
            words != ["logs"],
            True,
        )
    other = Told(state, capsys, "status", WAITS)
    assert (other.code, other.err) == (0, "")
    itself = Told(state, capsys, "status", DONE)
    assert (itself.code, told in itself.err, "Traceback" in itself.err) == (5, True, False)


def test_where_no_run_can_be_read_the_last_one_cannot(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for run_id in (DONE, WAITS):
        damage(state / "runs" / run_id, "plan.json", "{")
    said = Told(state, capsys, "status", "last")
    assert (said.code, said.err.count("plan.json is damaged")) == (5, 1)
    assert Told(state, capsys, "runs").code == 0


def test_a_database_that_is_none_is_the_folders_fault(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (state / "cloud.db").write_text("something else, and longer than a header of SQLite's would be" * 9)
    said = Told(state, capsys, "devices")
    assert (said.code, said.err) == (5, "edgepipe: a database of the state folder: file is not a database\n")


def test_a_file_is_no_state_folder(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        Told(state / LOG, capsys, "runs")
    assert ended.value.code == 2
    assert "is a file, not a folder" in capsys.readouterr().err


def test_looking_changes_nothing(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(state.rglob("*"))
    for words in (["runs"], ["status", "last"], ["devices"], ["logs", DONE], ["gc", "--dry-run"]):
        assert Told(state, capsys, *words).code == 0
    assert sorted(state.rglob("*")) == before
