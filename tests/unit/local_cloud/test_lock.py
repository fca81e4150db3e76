"""lock: one process at a time, whatever became of the one before."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from local_cloud import lock
from local_cloud.lock import InUseError, held, is_held

if TYPE_CHECKING:
    from pathlib import Path


def test_a_second_holder_is_told_who_the_first_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("sys.argv", ["edgepipe", "run", "pipeline.yaml", "--serve"])
    with held(tmp_path):
        assert is_held(tmp_path)
        expected = rf"process {os.getpid()} \(edgepipe run pipeline.yaml\) is using .*--state-dir"
        with pytest.raises(InUseError, match=expected), held(tmp_path):
            pytest.fail("two hold the lock")
    assert not is_held(tmp_path)


def test_a_lock_can_be_taken_again(tmp_path: Path) -> None:
    for _ in range(2):
        with held(tmp_path / "new"):
            assert json.loads((tmp_path / "new" / "lock").read_text())["pid"] == os.getpid()


def test_a_folder_that_nobody_used_is_free(tmp_path: Path) -> None:
    assert not is_held(tmp_path)


def test_a_holder_without_a_name_is_still_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "PATIENCE_SECONDS", 0.0)
    with held(tmp_path):
        (tmp_path / "lock").write_text("{")
        with pytest.raises(InUseError, match="another process is using"), held(tmp_path):
            pytest.fail("two hold the lock")
