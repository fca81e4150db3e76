"""Child processes end with everything they started, and never outlive their owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from local_cloud import processes

if TYPE_CHECKING:
    from collections.abc import Callable

ENV = {"PATH": os.environ["PATH"]}
needs_proc = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds strays through /proc")


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + 120
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_running(pid: int) -> bool:
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(shown.stdout.strip()) and not shown.stdout.strip().startswith("Z")


def written_pid(path: Path) -> int:
    assert eventually(lambda: path.exists() and path.read_text().endswith("\n")), f"{path} was not written"
    return int(path.read_text())


def run(script: str, folder: Path) -> processes.Process:
    return processes.start(["sh", "-c", script], cwd=folder, env=ENV, log=folder / "logs" / "out.log")


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", -15)])
def test_exit_code(script: str, code: int, tmp_path: Path) -> None:
    process = run(script, tmp_path)
    assert process.wait(30) == code
    assert process.returncode == code
    process.stop()


def test_the_end_is_announced_with_the_code_known(tmp_path: Path) -> None:
    announced = threading.Event()
    process = processes.start(
        ["sh", "-c", "exit 3"], cwd=tmp_path, env=ENV, log=tmp_path / "log", on_exit=announced.set
    )
    assert announced.wait(30)
    assert process.returncode == 3
    process.stop()


def test_output_is_appended_and_the_environment_is_the_given_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET", "not for children")
    for _ in range(2):
        process = run('echo "out:$SECRET"; echo err >&2', tmp_path)
        process.wait(30)
        process.stop()
    assert (tmp_path / "logs" / "out.log").read_text() == "out:\nerr\n" * 2


def test_wait_returns_none_while_it_runs(tmp_path: Path) -> None:
    process = run("exec sleep 600", tmp_path)
    assert process.wait(0.01) is None
    assert process.returncode is None
    process.stop()
    assert process.returncode == -signal.SIGTERM


def test_stop_ends_children_left_in_the_background(tmp_path: Path) -> None:
    process = run("sleep 600 & echo $! > child; exit 0", tmp_path)
    child = written_pid(tmp_path / "child")
    assert process.wait(30) == 0
    assert is_running(child)
    process.stop()
    process.stop()
    assert not is_running(child)


@needs_proc
def test_stop_ends_a_daemon_that_left_the_session(tmp_path: Path) -> None:
    daemon = "import os, time; os.setsid(); open('child', 'w').write(f'{os.getpid()}\\n'); time.sleep(600)"
    process = run(f'{sys.executable} -c "{daemon}" & exit 0', tmp_path)
    child = written_pid(tmp_path / "child")
    process.stop(grace_seconds=30)
    assert not is_running(child)


def test_stop_kills_what_ignores_sigterm(tmp_path: Path) -> None:
    process = run("trap '' TERM; echo $$ > child; while :; do sleep 0.05; done", tmp_path)
    written_pid(tmp_path / "child")
    process.stop(grace_seconds=0.05)
    assert process.returncode == -signal.SIGKILL


def test_stop_gives_children_of_the_leader_their_grace(tmp_path: Path) -> None:
    child = "trap 'sleep 0.2; echo bye > farewell; exit' TERM; echo 1 > child; while :; do sleep 0.05; done"
    script = f"({child}) & wait"
    process = run(script, tmp_path)
    written_pid(tmp_path / "child")
    process.stop(grace_seconds=30)
    assert (tmp_path / "farewell").read_text() == "bye\n"


def test_a_missing_program_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        processes.start(["/no/such/program"], cwd=tmp_path, env=ENV, log=tmp_path / "log")
    shown = subprocess.run(
        ["ps", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
    )
    assert "edgepipe-reaper" not in shown.stdout


@pytest.mark.parametrize(
    "script", ["sleep 600 & echo $! > child; wait", "sleep 600 & echo $! > child; exit 0"]
)
def test_children_end_when_the_owner_is_killed(script: str, tmp_path: Path) -> None:
    owner_script = (
        "import pathlib, time; from local_cloud import processes\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        f"processes.start(['sh', '-c', {script!r}], cwd=folder, env={ENV!r}, log=folder / 'log')\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", owner_script]) as owner:
        child = written_pid(tmp_path / "child")
        owner.kill()
    assert eventually(lambda: not is_running(child))
