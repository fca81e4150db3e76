"""What a state folder says about its runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local_cloud.lock import held
from local_cloud.runs import UnknownRunError, choose_run, find_run, list_runs
from tests.unit.local_cloud.folders import keep_run, me

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def state(tmp_path: Path) -> Path:
    keep_run(tmp_path, "cookies-20260301-a1")
    keep_run(tmp_path, "cookies-20260302-b2", status="FAILED", after=3600)
    keep_run(tmp_path, "dents-20260301-c3", status="RUNNING", after=60, driver=me())
    return tmp_path


def test_runs_are_listed_the_newest_first(state: Path) -> None:
    assert [(run.run_id, run.status, run.pipeline) for run in list_runs(state)] == [
        ("cookies-20260302-b2", "FAILED", "cookies"),
        ("dents-20260301-c3", "INTERRUPTED", "dents"),
        ("cookies-20260301-a1", "SUCCEEDED", "cookies"),
    ]
    assert list_runs(state / "absent") == []


def test_a_run_is_running_while_the_process_that_drives_it_holds_the_folder(state: Path) -> None:
    with held(state):
        assert [run.status for run in list_runs(state)][1] == "RUNNING"
        (state / "runs" / "dents-20260301-c3" / "driver").write_text("1")
        assert [run.status for run in list_runs(state)][1] == "INTERRUPTED"


def test_a_run_without_a_record_was_interrupted_before_its_first_step(tmp_path: Path) -> None:
    keep_run(tmp_path, "cookies-1", status=None)
    (run,) = list_runs(tmp_path)
    assert (run.status, run.document, run.seconds) == ("INTERRUPTED", {}, 0.0)


def test_a_folder_without_a_plan_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "runs" / "half").mkdir(parents=True)
    assert list_runs(tmp_path) == []
    assert find_run(tmp_path, "half") is None


@pytest.mark.parametrize(
    ("name", "run_id"),
    [
        ("last", "cookies-20260302-b2"),
        ("dents", "dents-20260301-c3"),
        ("cookies-20260301", "cookies-20260301-a1"),
        ("cookies-20260301-a1", "cookies-20260301-a1"),
    ],
)
def test_a_run_is_named_by_its_id_by_its_beginning_or_as_the_last(
    state: Path, name: str, run_id: str
) -> None:
    assert choose_run(state, name).run_id == run_id


def test_a_whole_id_counts_though_another_begins_with_it(state: Path) -> None:
    keep_run(state, "dents-20260301-c3-more")
    assert choose_run(state, "dents-20260301-c3").run_id == "dents-20260301-c3"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("cookies", "begins the names of 2 runs: cookies-20260302-b2, cookies-20260301-a1; give more"),
        ("cookies-20260302-b3", "Did you mean 'cookies-20260302-b2'?"),
        ("zzz", "`edgepipe runs` lists them"),
        ("../runs", "there is no run '../runs'"),
        ("", "begins the names of 3 runs"),
    ],
)
def test_a_name_that_means_no_run_or_several_is_explained(state: Path, name: str, told: str) -> None:
    with pytest.raises(UnknownRunError) as error:
        choose_run(state, name)
    assert told in str(error.value)


def test_a_folder_without_runs_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(UnknownRunError, match=r"there is no run in .*; `edgepipe run SPEC` starts one"):
        choose_run(tmp_path, "last")
