"""The record of a run: its JSON object, its file, its closing lines."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from local_cloud.predictions import Trial
from local_cloud.progress import Step
from local_cloud.record import Failure, Record, render_summary, write_record

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 11, 21, tzinfo=UTC)


def _record(folder: Path) -> Record:
    step = Step(
        id="train",
        kind="train",
        status="SUCCEEDED",
        started=START,
        ended=START + timedelta(seconds=2),
        attempts=1,
        outputs={
            "metrics": {"recall": 1.0},
            "gate": [{"metric": "recall", "op": ">=", "threshold": 0.9, "value": 1.0}],
        },
    )
    return Record(
        run_id="cookies-1",
        pipeline="cookies",
        status="SUCCEEDED",
        steps=[step],
        folder=folder,
        started=START,
        now=START + timedelta(seconds=3),
        devices={
            "line-3": {
                "status": "HEALTHY",
                "components": {"com.example.x": {"version": "1.0.0", "state": "RUNNING"}},
            }
        },
        trial=Trial(
            url="http://127.0.0.1:1/predict",
            engine="triton 2.51.0",
            images=4,
            correct=3,
            wrong=("s3://b/1.png",),
        ),
    )


def test_the_object_has_the_keys_that_scripts_rely_on(tmp_path: Path) -> None:
    document = _record(tmp_path).document()
    assert document["steps"]["train"] == {
        "kind": "train",
        "started": START.isoformat(),
        "ended": (START + timedelta(seconds=2)).isoformat(),
        "waits_for": None,
        "logs": [],
        "status": "SUCCEEDED",
        "seconds": 2.0,
        "attempts": 1,
        "cached": False,
        "outputs": _record(tmp_path).steps[0].outputs,
    }
    assert (document["run_id"], document["pipeline"], document["status"]) == (
        "cookies-1",
        "cookies",
        "SUCCEEDED",
    )
    assert document["predictions"]["accuracy"] == 0.75
    assert document["failure"] is None
    assert document["artifacts_dir"] == str(tmp_path / "artifacts")


def test_the_file_holds_the_object(tmp_path: Path) -> None:
    record = _record(tmp_path / "runs" / "1")
    write_record(record)
    assert json.loads((record.folder / "run.json").read_text()) == record.document()
    assert [path.name for path in record.folder.iterdir()] == ["run.json"]


def test_the_summary_names_gate_device_predictions_and_places(tmp_path: Path) -> None:
    text = render_summary(_record(tmp_path))
    assert text.splitlines()[0] == "SUCCEEDED in 3.0 s"
    for part in (
        "recall 1.000 >= 0.9",
        "line-3 HEALTHY: com.example.x 1.0.0 RUNNING",
        "3 of 4 held-back images",
        "served by triton 2.51.0",
        "run.json",
    ):
        assert part in text


def test_a_failure_names_place_step_error_and_message(tmp_path: Path) -> None:
    failure = Failure(
        step="label", where="p.yaml:9", error="TaskInputError", message="no images under s3://b/; add some"
    )
    assert (
        failure.render() == "p.yaml:9: step 'label' failed: TaskInputError: no images under s3://b/; add some"
    )
    document = replace(_record(tmp_path), failure=failure, trial=None).document()
    assert document["failure"]["step"] == "label"
    assert document["predictions"] is None
