"""The optimiser on tiny models: the contract, the choice, and the whole program on a folder of images."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from PIL import Image

from containers.optimize.choice import Candidate, choose
from containers.optimize.dataset import Example, spread
from containers.optimize.errors import OptimizeError
from containers.optimize.model import parse_signature, read_archive
from containers.optimize.settings import ARCHITECTURES, parse_settings

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("normal", "anomaly")
SIZE = 16
NATIVE = next(target for target, names in ARCHITECTURES.items() if os.uname().machine.lower() in names)
FOREIGN = next(target for target in ARCHITECTURES if target != NATIVE)


def classifier(path: Path, *, channels: int = 8, layout: str = "NHWC", classes: int = 2) -> Path:
    """Write a small convolution network that calls dark images an anomaly."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)
    kernel = np.abs(random.normal(1, 0.1, (channels, 3, 3, 3))).astype(np.float32) / 27
    head = np.zeros((channels, classes), np.float32)
    head[:, 0], head[:, 1] = 1 / channels, -1 / channels
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["c"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "head", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    bias = np.zeros(classes, np.float32)
    bias[0], bias[1] = -0.5, 0.5
    constants = [
        onnx.numpy_helper.from_array(value, name)
        for name, value in (("kernel", kernel), ("head", head), ("bias", bias))
    ]
    if layout == "NHWC":
        image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", SIZE, SIZE, 3])
        nodes = [
            helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Div", ["float", "white"], ["unit"]),
            helper.make_node("Transpose", ["unit"], ["x"], perm=[0, 3, 1, 2]),
            *nodes,
        ]
        constants.append(onnx.numpy_helper.from_array(np.asarray(255, np.float32), "white"))
    else:
        image = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", classes])
    graph = helper.make_graph(nodes, "tiny", [image], [scores], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


def pack(folder: Path, members: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "model.tar.gz", "w:gz") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return folder


def draw(inputs: Path, split: str, count: int) -> None:
    rows = []
    for number in range(count):
        label = number % 2
        key = f"set/{split} #%20{number}.png"
        path = inputs / split / key
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20 + number, 24), (40, 40, 40) if label else (220, 220, 220)).save(path)
        rows.append({"source-ref": f"s3://bucket/{key}", "anomaly-label": label})
    manifest = inputs / "manifests" / f"{split}.jsonl"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(base: Path, target: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "containers.optimize",
        "--target",
        target,
        "--labels",
        json.dumps(LABELS),
    ]
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)


def job(tmp_path: Path, **model: Any) -> Path:
    inputs = tmp_path / "processing" / "input"
    pack(inputs / "model", {"./model.onnx": classifier(tmp_path / "model.onnx", **model).read_bytes()})
    draw(inputs, "train", 12)
    draw(inputs, "validation", 6)
    return tmp_path


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_native_target_gets_both_forms_measured_and_the_better_one(tmp_path: Path, layout: str) -> None:
    done = run(job(tmp_path, layout=layout), NATIVE)
    assert done.returncode == 0, done.stderr
    output = tmp_path / "processing" / "output"
    report = json.loads((output / "compile-report.json").read_text())
    plain, quantized = report["candidates"]
    assert (plain["name"], quantized["name"]) == ("fp32", "int8")
    assert plain["accuracy"] == 1.0
    assert plain["latency_ms"] > 0
    assert quantized["latency_ms"] > 0
    assert report["input"]["layout"] == layout
    assert report["images"] == 6
    chosen = next(row for row in report["candidates"] if row["name"] == report["chosen"])
    assert (output / "model.onnx").stat().st_size == chosen["bytes"]
    assert ort.InferenceSession(str(output / "model.onnx")).get_outputs()[0].name == "scores"


def test_a_foreign_target_is_optimised_and_says_why_it_was_not_quantised(tmp_path: Path) -> None:
    done = run(job(tmp_path), FOREIGN)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "processing" / "output" / "compile-report.json").read_text())
    assert report["chosen"] == "fp32"
    assert FOREIGN in report["reason"]
    assert [(row["accuracy"], row["latency_ms"]) for row in report["candidates"]] == [(1.0, None)]


def test_the_optimised_model_is_the_same_each_time(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "two"):
        assert run(job(tmp_path / name), FOREIGN).returncode == 0
        report = json.loads((tmp_path / name / "processing" / "output" / "compile-report.json").read_text())
        digests.add(report["candidates"][0]["sha256"])
    assert len(digests) == 1


