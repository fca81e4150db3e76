"""Starts the local server: lock, engine, models, listener, announcement; and takes them down in reverse."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime

from .engines import start_engine
from .errors import AddressError, EngineError, LocalServerError, SettingsError, StoppedError
from .http_api import Application
from .inference import Inference
from .kserve import ModelControl
from .listener import Listener
from .models import Models
from .predictions import Predictor
from .process import EngineProcess
from .repository import ModelRepository
from .results import delete_parts
from .settings import Settings, parse_settings
from .workfolder import announce, hold_lock

LOG = logging.getLogger(__name__)
WATCH_SECONDS = 0.25
LAST_CHANCE_SECONDS = 1.0


def run(settings: Settings, environ: Mapping[str, str], stopping: threading.Event) -> None:
    """Serve until told to stop; EngineError if the engine ends before that."""
    with ExitStack() as stack:
        stack.enter_context(hold_lock(settings))
        delete_parts(settings.results)
        settings.repository.mkdir(exist_ok=True)
        engine = start_engine(settings, environ, stopping)
        stack.callback(engine.stop)
        application = build_application(settings, engine, stack)
        listener = open_listener(settings, application)
        stack.callback(listener.drain)
        listener.start()
        stack.enter_context(announce(settings, url=listener.url, engine=engine.title))
        LOG.info("serving on %s with %s", listener.url, engine.title)
        watch(engine, stopping)


def build_application(settings: Settings, engine: EngineProcess, stack: ExitStack) -> Application:
    """Wire the parts that answer requests, and load the models that served before."""
    inference = Inference(engine.address)
    stack.callback(inference.close)
    repository = ModelRepository(models=settings.repository, generations=settings.work / "generations")
    models = Models(repository=repository, control=ModelControl(address=engine.address))
    models.restore()
    predictor = Predictor(
        models=models, engine=inference, results=settings.results, now=lambda: datetime.now(UTC)
    )
    return Application(
        engine=engine,
        models=models,
        predictor=predictor,
        max_request_bytes=settings.max_request_bytes,
    )


def open_listener(settings: Settings, application: Application) -> Listener:
    """Bind the configured address; AddressError if it cannot be had."""
    try:
        return Listener(settings.bind_address, settings.port, application)
    except OSError as error:
        where = f"{settings.bind_address} port {settings.port}"
        message = f"cannot listen on {where}: {error.strerror}; change bindAddress or port (0 = any free one)"
        raise AddressError(message) from error


def watch(engine: EngineProcess, stopping: threading.Event) -> None:
    """Wait for the order to stop; EngineError if the engine ends without one.

    An order to the whole process group reaches the engine as well, so its end may be seen first.
    """
    while not stopping.wait(WATCH_SECONDS):
        failure = engine.failure()
        if failure and not stopping.wait(LAST_CHANCE_SECONDS):
            raise EngineError(failure)


def main() -> int:
    """Run the component: 0 stopped on order, 1 failed, 2 wrong settings."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        run(parse_settings(os.environ), os.environ, stopping)
    except StoppedError as error:
        LOG.info("%s", error)
    except LocalServerError as error:
        LOG.error("%s", error)
        return 2 if isinstance(error, SettingsError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
