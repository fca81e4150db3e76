"""Asking a device: a real HTTP server stands in for it, a dictionary for S3."""

from __future__ import annotations

import io
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud.context import Context
from local_cloud.predictions import Endpoint, PredictionError, predict_held_out, read_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ACCOUNT = "210987654321"


class InMemoryS3:
    def __init__(self, objects: dict[str, bytes]) -> None:
        self._objects = objects

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return {"Body": io.BytesIO(self._objects[f"s3://{Bucket}/{Key}"])}


class InMemoryContext(Context):
    def __init__(self, state_dir: Path, s3: InMemoryS3) -> None:
        super().__init__(state_dir=state_dir)
        self._s3 = s3

    def client(self, service: str, account: str) -> Any:
        assert (service, account) == ("s3", ACCOUNT)
        return self._s3


class Device(BaseHTTPRequestHandler):
    """Answers an image with the class that its one byte names; the byte 9 breaks it."""

    def do_POST(self) -> None:
        index = int(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(500 if index == 9 else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"index": index, "error": "out of order"}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep the test's output clean."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Device) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Endpoint(url=f"http://127.0.0.1:{server.server_port}", engine="fallback")
        server.shutdown()
        thread.join()


def manifest(answers: list[tuple[int, int]]) -> tuple[dict[str, Any], InMemoryS3]:
    """Return a manifest with one image for each (true class, what the device will say)."""
    lines = [
        {"source-ref": f"s3://b/{number}.png", "anomaly-label": true}
        for number, (true, _) in enumerate(answers)
    ]
    objects = {f"s3://b/{number}.png": str(said).encode() for number, (_, said) in enumerate(answers)}
    objects["s3://b/test.jsonl"] = "\n".join(map(json.dumps, lines)).encode()
    split = {"uri": "s3://b/test.jsonl", "count": len(lines)}
    return {"facts": {"splits": {"test": split}}}, InMemoryS3(objects)


def test_right_and_wrong_answers_are_counted(tmp_path: Path, endpoint: Endpoint) -> None:
    document, s3 = manifest([(0, 0), (1, 1), (1, 0), (0, 0)])
    trial = predict_held_out(
        InMemoryContext(tmp_path, s3), ACCOUNT, document, endpoint=endpoint, model="cookie defects"
    )
    assert trial is not None
    assert (trial.images, trial.correct, trial.accuracy) == (4, 3, 0.75)
    assert trial.wrong == ("s3://b/2.png",)
    assert trial.url.endswith("/predict?model=cookie%20defects")
    assert trial.engine == "fallback"


def test_without_held_back_images_there_is_no_trial(tmp_path: Path, endpoint: Endpoint) -> None:
    document, s3 = manifest([])
    context = InMemoryContext(tmp_path, s3)
    assert predict_held_out(context, ACCOUNT, document, endpoint=endpoint, model="m") is None


def test_a_devices_error_is_told_with_its_words(tmp_path: Path, endpoint: Endpoint) -> None:
    document, s3 = manifest([(0, 9)])
    with pytest.raises(PredictionError, match=r"answered 500: .*out of order"):
        predict_held_out(InMemoryContext(tmp_path, s3), ACCOUNT, document, endpoint=endpoint, model="m")


def test_a_silent_device_is_an_error(tmp_path: Path) -> None:
    document, s3 = manifest([(0, 0)])
    nowhere = Endpoint(url="http://127.0.0.1:9", engine="fallback")
    with pytest.raises(PredictionError, match="did not answer"):
        predict_held_out(InMemoryContext(tmp_path, s3), ACCOUNT, document, endpoint=nowhere, model="m")


def test_the_endpoint_is_read_from_the_device(tmp_path: Path) -> None:
    path = tmp_path / "work" / "com.edgepipe.LocalServer" / "endpoint.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"url": "http://127.0.0.1:8080", "engine": "triton 2.51.0", "pid": 1}))
    assert read_endpoint(tmp_path) == Endpoint(url="http://127.0.0.1:8080", engine="triton 2.51.0")
