from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_components.local_server.errors import EngineError, LengthRequiredError, RequestError, TooLargeError
from edge_components.local_server.http_api import (
    Application,
    Reply,
    Request,
    answer,
    find_route,
    is_loopback,
    parse_length,
)
from edge_components.local_server.predictions import Prediction

if TYPE_CHECKING:
    from pathlib import Path

PREDICTION = Prediction(
    model="m",
    label="b",
    index=1,
    confidence=0.75,
    scores={"a": 0.25, "b": 0.75},
    event_id="m-1",
    latency_ms=1.5,
)


@dataclass
class InMemoryEngine:
    title: str = "fallback"
    death: str | None = None

    def failure(self) -> str | None:
        return self.death


class InMemoryModels:
    def __init__(self) -> None:
        self.loaded: dict[str, tuple[Path, str]] = {}
        self.error: Exception | None = None

    def states(self) -> dict[str, str]:
        if self.error:
            raise self.error
        return dict.fromkeys(self.loaded, "READY")

    def load(self, name: str, source: Path, version: str) -> None:
        self.loaded[name] = (source, version)

    def unload(self, name: str) -> None:
        del self.loaded[name]


class InMemoryPredictor:
    def predict(self, name: str | None, body: bytes) -> Prediction:
        if body == b"surprise":
            message = "secret detail"
            raise ZeroDivisionError(message)
        if body == b"dead":
            message = "the engine does not answer"
            raise EngineError(message)
        return PREDICTION


@pytest.fixture
def application() -> Application:
    return Application(
        engine=InMemoryEngine(),
        models=InMemoryModels(),
        predictor=InMemoryPredictor(),
        max_request_bytes=1000,
    )


def ask(application: Application, method: str, path: str, body: bytes = b"", **changes: Any) -> Reply:
    fields: dict[str, Any] = {
        "method": method,
        "path": path,
        "query": {},
        "headers": {"content-type": "application/json; charset=utf-8"},
        "peer": "127.0.0.1",
        "body": body,
    }
    return answer(application, Request(**{**fields, **changes}))


def test_predicts(application: Application) -> None:
    assert ask(application, "POST", "/predict", b"image").body == {
        "model": "m",
        "label": "b",
        "index": 1,
        "confidence": 0.75,
        "scores": {"a": 0.25, "b": 0.75},
        "eventId": "m-1",
        "latencyMs": 1.5,
    }


def test_health_says_why_the_engine_is_gone() -> None:
    engine, models = InMemoryEngine(), InMemoryModels()
    application = Application(
        engine=engine, models=models, predictor=InMemoryPredictor(), max_request_bytes=1
    )
    assert ask(application, "GET", "/health").body == {"status": "ok", "engine": "fallback", "models": {}}
    models.error = EngineError("no answer")
    silent = ask(application, "GET", "/health")
    assert (silent.status, silent.body["error"]) == (503, "no answer")
    engine.death = "killed"
    gone = ask(application, "GET", "/health")
    assert (gone.status, gone.body["status"], gone.body["error"]) == (503, "failed", "killed")


def test_loads_and_unloads(application: Application) -> None:
    body = json.dumps({"source": "/s", "version": "2"}).encode()
    assert ask(application, "POST", "/models/m/load", body).status == 200
    assert application.models.states() == {"m": "READY"}
    assert ask(application, "POST", "/models/m/unload").status == 200
    assert application.models.states() == {}


@pytest.mark.parametrize(
    ("changes", "body", "status"),
    [
        ({"peer": "192.168.1.7"}, b'{"source": "/s"}', 403),
        ({"headers": {"content-type": "application/json", "origin": "null"}}, b'{"source": "/s"}', 403),
        ({"headers": {}}, b'{"source": "/s"}', 400),
        ({}, b"[]", 400),
        ({}, b"{", 400),
        ({}, b'{"source": 3}', 400),
        ({}, b"[" * 100_000, 400),
    ],
)
def test_refuses_orders(application: Application, changes: dict[str, Any], body: bytes, status: int) -> None:
    reply = ask(application, "POST", "/models/m/load", body, **changes)
    assert (reply.status, list(reply.body)) == (status, ["error"])
    assert application.models.states() == {}


def test_never_shows_a_surprise(application: Application, caplog: pytest.LogCaptureFixture) -> None:
    reply = ask(application, "POST", "/predict", b"surprise")
    assert reply.status == 500
    assert "secret" not in str(reply.body)
    assert "secret detail" in caplog.text
    assert ask(application, "POST", "/predict", b"dead").status == 503


@given(st.text(max_size=30))
def test_every_path_has_an_answer(path: str) -> None:
    try:
        assert find_route("GET", path)
    except RequestError as error:
        assert error.status == 404  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("fe80::1%eth0", False),
    ],
)
def test_knows_this_machine(peer: str, expected: bool) -> None:
    assert is_loopback(peer) is expected


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({"transfer-encoding": "chunked"}, LengthRequiredError),
        ({"content-length": "-1"}, RequestError),
        ({"content-length": "1e3"}, RequestError),
        ({"content-length": "٣"}, RequestError),
        ({"content-length": "1001"}, TooLargeError),
        ({"content-length": "9" * 5000}, TooLargeError),
    ],
)
def test_refuses_lengths(headers: dict[str, str], error: type[RequestError]) -> None:
    with pytest.raises(error):
        parse_length(headers, 1000)


@given(st.text(max_size=8))
def test_a_length_is_within_the_limit(text: str) -> None:
    try:
        assert 0 <= parse_length({"content-length": text}, 1000) <= 1000
    except RequestError as error:
        assert error.status in (400, 413)  # noqa: PT017 - either outcome is right
