"""Starts the fallback engine; the local server runs this as a child process."""

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path

from .api import EngineServer
from .backend import install_backend
from .repository import Repository


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="local_server.fallback", allow_abbrev=False)
    parser.add_argument("--id", required=True, help="the name under which the engine answers")
    parser.add_argument("--model-repository", required=True, type=Path)
    parser.add_argument("--http-port", required=True, type=int)
    return parser.parse_args(arguments)


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s fallback: %(message)s", stream=sys.stderr
    )
    options = parse_arguments(sys.argv[1:])
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    install_backend()
    repository = Repository(options.model_repository)
    with EngineServer(options.http_port, repository, options.id) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stopping.wait()
        server.shutdown()
    repository.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
