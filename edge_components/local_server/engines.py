"""Which engine serves: Triton where it is wanted and can run, else the fallback; both speak KServe v2."""

import logging
import sys
from collections.abc import Mapping
from threading import Event
from typing import assert_never

from .errors import EngineError
from .process import EngineProcess, Launch, build_engine_id, start_engine_process
from .settings import EngineChoice, Settings
from .triton import start_triton

LOG = logging.getLogger(__name__)


def start_engine(settings: Settings, environ: Mapping[str, str], stopping: Event) -> EngineProcess:
    """Start the engine that the settings choose; AUTO logs why it had to take the fallback."""
    match settings.engine:
        case EngineChoice.TRITON:
            return start_triton(settings, environ, stopping)
        case EngineChoice.FALLBACK:
            return start_fallback(settings, environ, stopping)
        case EngineChoice.AUTO:
            return _start_best(settings, environ, stopping)
        case _:
            assert_never(settings.engine)


def _start_best(settings: Settings, environ: Mapping[str, str], stopping: Event) -> EngineProcess:
    try:
        return start_triton(settings, environ, stopping)
    except EngineError as error:
        LOG.warning("Triton cannot serve here, so the fallback engine does: %s", error)
        return start_fallback(settings, environ, stopping)


def start_fallback(settings: Settings, environ: Mapping[str, str], stopping: Event) -> EngineProcess:
    """Start the fallback engine as a process of this package."""
    launch = Launch(
        name="fallback",
        build=lambda port: build_fallback_command(settings, port),
        environment=environ,
        id=build_engine_id(settings.work),
        versioned=False,
    )
    return start_engine_process(launch, stopping)


def build_fallback_command(settings: Settings, port: int) -> list[str]:
    """Write the fallback's command line."""
    return [
        sys.executable,
        "-m",
        f"{__package__}.fallback",
        f"--id={build_engine_id(settings.work)}",
        f"--model-repository={settings.repository}",
        f"--http-port={port}",
    ]
