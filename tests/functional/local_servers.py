"""Runs the local server as its recipe does: the recipe's environment and scripts, on an unpacked artifact."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from edge_components.local_server.process import SHARED_MEMORY, build_engine_id, find_processes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).parents[2]
COMPONENT = ROOT / "edge_components" / "local_server"
RUNTIME = ROOT / "edge_components" / "model"
DEADLINE_SECONDS = 120
ENGINES = ("triton", "fallback")


def why_not(engine: str) -> str | None:
    """Say why an engine cannot run here, or None if it must."""
    if engine == "triton" and importlib.util.find_spec("pytriton") is None:
        return "nvidia-pytriton has wheels for Linux on x86-64 and Python below 3.13 only"
    return None


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Poll until the condition holds."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {DEADLINE_SECONDS} s"
        time.sleep(0.02)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: Any


def ask(url: str, data: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    """Send one request."""
    request = urllib.request.Request(url, data=data, headers=dict(headers or {}))
    try:
        with urllib.request.urlopen(request, timeout=DEADLINE_SECONDS) as response:
            return Answer(status=response.status, body=json.load(response))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(status=error.code, body=json.load(error))


class LocalServer:
    """The component on a device of its own: `folder` holds artifact and work folder."""

    def __init__(self, folder: Path, engine: str, configuration: Mapping[str, str] | None = None) -> None:
        self.work = folder / "work" / "com.edgepipe.LocalServer"
        self.log = folder / "server.log"
        self._artifact = folder / "artifacts"
        self._configuration = {"port": "0", "engine": engine, **(configuration or {})}
        self._recipe = yaml.safe_load((COMPONENT / "recipe.yaml").read_text(encoding="utf-8"))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.work.mkdir(parents=True, exist_ok=True)
        shutil.copytree(
            COMPONENT,
            self._artifact / "local_server" / "local_server",
            ignore=shutil.ignore_patterns("__pycache__", "recipe.yaml"),
            dirs_exist_ok=True,
        )

    @property
    def environment(self) -> dict[str, str]:
        """The recipe's variables with their values, and this interpreter first on PATH."""
        defaults = self._recipe["ComponentConfiguration"]["DefaultConfiguration"]
        values = {
            f"{{configuration:/{key}}}": value for key, value in (defaults | self._configuration).items()
        }
        values |= {"{artifacts:decompressedPath}": str(self._artifact), "{work:path}": str(self.work)}
        variables = dict(self._recipe["Manifests"][0]["Lifecycle"]["Setenv"])
        for name, text in variables.items():
            for variable, value in values.items():
                variables[name] = variables[name].replace(variable, value)
            assert "{" not in variables[name], f"{name}={text} has an unknown recipe variable"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {"PATH": path, "HOME": str(self.work), **variables}

    def launch(self, step: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a lifecycle step of the recipe in a process group of its own."""
        script = self._recipe["Manifests"][0]["Lifecycle"][step]["Script"]
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", script],
                env=self.environment | variables,
                cwd=self.work,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def start(self) -> subprocess.Popen[bytes]:
        """Run the server and wait until it has announced itself."""
        process = self.launch("Run")
        wait_until(lambda: self.endpoint.exists() or process.poll() is not None, "the announcement")
        assert process.poll() is None, self.log.read_text()
        return process

    @property
    def endpoint(self) -> Path:
        return self.work / "endpoint.json"

    @property
    def url(self) -> str:
        return str(json.loads(self.endpoint.read_text())["url"])

    def health(self) -> Answer:
        return ask(f"{self.url}/health")

    def load(self, name: str, package: Path, version: str = "1.0.0") -> Answer:
        return self.order(name, "load", {"source": str(package / "models"), "version": version})

    def unload(self, name: str) -> Answer:
        return self.order(name, "unload", {})

    def order(self, name: str, verb: str, body: Mapping[str, str]) -> Answer:
        headers = {"Content-Type": "application/json"}
        return ask(f"{self.url}/models/{name}/{verb}", json.dumps(body).encode(), headers)

    def predict(self, image: bytes, model: str | None = None) -> Answer:
        query = f"?model={model}" if model else ""
        return ask(f"{self.url}/predict{query}", image, {"Content-Type": "application/octet-stream"})

    def remains(self) -> list[str]:
        """Everything of the engine that is still there: processes and shared memory."""
        identity = build_engine_id(self.work)
        processes = [f"process {pid}" for pid in find_processes(identity)]
        return processes + [str(path) for path in SHARED_MEMORY.glob(f"{identity}*")]

    def close(self) -> None:
        """End every process that was started here."""
        for process in self.processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for region in SHARED_MEMORY.glob(f"{build_engine_id(self.work)}*"):
            region.unlink(missing_ok=True)


@contextlib.contextmanager
def running(folder: Path, engine: str, **configuration: str) -> Iterator[LocalServer]:
    """A server that serves; ended whatever happens."""
    server = LocalServer(folder, engine, configuration)
    try:
        server.start()
        yield server
    finally:
        server.close()
