"""An inference engine as a child process: started on a free port, proven to be ours, stopped without a trace.

Each engine carries an id derived from the work folder as one of its arguments. With it a later server finds
and ends the engine of one that was killed, and clears that engine's shared memory, and touches nobody else's.
"""

import hashlib
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from .errors import EngineError, StoppedError

START_SECONDS = 60
STOP_SECONDS = 9
POLL_SECONDS = 0.02
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - Triton's python backend keeps its regions here
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How to start an engine: `build` turns a port into the command; `versioned` titles it so."""

    name: str
    build: Callable[[int], list[str]]
    environment: Mapping[str, str]
    id: str
    versioned: bool


class EngineProcess:
    """A running engine that answers the KServe v2 protocol on `address` (host:port)."""

    def __init__(self, launch: Launch, process: subprocess.Popen[bytes], port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.title = launch.name
        self._launch = launch
        self._process = process

    def failure(self) -> str | None:
        """Say how the engine ended, or None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
        return f"{self._launch.name} ended by itself ({how}); its last words are in this component's log"

    def stop(self) -> None:
        """End the engine and whatever it left; safe to call again."""
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            LOG.warning("%s did not stop within %d s and is killed", self._launch.name, STOP_SECONDS)
            self._process.kill()
            self._process.wait()
        delete_remains(self._launch.id)


def build_engine_id(work: Path) -> str:
    """Derive the engine's id from the work folder, so that every start there gives the same one."""
    return f"edgepipe-{hashlib.sha256(str(work).encode()).hexdigest()[:16]}"


def start_engine_process(launch: Launch, stopping: Event) -> EngineProcess:
    """Start the engine and wait until it answers; EngineError says why it did not."""
    delete_remains(launch.id)
    try:
        return _start_once(launch, stopping)
    except EngineError as error:  # another process may have taken the port that was free a moment ago
        LOG.warning("%s; starting it once more", error)
        return _start_once(launch, stopping)


def _start_once(launch: Launch, stopping: Event) -> EngineProcess:
    engine = _spawn(launch)
    try:
        _wait_ready(engine, launch, stopping)
    except BaseException:
        engine.stop()
        raise
    return engine


def _spawn(launch: Launch) -> EngineProcess:
    port = find_free_port()
    command = launch.build(port)
    try:
        process = subprocess.Popen(command, env=dict(launch.environment))  # noqa: S603 - our own command
    except OSError as error:
        message = f"{launch.name} cannot be started: {error}"
        raise EngineError(message) from error
    return EngineProcess(launch, process, port)


def _wait_ready(engine: EngineProcess, launch: Launch, stopping: Event) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        failure = engine.failure()
        if failure:
            raise EngineError(failure)
        server = read_server(engine.address)
        if server.get("name") == launch.id and engine.failure() is None:
            engine.title = f"{launch.name} {server['version']}" if launch.versioned else launch.name
            return
        if stopping.wait(POLL_SECONDS):
            message = f"stopped while {launch.name} was starting"
            raise StoppedError(message)
    message = f"{launch.name} did not answer within {START_SECONDS} s"
    raise EngineError(message)


def read_server(address: str) -> dict[str, str]:
    """Ask a KServe v2 server who it is: its `name` and `version`; empty where none answers or is ready."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/v2")
        answer = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return {}
    finally:
        connection.close()
    return {key: answer[key] for key in ("name", "version") if isinstance(answer.get(key), str)}


def find_free_port() -> int:
    """Give a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def delete_remains(engine_id: str) -> None:
    """End processes that carry the id and remove their shared memory."""
    for pid in find_processes(engine_id):
        LOG.warning("process %d is left over from an engine that was killed; ending it", pid)
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    for region in SHARED_MEMORY.glob(f"{engine_id}*"):
        region.unlink(missing_ok=True)


def find_processes(engine_id: str) -> Iterator[int]:
    """Give the processes that have the id, or a shared-memory name made from it, among their arguments."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:  # it ended while we looked
            continue
        if any(_carries(argument.decode("utf-8", "replace"), engine_id) for argument in arguments):
            yield int(folder.name)


def _carries(argument: str, engine_id: str) -> bool:
    return argument == f"--id={engine_id}" or argument.lstrip("/").startswith(f"{engine_id}-")