def test_a_failure_is_one_line_and_the_jobs_exit_message(tmp_path: Path) -> None:
    pack(tmp_path / "processing" / "input" / "model", {"weights.bin": b"x"})
    done = run(tmp_path, NATIVE)
    assert done.returncode == 1
    assert done.stderr.startswith("optimize: model.tar.gz holds no model.onnx")
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "output" / "message").read_text() in done.stderr


def test_a_broken_image_is_named(tmp_path: Path) -> None:
    base = job(tmp_path)
    (tmp_path / "processing" / "input" / "validation" / "set" / "validation #%203.png").write_bytes(
        b"no image"
    )
    done = run(base, NATIVE)
    assert done.returncode == 1
    assert "validation #%203.png cannot be read" in done.stderr


BROKEN: list[tuple[dict[str, Any], str]] = [({"classes": 3}, r"\[N,2\]")]


@pytest.mark.parametrize(("model", "message"), BROKEN)
def test_a_model_that_breaks_the_contract_is_refused(
    tmp_path: Path, model: dict[str, Any], message: str
) -> None:
    path = classifier(tmp_path / "model.onnx", **model)
    with pytest.raises(OptimizeError, match=message):
        parse_signature(path, LABELS)


def test_an_input_of_unknown_size_is_refused(tmp_path: Path) -> None:
    path = classifier(tmp_path / "model.onnx")
    model = onnx.load(str(path))
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "height"
    onnx.save(model, path)
    with pytest.raises(OptimizeError, match="fixed height and width"):
        parse_signature(path, LABELS)


def test_what_is_no_onnx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(OptimizeError, match="no valid ONNX model"):
        parse_signature(tmp_path / "model.onnx", LABELS)


@pytest.mark.parametrize("name", ["../model.onnx", "/model.onnx", "sub/model.onnx"])
def test_only_the_one_name_is_taken_from_an_archive(tmp_path: Path, name: str) -> None:
    pack(tmp_path / "in", {name: b"x"})
    with pytest.raises(OptimizeError, match=r"holds no model\.onnx"):
        read_archive(tmp_path / "in", tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_a_torn_archive_is_refused(tmp_path: Path) -> None:
    pack(tmp_path, {"model.onnx": os.urandom(5000)})
    archive = tmp_path / "model.tar.gz"
    archive.write_bytes(archive.read_bytes()[:2000])
    with pytest.raises(OptimizeError, match="cannot be read"):
        read_archive(tmp_path, tmp_path / "out.onnx")


def candidate(name: str, accuracy: float | None, latency: float | None) -> Candidate:
    return Candidate(name=name, sha256="0", bytes=1, accuracy=accuracy, latency_ms=latency)


@pytest.mark.parametrize(
    ("plain", "quantized", "chosen"),
    [
        ((0.99, 10.0), (0.99, 4.0), "int8"),
        ((0.99, 10.0), (0.98, 4.0), "int8"),
        ((0.99, 10.0), (0.97, 4.0), "fp32"),
        ((0.99, 10.0), (0.99, 9.6), "fp32"),
        ((0.99, 10.0), (1.00, 12.0), "fp32"),
        ((None, 10.0), (0.99, 1.0), "fp32"),
        ((0.99, None), (0.99, None), "fp32"),
    ],
)
def test_choice(
    plain: tuple[float | None, float | None], quantized: tuple[float | None, float | None], chosen: str
) -> None:
    choice = choose(candidate("fp32", *plain), candidate("int8", *quantized), 0.0101)
    assert choice.name == chosen
    assert choice.reason


@pytest.mark.parametrize(("count", "wanted"), [(0, 0), (3, 3), (10, 4), (4, 4)])
def test_spread_takes_different_examples_over_the_whole_list(tmp_path: Path, count: int, wanted: int) -> None:
    examples = [Example(path=tmp_path / str(number), label=0) for number in range(count)]
    taken = spread(examples, 4)
    assert len(taken) == len({example.path for example in taken}) == wanted


@pytest.mark.parametrize("labels", ["normal", "[]", "[1, 2]", '{"a": 1}'])
def test_labels_must_be_a_list_of_texts(labels: str) -> None:
    with pytest.raises(OptimizeError, match="JSON list"):
        parse_settings(["--target", NATIVE, "--labels", labels], {})
