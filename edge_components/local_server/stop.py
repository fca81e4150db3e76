"""The recipe's Shutdown: `python3 -m local_server.stop` ends this work folder's server and waits for it."""

import logging
import os
import signal
import sys
import time
from pathlib import Path

from .errors import SettingsError
from .settings import parse_settings
from .workfolder import read_pid, try_lock

WAIT_SECONDS = 14  # Greengrass gives a Shutdown script 15
POLL_SECONDS = 0.05


def stop_server(lock: Path, wait_seconds: float = WAIT_SECONDS) -> bool:
    """End the server that holds the lock; True once nobody holds it."""
    if not lock.exists():
        return True
    with lock.open("r+") as file:
        if try_lock(file):
            return True
        pid = read_pid(file)
        if pid is not None:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + wait_seconds
        while time.monotonic() < deadline:
            if try_lock(file):
                return True
            time.sleep(POLL_SECONDS)
    return False


def main() -> int:
    """Stop the server of the environment's work folder: 0 stopped, 1 still running, 2 wrong settings."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    try:
        settings = parse_settings(os.environ)
    except SettingsError as error:
        logging.getLogger(__name__).error("%s", error)
        return 2
    if stop_server(settings.work / "server.lock"):
        return 0
    logging.getLogger(__name__).error("the local server in %s did not stop in time", settings.work)
    return 1


if __name__ == "__main__":
    sys.exit(main())
