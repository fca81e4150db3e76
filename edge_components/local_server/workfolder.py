"""The server's mark on its work folder: one lock, one announcement.

`server.lock` is held as long as the process lives and holds its id, so that `stop` finds it and a second
server refuses to start. `endpoint.json` is there exactly while the server answers.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from .errors import AlreadyRunningError
from .settings import Settings


def write_atomically(path: Path, data: bytes) -> None:
    """Put the file in place whole or not at all, as seen by other processes; not synced to the disk."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def hold_lock(settings: Settings) -> Iterator[None]:
    """Own the work folder; AlreadyRunningError if another server does."""
    settings.work.mkdir(parents=True, exist_ok=True)
    with (settings.work / "server.lock").open("a+") as file:
        if not try_lock(file):
            message = f"another local server (process {read_pid(file)}) already runs in {settings.work}"
            raise AlreadyRunningError(message)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        settings.endpoint.unlink(missing_ok=True)  # left behind by a server that was killed
        yield


@contextmanager
def announce(settings: Settings, *, url: str, engine: str) -> Iterator[None]:
    """Say in `endpoint.json` where the server listens; taken back at the end."""
    endpoint = {"url": url, "pid": os.getpid(), "engine": engine}
    write_atomically(settings.endpoint, json.dumps(endpoint).encode())
    try:
        yield
    finally:
        settings.endpoint.unlink(missing_ok=True)


def try_lock(file: IO[str]) -> bool:
    """Take the lock if nobody holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_pid(file: IO[str]) -> int | None:
    """Give the process id that the lock's holder wrote."""
    file.seek(0)
    text = file.read().strip()
    return int(text) if text.isdigit() else None
