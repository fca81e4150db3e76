"""Ctrl-C while Python still imports what a verb needs: the command ends at once, and shows no traceback."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.functional.test_resume import BRANCHES, call
from tests.functional.test_run import ROOT, processes_below

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

INTERRUPTED = 130


def interrupted(at: int, *words: str) -> subprocess.CompletedProcess[str]:
    done = call([sys.executable, "-m", "tests.functional.interrupted", str(at), *words], cwd=ROOT)
    assert "Traceback" not in done.stderr, (at, done.stderr)
    return done


@pytest.mark.parametrize("at", [1, 2, 8, 20])
def test_a_looking_verb_interrupted_while_it_is_imported(tmp_path: Path, at: int) -> None:
    done = interrupted(at, "runs", "--state-dir", str(tmp_path))
    assert (done.returncode, done.stderr, done.stdout) == (INTERRUPTED, "edgepipe: interrupted\n", "")


@pytest.mark.soak
def test_a_run_interrupted_wherever_it_imports_leaves_nothing(tmp_path: Path) -> None:
    at = 1
    while True:
        state = tmp_path / str(at)
        done = interrupted(at, "run", str(BRANCHES), "--state-dir", str(state))
        assert processes_below(state) == []
        if done.returncode == 0:
            break
        assert done.returncode == INTERRUPTED, (at, done.stderr)
        at += 1 + at // 3
    assert at > 500
