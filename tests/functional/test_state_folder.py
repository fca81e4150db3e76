"""One state folder over several commands: runs beside each other, fleets, and what is left of old runs."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

from local_cloud.lock import held
from tests.functional.test_resume import BRANCHES, ROLLOUT, edgepipe
from tests.functional.test_run import ROOT, arguments, draw_dataset, processes_below, run

if TYPE_CHECKING:
    from pathlib import Path

FLEET = """\
version: 1
devices:
  first: {architecture: aarch64, labels: {team: vision}}
  line-{1..2}: {groups: [line]}
"""


def told(*words: str, state_dir: Path) -> Any:
    """Return the JSON that a verb prints."""
    done = edgepipe(*words, "--state-dir", str(state_dir), "--output", "json", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_old_runs_go_and_the_folder_serves_the_next_one(tmp_path: Path) -> None:
    state = tmp_path / "state"
    first = run(tmp_path, spec=BRANCHES).record()["run_id"]
    with held(state):
        refused = edgepipe("gc", "--older-than", "0m", "--state-dir", str(state), cwd=ROOT)
        assert (refused.returncode, "wait for it to end" in refused.stderr) == (5, True)
    assert told("gc", state_dir=state)["runs"] == []
    assert told("gc", "--older-than", "0m", "--dry-run", state_dir=state)["runs"] == [first]
    second = run(tmp_path, spec=BRANCHES).record()["run_id"]
    assert [row["run_id"] for row in told("runs", state_dir=state)] == [second, first]
    assert told("gc", "--older-than", "0m", "--keep", "1", state_dir=state)["runs"] == [first]
    third = run(tmp_path, spec=BRANCHES).record()
    assert (third["status"], third["steps"]["total"]["attempts"]) == ("SUCCEEDED", 1)
    assert [row["run_id"] for row in told("runs", state_dir=state)] == [third["run_id"], second]
    assert processes_below(tmp_path) == []


STAYS = {"greengrass.deployments", "greengrass.tags", "moto"}
"""What may name a run that went: deployments that devices have taken, and roles that were handed out.

A component's objects name the run that published it, too.
"""


def test_nothing_is_left_of_runs_that_went_but_what_they_gave_to_devices(tmp_path: Path) -> None:
    state = tmp_path / "state"
    dataset = draw_dataset(tmp_path / "dataset", each=30)
    trained = run(tmp_path, "--param", f"dataset={dataset}").record()
    gone = [trained["run_id"], run(tmp_path, spec=BRANCHES).record()["run_id"]]
    jobs = [path.name for path in (state / "jobs").iterdir()]
    assert len(jobs) == 3
    before = told("devices", state_dir=state)
    assert set(told("gc", "--older-than", "0m", state_dir=state)["runs"]) == set(gone)
    assert told("devices", state_dir=state) == before
    assert before[0]["components"].keys() == {"com.edgepipe.LocalServer", "com.example.brightness"}
    names = [name.encode() for name in (*gone, *jobs)]
    files = [path for path in state.rglob("*") if path.is_file() and path.suffix != ".db"]
    named = [path for path in files if any(name in str(path).encode() + path.read_bytes() for name in names)]
    assert {path.parent.parent.name for path in named} <= {"objects"}
    with sqlite3.connect(state / "cloud.db") as cloud:
        rows = cloud.execute("select collection, key, body from documents").fetchall()
    assert {row[0] for row in rows if any(name in repr(row[1:]).encode() for name in names)} <= STAYS
    assert {row[1].split("/")[0] for row in rows if row[0].startswith("s3/")} == {"assets", "components"}
    with sqlite3.connect(state / "runs.db") as runs:
        left = [runs.execute(f"select count(*) from {name}").fetchone() for name in ("executions", "entries")]
    assert left == [(0,), (0,)]


def test_a_fleet_may_be_described_elsewhere(tmp_path: Path) -> None:
    fleet, state = tmp_path / "fleet.yaml", tmp_path / "state"
    fleet.write_text(FLEET)
    words = ["--reject", "approve", "--devices", str(fleet)]
    assert run(tmp_path, *words, spec=ROLLOUT).code == 1
    devices = {each["thing"]: each for each in told("devices", state_dir=state)}
    assert list(devices) == ["first", "line-1", "line-2"]
    assert (devices["first"]["architecture"], devices["first"]["labels"]) == ("aarch64", {"team": "vision"})
    assert [path.read_text() for path in state.glob("runs/*/devices.yaml")] == [FLEET]


def test_a_fleet_that_cannot_be_is_refused_before_anything_starts(tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(FLEET.replace("labels", "lables"))
    wrong = edgepipe(*arguments(tmp_path, "--devices", str(fleet), spec=ROLLOUT)[1:], cwd=ROOT)
    assert (wrong.returncode, f"{fleet}:3:" in wrong.stderr, "labels" in wrong.stderr) == (3, True, True)
    absent = edgepipe(*arguments(tmp_path, "--devices", f"{fleet}x", spec=ROLLOUT)[1:], cwd=ROOT)
    assert (absent.returncode, f"cannot read {fleet}x" in absent.stderr) == (2, True)
    assert not (tmp_path / "state").exists()
