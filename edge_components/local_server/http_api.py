"""The server's HTTP face: health, predictions and, from this device only, model orders.

Every answer is JSON. A client never sees a traceback; an unexpected failure is logged with one.
"""

import ipaddress
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote

from .errors import (
    EngineError,
    ForbiddenError,
    LengthRequiredError,
    RequestError,
    TooLargeError,
    UnknownModelError,
)
from .predictions import Prediction

LOG = logging.getLogger(__name__)


class EngineStatus(Protocol):
    """What health tells about the engine; `process.EngineProcess` is the real one."""

    title: str

    def failure(self) -> str | None:
        """Say how the engine ended, or None while it runs."""


class ModelOrders(Protocol):
    """What can be done with models; `models.Models` is the real one."""

    def load(self, name: str, source: Path, version: str) -> None:
        """Put a model into service."""

    def unload(self, name: str) -> None:
        """Take a model out of service."""

    def states(self) -> Mapping[str, str]:
        """Say of each model READY, or what is wrong with it."""


class Predictor(Protocol):
    """What answers images; `predictions.Predictor` is the real one."""

    def predict(self, name: str | None, body: bytes) -> Prediction:
        """Answer one image."""


@dataclass(frozen=True, kw_only=True)
class Application:
    """What the routes work on."""

    engine: EngineStatus
    models: ModelOrders
    predictor: Predictor
    max_request_bytes: int


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request, read whole."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    peer: str
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer to be sent as JSON."""

    body: Mapping[str, Any]
    status: int = HTTPStatus.OK


Route = Callable[[Application, Request, str], Reply]


def reply_health(application: Application, _request: Request, _name: str) -> Reply:
    """Tell the state of the engine and of every model; 503 with the reason when the engine is gone."""
    engine = application.engine
    try:
        failure = engine.failure()
        states = {} if failure else dict(application.models.states())
    except EngineError as error:
        failure, states = str(error), dict[str, str]()
    if failure:
        body = {"status": "failed", "engine": engine.title, "models": {}, "error": failure}
        return Reply(body=body, status=HTTPStatus.SERVICE_UNAVAILABLE)
    return Reply(body={"status": "ok", "engine": engine.title, "models": states})


def predict(application: Application, request: Request, _name: str) -> Reply:
    """Classify the image in the body."""
    names = request.query.get("model")
    prediction = application.predictor.predict(names[-1] if names else None, request.body)
    return Reply(body=render_prediction(prediction))


def load_model(application: Application, request: Request, name: str) -> Reply:
    """Put a model into service."""
    order = parse_order(request)
    source, version = order.get("source"), order.get("version", "")
    if not isinstance(source, str) or not isinstance(version, str):
        message = 'the body must be {"source": "<absolute folder>", "version": "<text, optional>"}'
        raise RequestError(message)
    application.models.load(name, Path(source), version)
    return Reply(body={"model": name, "state": "READY"})


def unload_model(application: Application, request: Request, name: str) -> Reply:
    """Take a model out of service."""
    parse_order(request)
    application.models.unload(name)
    return Reply(body={"model": name, "state": "UNLOADED"})


ROUTES: tuple[tuple[str, str, Route], ...] = (
    ("GET", r"/health", reply_health),
    ("POST", r"/predict", predict),
    ("POST", r"/models/(?P<name>[^/]+)/load", load_model),
    ("POST", r"/models/(?P<name>[^/]+)/unload", unload_model),
)


def answer(application: Application, request: Request) -> Reply:
    """Route a request; every failure becomes an error reply."""
    try:
        route, name = find_route(request.method, request.path)
        return route(application, request, name)
    except (RequestError, EngineError) as error:
        return Reply(body={"error": str(error)}, status=error.status)
    except Exception:
        LOG.exception("%s %s failed unexpectedly", request.method, request.path)
        body = {"error": "the server failed unexpectedly; its log on the device says why"}
        return Reply(body=body, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def find_route(method: str, path: str) -> tuple[Route, str]:
    """Give the route and the model's name in the path; UnknownModelError (404) where there is none."""
    for verb, pattern, route in ROUTES:
        match = re.fullmatch(pattern, path)
        if match and verb == method:
            return route, unquote(match.groupdict().get("name") or "")
    known = ", ".join(f"{verb} {re.sub(r'[(].*?[)]', 'NAME', pattern)}" for verb, pattern, _ in ROUTES)
    message = f"there is no {method} {path[:100]}; there are {known}"
    raise UnknownModelError(message)


def parse_order(request: Request) -> Mapping[str, Any]:
    """Read a model order; ForbiddenError unless it comes from a program on this device.

    A load runs code of the folder it names. Web pages are kept out by asking for a JSON body and no Origin.
    """
    if not is_loopback(request.peer) or "origin" in request.headers:
        message = "models are loaded and unloaded by programs on this device only"
        raise ForbiddenError(message)
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        message = "send the order with Content-Type: application/json"
        raise RequestError(message)
    try:
        order = json.loads(request.body or b"{}")
    except (ValueError, RecursionError) as error:
        message = f"the body is not JSON: {error}"
        raise RequestError(message) from error
    if not isinstance(order, dict):
        message = "the body must be a JSON object"
        raise RequestError(message)
    return order


def is_loopback(peer: str) -> bool:
    """Tell whether a socket's peer address is this machine."""
    address = ipaddress.ip_address(peer.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def parse_length(headers: Mapping[str, str], limit: int) -> int:
    """Give the body's length; errors for a body without one, or above `limit`."""
    if "transfer-encoding" in headers:
        message = "send the body with a Content-Length, not chunked"
        raise LengthRequiredError(message)
    text = headers.get("content-length", "0").strip()
    if not (text.isascii() and text.isdigit()):
        message = f"Content-Length {text[:40]!r} is not a number"
        raise RequestError(message)
    if len(text) > 18 or int(text) > limit:
        message = f"the body has {text[:40]} bytes; the server takes {limit} at most (maxRequestBytes)"
        raise TooLargeError(message)
    return int(text)


def render_prediction(prediction: Prediction) -> dict[str, Any]:
    """Write a prediction with the names of the HTTP interface."""
    return {
        "model": prediction.model,
        "label": prediction.label,
        "index": prediction.index,
        "confidence": prediction.confidence,
        "scores": dict(prediction.scores),
        "eventId": prediction.event_id,
        "latencyMs": prediction.latency_ms,
    }
