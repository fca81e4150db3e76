"""Triton as the engine: found on this machine, or in the nvidia-pytriton wheel, and started without Docker.

What the wheel needs is learned by trial and stated where it is done; see also Triton's own documentation at
https://docs.nvidia.com/deeplearning/triton-inference-server/.
"""

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from .errors import EngineUnavailableError
from .process import EngineProcess, Launch, build_engine_id, start_engine_process
from .settings import Settings

EXIT_TIMEOUT_SECONDS = 5  # by default Triton waits 30 s for an open keep-alive connection
SHARED_MEMORY_BYTES = 4 * 1024 * 1024
PROBE_SECONDS = 30
LOADER_FAILED = 127
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A tritonserver: `backends` is None where the wheel's has to be put together from `wheel`."""

    server: Path
    backends: Path | None
    wheel: Path | None


def start_triton(settings: Settings, environ: Mapping[str, str], stopping: Event) -> EngineProcess:
    """Start Triton; EngineUnavailableError where this machine has none that can run."""
    installation = find_triton(environ)
    if installation.wheel is None:
        backends, environment = installation.backends, dict(environ)
    else:
        backends = write_backends(installation.wheel, settings.work / "triton-backends")
        environment = build_environment(installation.wheel, environ)
        check_stub(backends, environment)
    launch = Launch(
        name="triton",
        build=lambda port: build_command(installation.server, backends, settings, port),
        environment=environment,
        id=build_engine_id(settings.work),
        versioned=True,
    )
    return start_engine_process(launch, stopping)


def find_triton(environ: Mapping[str, str]) -> Installation:
    """Look at the variable TRITONSERVER, then PATH, then the wheel."""
    named = environ.get("TRITONSERVER") or shutil.which("tritonserver", path=environ.get("PATH"))
    if named:
        return _parse_installed(Path(named))
    package = importlib.util.find_spec("pytriton")  # found, not imported: importing it starts threads
    if package is None or package.origin is None:
        message = "no tritonserver on PATH, no variable TRITONSERVER and no package nvidia-pytriton"
        raise EngineUnavailableError(message)
    wheel = Path(package.origin).parent / "tritonserver"
    return Installation(server=wheel / "bin" / "tritonserver", backends=None, wheel=wheel)


def _parse_installed(server: Path) -> Installation:
    if not os.access(server, os.X_OK):
        message = f"TRITONSERVER is {str(server)!r}, which is no program that can be run"
        raise EngineUnavailableError(message)
    return Installation(server=server, backends=server.resolve().parents[1] / "backends", wheel=None)


def write_backends(wheel: Path, folder: Path) -> Path:
    """Lay out the backend folder for this Python's version, by links.

    The stub has to lie beside the backend, and finds its libraries relative to where the file really is, so
    a copy would not start.
    """
    stub = wheel / "python_backend_stubs" / _version() / "triton_python_backend_stub"
    if not stub.exists():
        message = f"the nvidia-pytriton wheel has no python backend for Python {_version()}"
        raise EngineUnavailableError(message)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "python").mkdir(parents=True)
    backend = wheel / "backends" / "python"
    for target in (backend / "libtriton_python.so", backend / "triton_python_backend_utils.py", stub):
        (folder / "python" / target.name).symlink_to(target)
    return folder


def build_environment(wheel: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Let the stub find this interpreter, its packages and its library.

    The stub ignores PYTHONPATH, PYTHONHOME and VIRTUAL_ENV and takes the first `python3` on PATH. It needs
    libpython, which a Python that was built for one user keeps outside the system's folders.
    """
    libraries = [
        str(wheel.parents[1] / "nvidia_pytriton.libs"),
        str(sysconfig.get_config_var("LIBDIR") or ""),
        str(Path(sys.base_prefix) / "lib"),
        environ.get("LD_LIBRARY_PATH", ""),
    ]
    return {
        **environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), environ.get("PATH", os.defpath)]),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries)),
    }


def check_stub(backends: Path, environment: Mapping[str, str]) -> None:
    """Run the stub without arguments: the system's loader says at once if a library is missing."""
    stub = backends / "python" / "triton_python_backend_stub"
    try:
        run = subprocess.run(  # noqa: S603 - the wheel's own program
            [stub], env=environment, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        message = f"Triton's python backend cannot run here: {error}"
        raise EngineUnavailableError(message) from error
    if run.returncode == LOADER_FAILED:
        message = (
            f"Triton's python backend cannot run here: {run.stderr.strip()}; "
            f"install this Python's shared library (on Debian: apt install libpython{_version()})"
        )
        raise EngineUnavailableError(message)


def build_command(server: Path, backends: Path | None, settings: Settings, port: int) -> list[str]:
    """Write Triton's command line: explicit model control, loopback HTTP only, complete configurations."""
    identity = build_engine_id(settings.work)
    return [
        str(server),
        f"--id={identity}",
        f"--model-repository={settings.repository}",
        "--model-control-mode=explicit",
        "--disable-auto-complete-config",  # saves a second start of every model's process
        f"--exit-timeout-secs={EXIT_TIMEOUT_SECONDS}",
        "--http-address=127.0.0.1",
        f"--http-port={port}",
        "--allow-grpc=false",
        "--allow-metrics=false",
        f"--backend-config=python,shm-region-prefix-name={identity}-",
        f"--backend-config=python,shm-default-byte-size={SHARED_MEMORY_BYTES}",
        f"--backend-config=python,shm-growth-byte-size={SHARED_MEMORY_BYTES}",
        *([f"--backend-directory={backends}"] if backends else []),
    ]


def _version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
