"""Logs, found from a run's record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from local_cloud.logs import Follower, handler_log, job_logs
from local_cloud.runs import list_runs
from tests.unit.local_cloud.folders import keep_run, step

if TYPE_CHECKING:
    from pathlib import Path

CALLS = """\
START RequestId: 1 Version: $LATEST At: 2026-03-01T11:59:00.000Z
of the run before
START RequestId: 2 Version: $LATEST At: 2026-03-01T12:00:01.000Z
of this run
END RequestId: 2
START RequestId: 3 Version: $LATEST At: 2026-03-01T13:00:00.000Z
of the run after
"""


def test_a_follower_gives_whole_lines_once(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "log")
    assert follower.read() == ""
    (tmp_path / "log").write_text("first\nsec")
    assert follower.read() == "first\n"
    assert follower.read() == ""
    with (tmp_path / "log").open("a") as file:
        file.write("ond\n")
    assert follower.read() == "second\n"


def test_bytes_that_are_no_text_do_not_stop_a_follower(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"\xff\xfe bad\n")
    assert Follower(tmp_path / "log").read().endswith(" bad\n")


def test_job_logs_are_those_of_this_folder(tmp_path: Path) -> None:
    # The folder has been moved since: what the record names lies here now.
    logs = ["/former/logs/aws/sagemaker/TrainingJobs/a.log", "/former/logs/../../../etc/passwd"]
    assert job_logs(tmp_path, {"logs": logs}) == [tmp_path / "logs/aws/sagemaker/TrainingJobs/a.log"]


def test_a_handlers_log_is_cut_to_the_time_of_the_step(tmp_path: Path) -> None:
    keep_run(tmp_path, "cookies-1", steps={"learn": step(kind="train"), "later": step("PENDING")})
    (run,) = list_runs(tmp_path)
    assert handler_log(tmp_path, run, "learn") == ""
    path = tmp_path / "logs" / "aws" / "lambda" / "edgepipe-train.log"
    path.parent.mkdir(parents=True)
    path.write_text(CALLS)
    assert handler_log(tmp_path, run, "learn").splitlines()[1:] == ["of this run", "END RequestId: 2"]
    assert handler_log(tmp_path, run, "later") == ""


def test_a_step_that_runs_has_no_end_yet(tmp_path: Path) -> None:
    keep_run(tmp_path, "cookies-1", status="RUNNING", steps={"my-step": step("RUNNING", kind="custom")})
    (run,) = list_runs(tmp_path)
    path = tmp_path / "logs" / "aws" / "lambda" / "edgepipe-custom_my_step.log"
    path.parent.mkdir(parents=True)
    path.write_text(CALLS)
    assert handler_log(tmp_path, run, "my-step").splitlines()[-1] == "of the run after"
