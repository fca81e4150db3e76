"""Child processes that never outlive their owner, with everything they started in turn.

A program that the local cloud runs (a training script, a component of a device) may start others, leave
them in the background, or move them into a session of their own. Stopping it must end all of them, and so
must the death of the local cloud itself, even by SIGKILL.

- Each program runs in a session and process group of its own and carries a mark in its environment, which
  its descendants inherit. The group finds most of them on any POSIX system; the mark finds, on Linux, those
  that left the group. A descendant that both leaves the group and clears its environment escapes.
- One shell per owner, the reaper, reads from a pipe that only the owner holds. When the owner is gone the
  pipe ends, and the reaper kills what still runs.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_MARK = "EDGEPIPE_PROCESS"
_PROC = Path("/proc")
_POLL_SECONDS = 0.01

# $1: the owner's token. Each line lists all groups that run now; the last whole one counts.
_REAPER_SCRIPT = f"""
while read -r line; do groups=$line; done
for group in $groups; do kill -KILL -- "-$group" 2>/dev/null; done
for round in 1 2 3; do
  grep -las "{_MARK}=$1-" /proc/[0-9]*/environ | while read -r path; do
    pid=${{path#/proc/}}; kill -KILL "${{pid%/environ}}" 2>/dev/null
  done
  [ "$round" = 3 ] || sleep 0.1
done
"""


def _ignore() -> None:
    """Take no notice of the end of a program."""


def start(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    log: Path,
    on_exit: Callable[[], None] = _ignore,
) -> Process:
    """Start a program whose output is appended to the file `log`; its standard input is empty.

    `env` is the whole environment: nothing is inherited from this process. The caller must call `stop` when
    it no longer needs the program, also after that has ended by itself: it may have left others behind.
    `on_exit` is called, in another thread, once `returncode` is known.
    Raises OSError when the program or the folder `cwd` does not exist.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        popen, mark = _REAPER.start(argv, cwd=cwd, env=env, output=output.fileno())
    return Process(popen, mark, on_exit)


class Process:
    """One running program: `pid`, `returncode`, `wait` and `stop`; safe to use from several threads."""

    def __init__(self, popen: subprocess.Popen[bytes], mark: str, on_exit: Callable[[], None]) -> None:
        self.pid = popen.pid
        self._popen = popen
        self._mark = mark
        self._on_exit = on_exit
        self._exited = threading.Event()
        self._code: int | None = None
        self._stopped = False
        self._stop_lock = threading.Lock()
        self._watcher = threading.Thread(target=self._watch, name=f"process {self.pid}", daemon=True)
        self._watcher.start()

    @property
    def returncode(self) -> int | None:
        """The exit code, negative for the signal that ended the program; None while it runs."""
        return self._code

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait at most `timeout` seconds (None: for ever) and return the exit code, None if it still runs."""
        self._exited.wait(timeout)
        return self._code

    def stop(self, grace_seconds: float = 5.0) -> None:
        """End the program and all its descendants: SIGTERM, `grace_seconds` to comply, then SIGKILL.

        Returns when nothing of it runs any more. Calling it again does nothing.
        """
        with self._stop_lock:
            if self._stopped:
                return
            if grace_seconds > 0:
                self._signal_all(signal.SIGTERM)
                self._wait_until_gone(grace_seconds)
            while self._is_alive():
                self._signal_all(signal.SIGKILL)
                time.sleep(_POLL_SECONDS)
            self._watcher.join()
            self._popen.wait()
            self._stopped = True
        _REAPER.forget(self)

    def _watch(self) -> None:
        self._code = _wait_for_exit(self._popen)
        self._exited.set()
        self._on_exit()

    def _wait_until_gone(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self._is_alive() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def _is_alive(self) -> bool:
        if _PROC.is_dir():
            return not self._exited.is_set() or any(_descendants(self.pid, self._mark))
        return _group_exists(self.pid)

    def _signal_all(self, number: signal.Signals) -> None:
        # While the leader is not reaped its number cannot be given to another group.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)
        for pid in _descendants(self.pid, self._mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


class _Reaper:
    """The owner's side of the reaper: which groups run, and the pipe that tells the shell."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = uuid.uuid4().hex
        self._numbers = itertools.count(1)
        self._groups: set[int] = set()
        self._shell: subprocess.Popen[bytes] | None = None

    def start(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: int
    ) -> tuple[subprocess.Popen[bytes], str]:
        """Start one program under the reaper's eye; returns it and its mark."""
        with self._lock:
            mark = f"{_MARK}={self._owner}-{next(self._numbers)}"
            # The reaper must be there first: the mark lets it find a program that it was not told of.
            self._tell()
            try:
                popen = _spawn(argv, cwd=cwd, env={**env, _MARK: mark.partition("=")[2]}, output=output)
            except OSError:
                self._end_if_idle()
                raise
            self._groups.add(popen.pid)
            self._tell()
        return popen, mark

    def forget(self, process: Process) -> None:
        """Stop watching one group; the shell ends with the last."""
        with self._lock:
            self._groups.discard(process.pid)
            self._tell()
            self._end_if_idle()

    def forget_owner(self) -> None:
        """Begin anew in a forked child: the programs and the pipe belong to the parent."""
        if self._shell is not None and self._shell.stdin is not None:
            self._shell.stdin.close()
            self._shell.returncode = 0
        self.__init__()  # type: ignore[misc]  # a fork copies locks in any state: nothing of the old may stay

    def _tell(self) -> None:
        if self._shell is None:
            self._shell = _start_shell(self._owner)
        pipe = self._shell.stdin
        if pipe is not None:
            pipe.write(f"{' '.join(map(str, sorted(self._groups)))}\n".encode())
            pipe.flush()

    def _end_if_idle(self) -> None:
        if self._shell is not None and not self._groups:
            # Killed, not closed: with nothing left to kill its farewell would only cost time.
            self._shell.kill()
            self._shell.communicate()
            self._shell = None


def _spawn(argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], output: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - running the caller's program is the purpose
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def _start_shell(owner: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - a constant script
        ["/bin/sh", "-c", _REAPER_SCRIPT, "edgepipe-reaper", owner],
        cwd="/",
        env={"PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _wait_for_exit(popen: subprocess.Popen[bytes]) -> int:
    """Return the exit code, leaving the dead process unreaped where the system allows it."""
    if not hasattr(os, "waitid"):
        return popen.wait()
    result = os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOWAIT)
    if result is None:
        return popen.wait()
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _descendants(group: int, mark: str) -> Iterator[int]:
    """Yield the live processes of a group and those that carry the mark (Linux; elsewhere none are known)."""
    wanted = mark.encode() + b"\0"
    for folder in _PROC.glob("[0-9]*"):
        # Processes come and go, and those of other users cannot be read.
        with contextlib.suppress(OSError):
            status = (folder / "stat").read_bytes().rpartition(b")")[2].split()
            if status[0] in (b"Z", b"X"):
                continue
            if int(status[2]) == group or wanted in (folder / "environ").read_bytes():
                yield int(folder.name)


_REAPER = _Reaper()
os.register_at_fork(after_in_child=_REAPER.forget_owner)
