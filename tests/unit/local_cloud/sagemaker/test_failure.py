from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local_cloud.sagemaker.errors import MAX_REASON
from local_cloud.sagemaker.failure import describe_exit, last_words, read_tail, render_script_error

if TYPE_CHECKING:
    from pathlib import Path

TRACEBACK = """epoch 1
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    f()
KeyError: 'first'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    g()
ValueError: two
lines
"""


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        (TRACEBACK, "ValueError: two lines"),
        ("usage: x\nx: error: unknown --a\n\n", "x: error: unknown --a"),
        ("  \n", "the program wrote nothing"),
        ("Traceback (most recent call last):\n  File", "File"),
    ],
)
def test_last_words(tail: str, expected: str) -> None:
    assert last_words(tail) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (2, "ExitCode 2"),
        (-9, "ExitCode -9 (killed by SIGKILL, perhaps for want of memory)"),
        (-11, "ExitCode -11 (killed by SIGSEGV)"),
        (-999, "ExitCode -999 (killed by signal 999)"),
    ],
)
def test_describe_exit(code: int, expected: str) -> None:
    assert describe_exit(code) == expected


def test_a_failure_reason_fits_the_api() -> None:
    reason = str(render_script_error(1, "e" * 5000, ["python", "c" * 5000]))
    assert reason.startswith("AlgorithmError: ExecuteUserScriptError: ExitCode 1 ErrorMessage")
    assert 'Command "python' in reason
    assert len(reason) <= MAX_REASON


def test_only_the_end_of_a_log_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert read_tail(log) == ""
    log.write_bytes(b"x" * 100_000 + "\nend \u00e9".encode())
    assert read_tail(log).endswith("\nend \u00e9")
    assert len(read_tail(log)) < 20_000
