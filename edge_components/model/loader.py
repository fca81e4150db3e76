"""Greengrass's Startup and Shutdown of a model component: give the model to the local server, take it back.

`loader.py load` waits until the server is up, for Greengrass starts a component as soon as its dependency
runs, which is before that one is ready. It fails with one line if the model cannot serve, so that the
deployment rolls back. `loader.py unload` succeeds where there is nothing to unload.
Standard library only: it needs nothing but a Python.
"""

import http.client
import json
import os
import sys
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

WAIT_SECONDS = 600
LOAD_SECONDS = 300
POLL_SECONDS = 0.1
RETRIED = (502, 503, 504)
NOT_FOUND = 404


class LoaderError(Exception):
    """The model could not be loaded or unloaded; the text is for the deployment's log."""


class ServerAbsentError(Exception):
    """No local server answers now; it may still come."""


@dataclass(frozen=True)
class Order:
    """One model to hand over, as the recipe's environment describes it."""

    source: Path
    work: Path
    model: str
    version: str

    @property
    def endpoint(self) -> Path:
        """The file in which the local server says where it listens."""
        return self.work / "endpoint.json"


def parse_order(environ: Mapping[str, str]) -> Order:
    """Read the recipe's environment; LoaderError lists every variable that is missing."""
    names = ("EDGEPIPE_ARTIFACT", "EDGEPIPE_SERVER_WORK", "EDGEPIPE_MODEL", "EDGEPIPE_MODEL_VERSION")
    missing = [name for name in names if not environ.get(name)]
    if missing:
        message = f"the component's recipe must set {', '.join(missing)} (Lifecycle/Startup/Setenv)"
        raise LoaderError(message)
    artifact, work, model, version = (environ[name] for name in names)
    return Order(Path(artifact) / "models", Path(work), model, version)


def load(order: Order, wait_seconds: float = WAIT_SECONDS) -> str:
    """Load the model, waiting for the server up to `wait_seconds`; LoaderError if it does not serve."""
    body = {"source": str(order.source), "version": order.version}
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            status, answer = post(order, "load", body)
        except ServerAbsentError as error:
            status, answer = 503, str(error)
        if status == http.client.OK:
            return f"model {order.model!r} version {order.version} is serving"
        if status not in RETRIED or time.monotonic() >= deadline:
            raise LoaderError(_render_failure(order, status, answer, wait_seconds))
        time.sleep(POLL_SECONDS)


def unload(order: Order) -> str:
    """Unload the model; a server or model that is already gone is success."""
    try:
        status, answer = post(order, "unload", {})
    except ServerAbsentError:
        return f"no local server runs, so model {order.model!r} is not loaded"
    if status not in (http.client.OK, NOT_FOUND):
        message = f"model {order.model!r} could not be unloaded: {answer}"
        raise LoaderError(message)
    return f"model {order.model!r} is unloaded"


def post(order: Order, verb: str, body: Mapping[str, str]) -> tuple[int, str]:
    """Send one order to the server: the status and, unless it is 200, the error's text."""
    address = read_address(order.endpoint)
    path = f"/models/{urllib.parse.quote(order.model, safe='')}/{verb}"
    connection = http.client.HTTPConnection(address, timeout=LOAD_SECONDS)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, _parse_error(response.read())
    except (OSError, http.client.HTTPException) as error:
        message = f"the local server at {address} does not answer ({error})"
        raise ServerAbsentError(message) from error
    finally:
        connection.close()


def read_address(endpoint: Path) -> str:
    """Give the server's host and port; ServerAbsentError where it has not announced them."""
    try:
        return str(urllib.parse.urlsplit(json.loads(endpoint.read_text(encoding="utf-8"))["url"]).netloc)
    except FileNotFoundError as error:
        message = f"{endpoint} does not exist: com.edgepipe.LocalServer is not ready"
        raise ServerAbsentError(message) from error


def _parse_error(body: bytes) -> str:
    try:
        return str(json.loads(body).get("error", ""))
    except (ValueError, AttributeError):
        return body[:200].decode("utf-8", "replace")


def _render_failure(order: Order, status: int, answer: str, waited: float) -> str:
    if status in RETRIED:
        return (
            f"model {order.model!r} was not loaded within {waited:.0f} s: {answer}. "
            "Read the log of com.edgepipe.LocalServer on this device"
        )
    return f"model {order.model!r} version {order.version} does not serve: {answer}"


VERBS: Mapping[str, Callable[[Order], str]] = {"load": load, "unload": unload}


def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Run one verb: 0 done, 1 failed, 2 called wrongly."""
    if len(arguments) != 1 or arguments[0] not in VERBS:
        print("usage: loader.py load|unload", file=sys.stderr)
        return 2
    try:
        print(VERBS[arguments[0]](parse_order(environ)), flush=True)
    except LoaderError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
