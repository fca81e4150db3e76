"""What may go from a state folder, and what stays."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from local_cloud.engine.runs import Record, Runs
from local_cloud.labelling.oracle import Oracle, find_oracle, keep_oracle
from local_cloud.labelling.sheets import Answer, Sheets
from local_cloud.leftovers import find_leftovers, remove_leftovers
from local_cloud.requests import Requests, leave_stop
from local_cloud.runs import list_runs, survey
from local_cloud.store import Store
from tests.unit.local_cloud.folders import BEGUN, keep_run, step

if TYPE_CHECKING:
    from pathlib import Path

DAY = 86_400.0
OLD, RECENT, OPEN = "cookies-1", "cookies-2", "cookies-3"
BUCKETS = "s3/results"
LATER = BEGUN + timedelta(days=40)


def digest(letter: str) -> str:
    return letter * 64


@pytest.fixture
def state(tmp_path: Path) -> Path:
    logs = [f"{tmp_path}/logs/aws/sagemaker/TrainingJobs/job-{number}.log" for number in (1, 2)]
    keep_run(tmp_path, OLD, steps={"train": step(logs=logs[:1])}, datasets=("datasets/a/", "datasets/b/"))
    keep_run(
        tmp_path, RECENT, after=30 * DAY, steps={"train": step(logs=logs[1:])}, datasets=("datasets/b/",)
    )
    keep_run(tmp_path, OPEN, status="RUNNING", after=1, datasets=("datasets/c/",))
    for number in (1, 2):
        for path in (tmp_path / "jobs" / f"job-{number}" / "opt" / "x", tmp_path / logs[number - 1]):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("12345")
    for letter in "abcdef":
        body = tmp_path / "objects" / digest(letter)[:2] / digest(letter)
        body.parent.mkdir(parents=True)
        body.write_text("1234567890")
    (tmp_path / "objects" / "aa" / "new-half").write_text("x")
    with closing(Store(tmp_path)) as store:
        for key, letter in (
            (f"runs/cookies/{OLD}/train/model", "a"),
            ("datasets/a/1.jpg", "b"),
            ("datasets/b/1.jpg", "c"),
            (f"runs/cookies/{OPEN}/train/model", "d"),
            ("assets/script", "e"),
        ):
            store.put_bytes(BUCKETS, key, b"pickled " + digest(letter).encode())
    return tmp_path


def keep_execution(state: Path, name: str) -> None:
    with closing(Runs(state / "runs.db")) as runs:
        record = Record(
            arn=f"arn:aws:states:us-east-1:123456789012:execution:cookies:{name}",
            machine="arn:aws:states:us-east-1:123456789012:stateMachine:cookies",
            machine_name="cookies",
            name=name,
            input_text="{}",
            definition=f'{{"Comment": "{name}"}}',
            role_arn="arn:aws:iam::123456789012:role/r",
            started=0.0,
        )
        runs.append(runs.add(record).number, 0, "{}")


def test_a_run_that_ended_long_ago_goes_with_all_that_only_it_had(state: Path) -> None:
    for name in (OLD, f"x{OLD}", RECENT):
        keep_execution(state, name)
    leave_stop(state, OLD)
    found = find_leftovers(state, before=BEGUN + timedelta(days=1), keep=0)
    assert found.runs == [OLD]
    assert found.objects == {BUCKETS: ["datasets/a/1.jpg", f"runs/cookies/{OLD}/train/model"]}
    assert found.size > 5 + 5 + 3 * 10
    remove_leftovers(state, found)
    assert [run.run_id for run in list_runs(state)] == [RECENT, OPEN]
    assert [path.name for path in (state / "jobs").iterdir()] == ["job-2"]
    assert [path.name for path in (state / "logs").rglob("*.log")] == ["job-2.log"]
    assert sorted(path.name[0] for path in (state / "objects").glob("*/*")) == ["c", "d", "e"]
    with closing(Store(state)) as store:
        assert len(store.all_bytes(BUCKETS)) == 3
        assert not Requests(store, OLD).wants_stop()
    with closing(Runs(state / "runs.db")) as runs:
        kept = runs.all()
        assert [one.name for one in kept] == [RECENT, f"x{OLD}"]
        assert [runs.entries(one.number) for one in kept] == [["{}"], ["{}"]]
    assert find_leftovers(state, before=BEGUN + timedelta(days=1), keep=0).paths == []


def test_labels_and_oracles_go_with_their_runs(state: Path) -> None:
    arn = "arn:aws:sagemaker:us-east-1:210987654321:labeling-job/job-{}"
    with closing(Store(state)) as store:
        for number, run in ((1, OLD), (2, RECENT)):
            Sheets(store).answer(arn.format(number), {0: Answer(label="normal", by="me", at=0.0)})
            keep_oracle(store, run, Oracle(labels={"1.png": "normal"}))
    remove_leftovers(state, find_leftovers(state, before=BEGUN + timedelta(days=1), keep=0))
    with closing(Store(state)) as store:
        assert [Sheets(store).count(arn.format(number)) for number in (1, 2)] == [0, 1]
        assert (find_oracle(store, OLD), find_oracle(store, RECENT) is None) == (None, False)


def test_what_can_go_on_and_the_newest_are_spared(state: Path) -> None:
    assert find_leftovers(state, before=LATER, keep=0).runs == [RECENT, OLD]
    assert find_leftovers(state, before=LATER, keep=1).runs == [OLD]
    assert find_leftovers(state, before=LATER, keep=3).runs == []
    assert find_leftovers(state, before=BEGUN, keep=0).runs == []


def test_a_damaged_run_goes_once_it_has_not_been_touched_for_so_long(state: Path) -> None:
    plan = state / "runs" / OLD / "plan.json"
    plan.write_text("{")
    touched = plan.stat().st_mtime
    late, early = (datetime.fromtimestamp(touched + add, UTC) for add in (60, -60))
    assert find_leftovers(state, before=early, keep=9).runs == []
    found = find_leftovers(state, before=late, keep=9)
    assert (found.runs, found.objects) == ([OLD], {BUCKETS: [f"runs/cookies/{OLD}/train/model"]})
    remove_leftovers(state, found)
    assert survey(state)[1] == []
    assert sorted(path.name for path in (state / "runs").iterdir()) == [RECENT, OPEN]


def test_what_a_later_edgepipe_wrote_stays_and_the_datasets_it_may_read(state: Path) -> None:
    (state / "runs" / RECENT / "plan.json").write_text('{"format": 2}')
    found = find_leftovers(state, before=datetime.now(UTC) + timedelta(days=1), keep=0)
    assert (found.runs, found.objects) == ([OLD], {BUCKETS: [f"runs/cookies/{OLD}/train/model"]})


def called(at: datetime, words: str) -> str:
    start = f"START RequestId: a Version: $LATEST At: {at.isoformat(timespec='milliseconds')}\n"
    return f"{start}{words}\nEND RequestId: a\nREPORT RequestId: a\tDuration: 1.00 ms\n"


def test_calls_go_from_logs_that_runs_share(state: Path) -> None:
    logs = state / "logs" / "aws" / "lambda"
    logs.mkdir(parents=True)
    old, recent = BEGUN + timedelta(seconds=30), BEGUN + timedelta(days=30, seconds=30)
    between = BEGUN + timedelta(days=2)
    rest = [called(between, "nobody's"), called(recent, "recent")]
    (logs / "edgepipe-train.log").write_text(
        "".join([called(old, "\udc80 old"), *rest]), errors="surrogateescape"
    )
    (logs / "edgepipe-label.log").write_text(called(old, "old"))
    (logs / "mine.log").write_text(called(old, "a function of the user's own"))
    (state / "runs" / OPEN / "plan.json").write_text("{}")  # its time, the old run's too, is not known
    before = BEGUN + timedelta(days=1)
    found = find_leftovers(state, before=before, keep=0)
    assert found.size > len(called(old, "old"))
    remove_leftovers(state, found)
    assert (logs / "edgepipe-train.log").read_text() == "".join(rest)
    assert sorted(path.name for path in logs.iterdir()) == ["edgepipe-train.log", "mine.log"]


def test_a_call_in_the_time_of_a_run_that_stays_stays(state: Path) -> None:
    log = state / "logs" / "aws" / "lambda" / "edgepipe-train.log"
    log.parent.mkdir(parents=True)
    log.write_text(called(BEGUN + timedelta(seconds=30), "of the old run, or of the open one"))
    before = BEGUN + timedelta(days=1)
    assert find_leftovers(state, before=before, keep=0).logs == {}


def test_an_empty_folder_has_nothing_and_stays_empty(tmp_path: Path) -> None:
    found = find_leftovers(tmp_path, before=LATER, keep=0)
    remove_leftovers(tmp_path, found)
    assert (found.runs, found.objects, found.paths) == ([], {}, [])
    assert list(tmp_path.iterdir()) == []
