"""The local server as a process, on Triton and on the fallback engine: both must behave the same."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from edge_components.local_server.process import build_engine_id, find_processes
from tests.functional.local_servers import (
    DEADLINE_SECONDS,
    ENGINES,
    RUNTIME,
    LocalServer,
    ask,
    running,
    wait_until,
    why_not,
)
from tests.functional.model_packages import build_brightness_model, write_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LIMIT = 1_000_000


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    reason = why_not(request.param)
    if reason:
        pytest.skip(reason)
    return str(request.param)


@pytest.fixture(scope="module")
def server(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    folder = tmp_path_factory.mktemp("device")
    with running(folder, engine, maxRequestBytes=str(LIMIT)) as running_server:
        yield running_server


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, folder: str = "package", **options: Any) -> Path:
        labels = options.pop("labels", ("dark", "bright"))
        model = build_brightness_model(**options)
        return write_package(tmp_path / folder, RUNTIME, name=name, model=model, labels=labels)

    return write


def draw(value: int, size: tuple[int, int] = (61, 37), form: str = "JPEG", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    colour = value if mode == "L" else (value, value, value, 255)[: len(mode)]
    Image.new(mode, size, colour).save(file, form)
    return file.getvalue()


def test_says_which_engine_serves(server: LocalServer, engine: str) -> None:
    endpoint = json.loads(server.endpoint.read_text())
    health = server.health()
    assert health.status == 200
    assert health.body["status"] == "ok"
    assert health.body["engine"] == endpoint["engine"]
    assert re.fullmatch(r"triton \d+\.\d+\.\d+" if engine == "triton" else "fallback", endpoint["engine"])
    os.kill(endpoint["pid"], 0)


@pytest.mark.parametrize("planar", [False, True], ids=["uint8-nhwc", "float-nchw"])
def test_tells_dark_from_bright(server: LocalServer, package: Callable[..., Path], *, planar: bool) -> None:
    name = f"eye-{int(planar)}"
    assert server.load(name, package(name, planar=planar)).status == 200
    assert server.health().body["models"][name] == "READY"
    for value, label in ((250, "bright"), (5, "dark")):
        answer = server.predict(draw(value), name)
        assert (answer.status, answer.body["label"]) == (200, label)
        assert answer.body["index"] == ["dark", "bright"].index(label)
        assert answer.body["confidence"] == answer.body["scores"][label] > 0.99
        assert sum(answer.body["scores"].values()) == pytest.approx(1, abs=1e-4)
        assert answer.body["latencyMs"] > 0
    assert server.unload(name).status == 200


@pytest.mark.parametrize(
    ("image", "extension"),
    [
        pytest.param(draw(200, (1, 1), "PNG"), "png", id="one pixel"),
        pytest.param(draw(200, (1023, 3), "PNG", "RGBA"), "png", id="wide, with alpha"),
        pytest.param(draw(200, (3, 577), "JPEG", "L"), "jpg", id="tall, grey"),
        pytest.param(draw(200, (640, 480), "PNG", "L"), "png", id="grey png"),
    ],
)
def test_writes_image_and_line(
    server: LocalServer, package: Callable[..., Path], image: bytes, extension: str
) -> None:
    assert server.load("pair", package("pair"), "1.2.3").status == 200
    body = server.predict(image, "pair").body
    folder = server.work / "inference-results" / "pair"
    written = folder / f"{body['eventId']}.{extension}"
    assert written.read_bytes() == image
    text = written.with_suffix(".jsonl").read_text()
    assert text.endswith("}\n")
    line = json.loads(text)
    (truth,) = line["deviceGroundTruthData"]
    metadata = truth["anomaly-label-detected-metadata"]
    assert truth["source-ref"] == str(written)
    assert truth["anomaly-label-detected"] == body["index"] == 1
    assert metadata["class-name"] == body["label"] == "bright"
    assert metadata["confidence"] == pytest.approx(body["confidence"], abs=1e-5)
    assert metadata["type"] == "groundtruth/image-classification"
    event = line["eventMetadata"]
    assert (event["eventId"], event["modelName"], event["modelVersion"]) == (body["eventId"], "pair", "1.2.3")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", event["inferenceTime"])
    assert metadata["creation-date"] == event["inferenceTime"]
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/predict?model=eye", b"this is no image", 400, "not a JPEG or PNG"),
        ("/predict?model=eye", draw(9)[:200], 400, "not a JPEG or PNG"),
        ("/predict?model=eye", b"", 400, "no body"),
        ("/predict?model=nobody", draw(9), 404, "no model 'nobody'"),
        ("/predict?model=eye", b"x" * (LIMIT + 1), 413, f"takes {LIMIT} at most"),
        ("/predict?model=eye", b"x" * (40 * LIMIT), 413, f"takes {LIMIT} at most"),
        ("/elsewhere", b"", 404, "POST /predict"),
        ("/models/base_x/load", b"{}", 400, "application/json"),
    ],
)
def test_refuses_in_json(
    server: LocalServer, package: Callable[..., Path], path: str, body: bytes, status: int, words: str
) -> None:
    assert server.load("eye", package("eye")).status == 200
    answer = ask(server.url + path, body, {"Content-Type": "application/octet-stream"})
    assert (answer.status, list(answer.body)) == (status, ["error"])
    assert words in answer.body["error"]
    assert "Traceback" not in answer.body["error"]
    assert server.predict(draw(250), "eye").body["label"] == "bright"


def test_takes_many_requests_on_one_connection(server: LocalServer, package: Callable[..., Path]) -> None:
    assert server.load("keep", package("keep")).status == 200
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=DEADLINE_SECONDS)
    connection.connect()
    opened = connection.sock
    for value, label in ((250, "bright"), (3, "dark"), (250, "bright")):
        connection.request("POST", "/predict?model=keep", draw(value))
        assert json.loads(connection.getresponse().read())["label"] == label
    assert connection.sock is opened
    connection.close()


@pytest.mark.parametrize(
    ("request_text", "beginning"),
    [
        (b"BREW /predict HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 501 "),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"HTTP/1.1 411 "),
        (b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -4\r\n\r\n", b"HTTP/1.1 400 "),
        (b"POST /predict HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", b"HTTP/1.1 413 "),
        (b"nonsense\r\n\r\n", b'{"error": '),  # HTTP 0.9, which knows no status line
    ],
)
def test_survives_strange_requests(server: LocalServer, request_text: bytes, beginning: bytes) -> None:
    host, _, port = server.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE_SECONDS) as client:
        client.sendall(request_text)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(beginning)
    assert b'"error": ' in answer
    assert b"Traceback" not in answer
    assert server.health().status == 200


def test_a_newer_version_takes_over(server: LocalServer, package: Callable[..., Path]) -> None:
    assert server.load("next", package("next", "v1")).status == 200
    assert server.load("next", package("next", "v2", inverted=True), "2.0.0").status == 200
    answer = server.predict(draw(250), "next")
    assert answer.body["label"] == "dark"
    line = (server.work / "inference-results" / "next" / f"{answer.body['eventId']}.jsonl").read_text()
    assert json.loads(line)["eventMetadata"]["modelVersion"] == "2.0.0"
    assert len(list((server.work / "generations" / "next").glob("[0-9]*"))) == 1


def test_a_version_with_other_labels_takes_over(server: LocalServer, package: Callable[..., Path]) -> None:
    assert server.load("names", package("names", "v1")).status == 200
    assert server.load("names", package("names", "v2", labels=("night", "day")), "2.0.0").status == 200
    assert server.predict(draw(250), "names").body["scores"].keys() == {"night", "day"}


def break_labels(package: Path, name: str) -> None:
    (package / "models" / f"base_{name}" / "1" / "labels.json").write_text('["a", "b", "c"]')


def break_onnx(package: Path, name: str) -> None:
    (package / "models" / f"base_{name}" / "1" / "model.onnx").write_bytes(b"no protobuf")


def break_marshal(package: Path, name: str) -> None:
    (package / "models" / f"marshal_{name}" / "1" / "model.py").write_text("import no_such_module")


def remove_main(package: Path, name: str) -> None:
    (package / "models" / name / "config.pbtxt").unlink()


BREAKAGES = [
    pytest.param(break_labels, "2 scores for 3 labels", id="labels"),
    pytest.param(break_onnx, "model.onnx", id="onnx"),
    pytest.param(break_marshal, "no_such_module", id="marshal"),
    pytest.param(remove_main, "config.pbtxt", id="incomplete"),
]


@pytest.mark.parametrize(("spoil", "words"), BREAKAGES)
def test_a_broken_newer_version_changes_nothing(
    server: LocalServer, package: Callable[..., Path], spoil: Callable[[Path, str], None], words: str
) -> None:
    assert server.load("safe", package("safe", "v1", inverted=True)).status == 200
    broken = package("safe", "v2")
    spoil(broken, "safe")
    answer = server.load("safe", broken, "2.0.0")
    assert answer.status == 422
    assert words in answer.body["error"]
    assert "At:" not in answer.body["error"]
    assert server.health().body["models"]["safe"] == "READY"
    assert server.predict(draw(250), "safe").body["label"] == "dark"
    assert len(list((server.work / "generations" / "safe").glob("[0-9]*"))) == 1


@pytest.mark.parametrize(("spoil", "words"), BREAKAGES)
def test_a_broken_first_version_leaves_nothing(
    server: LocalServer, package: Callable[..., Path], spoil: Callable[[Path, str], None], words: str
) -> None:
    broken = package("first")
    spoil(broken, "first")
    answer = server.load("first", broken)
    assert answer.status == 422
    assert words in answer.body["error"]
    assert server.predict(draw(250), "first").status == 404
    assert "first" not in server.health().body["models"]
    assert not (server.work / "models" / "first").is_symlink()


def test_unloads(server: LocalServer, package: Callable[..., Path]) -> None:
    assert server.load("gone", package("gone")).status == 200
    assert server.unload("gone").status == 200
    assert server.predict(draw(250), "gone").status == 404
    assert "gone" not in server.health().body["models"]
    assert server.unload("gone").status == 404


def test_refuses_orders_from_web_pages(server: LocalServer, package: Callable[..., Path]) -> None:
    body = json.dumps({"source": str(package("page") / "models")}).encode()
    headers = {"Content-Type": "application/json", "Origin": "http://example.com"}
    answer = ask(f"{server.url}/models/page/load", body, headers)
    assert (answer.status, "this device only" in answer.body["error"]) == (403, True)


def test_sigterm_leaves_nothing(engine: str, tmp_path: Path, package: Callable[..., Path]) -> None:
    with running(tmp_path / "device", engine) as server:
        assert server.load("eye", package("eye")).status == 200
        assert server.predict(draw(250)).status == 200
        process = server.processes[0]
        os.kill(json.loads(server.endpoint.read_text())["pid"], signal.SIGTERM)
        wait_until(lambda: not server.endpoint.exists(), "the end of the announcement")
        assert process.wait(DEADLINE_SECONDS) == 0, server.log.read_text()
        assert server.remains() == []
        assert "Traceback" not in server.log.read_text()


def test_shutdown_script_stops_it_and_a_restart_serves_the_same_models(
    engine: str, tmp_path: Path, package: Callable[..., Path]
) -> None:
    with running(tmp_path / "device", engine) as server:
        assert server.load("eye", package("eye", inverted=True)).status == 200
        assert server.launch("Shutdown").wait(DEADLINE_SECONDS) == 0
        assert not server.endpoint.exists()
        assert server.remains() == []
        assert server.launch("Shutdown").wait(DEADLINE_SECONDS) == 0, "stopping twice must do no harm"
        server.start()
        assert server.predict(draw(250)).body["label"] == "dark"


def test_a_killed_server_is_cleaned_up_by_the_next(
    engine: str, tmp_path: Path, package: Callable[..., Path]
) -> None:
    with running(tmp_path / "device", engine) as server:
        assert server.load("eye", package("eye")).status == 200
        os.kill(json.loads(server.endpoint.read_text())["pid"], signal.SIGKILL)
        orphans = set(find_processes(build_engine_id(server.work)))
        assert orphans
        server.endpoint.unlink()
        server.start()
        assert orphans.isdisjoint(find_processes(build_engine_id(server.work)))
        assert server.predict(draw(250)).body["label"] == "bright"


def test_the_end_of_the_engine_ends_the_server(engine: str, tmp_path: Path) -> None:
    with running(tmp_path / "device", engine) as server:
        (engine_pid, *_) = find_processes(build_engine_id(server.work))
        os.kill(engine_pid, signal.SIGKILL)
        assert server.processes[0].wait(DEADLINE_SECONDS) == 1
        assert not server.endpoint.exists()
        assert server.remains() == []
        assert "ended by itself (signal SIGKILL)" in server.log.read_text()


def test_a_second_server_refuses_the_same_work_folder(server: LocalServer) -> None:
    assert server.launch("Run").wait(DEADLINE_SECONDS) == 1
    assert "already runs in" in server.log.read_text()
    assert server.health().status == 200


def test_install_step_finds_everything(engine: str, tmp_path: Path) -> None:
    server = LocalServer(tmp_path / "device", engine)
    try:
        assert server.launch("Install").wait(DEADLINE_SECONDS) == 0, server.log.read_text()
    finally:
        server.close()


def load_with_loader(server: LocalServer, package: Path, verb: str, name: str) -> subprocess.Popen[str]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "EDGEPIPE_ARTIFACT": str(package),
        "EDGEPIPE_SERVER_WORK": str(server.work),
        "EDGEPIPE_MODEL": name,
        "EDGEPIPE_MODEL_VERSION": "1.0.0",
    }
    return subprocess.Popen(
        [sys.executable, "-S", str(package / "loader.py"), verb],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_loader_loads_and_unloads(server: LocalServer, package: Callable[..., Path]) -> None:
    files = package("mine")
    for verb, words in (("load", "is serving"), ("unload", "is unloaded"), ("unload", "is unloaded")):
        loader = load_with_loader(server, files, verb, "mine")
        out, err = loader.communicate(timeout=DEADLINE_SECONDS)
        assert (loader.returncode, err) == (0, "")
        assert words in out
        assert ("mine" in server.health().body["models"]) == (verb == "load")


def test_loader_tells_why_a_model_does_not_serve(server: LocalServer, package: Callable[..., Path]) -> None:
    files = package("mine")
    break_labels(files, "mine")
    loader = load_with_loader(server, files, "load", "mine")
    out, err = loader.communicate(timeout=DEADLINE_SECONDS)
    assert (loader.returncode, out) == (1, "")
    assert err.startswith("error: model 'mine' version 1.0.0 does not serve: ")
    assert "2 scores for 3 labels" in err
    assert len(err.splitlines()) == 1


def test_loader_waits_for_a_late_server(engine: str, tmp_path: Path, package: Callable[..., Path]) -> None:
    server = LocalServer(tmp_path / "device", engine)
    loader = load_with_loader(server, package("late"), "load", "late")
    try:
        server.start()
        _, err = loader.communicate(timeout=DEADLINE_SECONDS)
        assert (loader.returncode, err) == (0, "")
        assert server.predict(draw(250)).body["model"] == "late"
    finally:
        loader.kill()
        loader.communicate()
        server.close()
