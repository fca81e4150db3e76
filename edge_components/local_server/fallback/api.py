"""The fallback engine's HTTP face: KServe v2 paths onto the repository."""

import json
import logging
import re
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .errors import FallbackError, NotFoundError, refuse
from .repository import Repository
from .wire import parse_request, render_response

LOG = logging.getLogger(__name__)
HEADER_LENGTH = "Inference-Header-Content-Length"
Route = Callable[["Handler", str], None]


class EngineServer(ThreadingHTTPServer):
    """Serves one repository on the loopback interface, under the name `engine_id`."""

    daemon_threads = True

    def __init__(self, port: int, repository: Repository, engine_id: str) -> None:
        self.repository = repository
        self.engine_id = engine_id
        super().__init__(("127.0.0.1", port), Handler)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536  # headers and body leave together
    server: EngineServer

    def do_GET(self) -> None:
        """Answer health and identity."""
        self._dispatch("GET")

    def do_POST(self) -> None:
        """Answer repository and inference requests."""
        self._dispatch("POST")

    def _dispatch(self, method: str) -> None:
        try:
            route, name = find_route(method, self.path.partition("?")[0])
            route(self, name)
        except FallbackError as error:
            self.reply({"error": str(error)}, HTTPStatus(error.status))
        except OSError:
            self.close_connection = True
        except Exception as error:
            LOG.exception("the fallback engine failed on %s %s", method, self.path)
            self.reply({"error": f"{type(error).__name__}: {error}"}, HTTPStatus.INTERNAL_SERVER_ERROR)

    def read_body(self) -> bytes:
        """Read the whole body."""
        if self.headers.get("Content-Encoding") or self.headers.get("Transfer-Encoding"):
            self.close_connection = True
            refuse("compressed or chunked bodies")
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, answer: Any, status: HTTPStatus = HTTPStatus.OK) -> None:  # noqa: ANN401 - any JSON value
        """Send JSON."""
        self.send(json.dumps(answer).encode(), status, {"Content-Type": "application/json"})

    def send(self, body: bytes, status: HTTPStatus, headers: dict[str, str]) -> None:
        """Send a whole response."""
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - the base class's signature
        """Say nothing about each request; errors are logged where they happen."""


def reply_identity(handler: Handler, _name: str) -> None:
    """Who this is."""
    extensions = ["binary_tensor_data", "model_repository", "model_repository(unload_dependents)"]
    handler.reply({"name": handler.server.engine_id, "version": "1", "extensions": extensions})


def reply_ready(handler: Handler, _name: str) -> None:
    """The engine itself is ready as soon as it answers."""
    handler.reply({})


def reply_model_ready(handler: Handler, name: str) -> None:
    """Whether one model is loaded."""
    handler.server.repository.get(name)
    handler.reply({})


def reply_index(handler: Handler, _name: str) -> None:
    """All models and their states."""
    handler.read_body()
    handler.reply(handler.server.repository.index())


def load_model(handler: Handler, name: str) -> None:
    """Put a model into service."""
    if json.loads(handler.read_body() or b"{}").get("parameters"):
        refuse("load parameters (configuration or files in the request)")
    handler.server.repository.load(name)
    handler.reply({})


def unload_model(handler: Handler, name: str) -> None:
    """Take a model out of service."""
    parameters = json.loads(handler.read_body() or b"{}").get("parameters", {})
    handler.server.repository.unload(name, dependents=bool(parameters.get("unload_dependents")))
    handler.reply({})


def infer(handler: Handler, name: str) -> None:
    """Run a model."""
    body = handler.read_body()
    length = handler.headers.get(HEADER_LENGTH)
    model = handler.server.repository.get(name)
    request = parse_request(body, int(length) if length and length.isdigit() else None)
    answer, header_length = render_response(name, request, model.run(request.inputs))
    kind = "application/json" if header_length == len(answer) else "application/octet-stream"
    handler.send(answer, HTTPStatus.OK, {"Content-Type": kind, HEADER_LENGTH: str(header_length)})


ROUTES: tuple[tuple[str, str, Route], ...] = (
    ("GET", r"/v2/?", reply_identity),
    ("GET", r"/v2/health/(?:live|ready)", reply_ready),
    ("GET", r"/v2/models/(?P<name>[^/]+)(?:/versions/1)?/ready", reply_model_ready),
    ("POST", r"/v2/repository/index", reply_index),
    ("POST", r"/v2/repository/models/(?P<name>[^/]+)/load", load_model),
    ("POST", r"/v2/repository/models/(?P<name>[^/]+)/unload", unload_model),
    ("POST", r"/v2/models/(?P<name>[^/]+)(?:/versions/1)?/infer", infer),
)


def find_route(method: str, path: str) -> tuple[Route, str]:
    """Give the route and the model's name in the path; NotFoundError where the engine has no such path."""
    for verb, pattern, route in ROUTES:
        match = re.fullmatch(pattern, path)
        if match and verb == method:
            return route, match.groupdict().get("name") or ""
    message = f"the fallback engine has no {method} {path}"
    raise NotFoundError(message)
