"""Tiny model packages, as the package step builds them: a classifier by mean brightness."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("dark", "bright")
SIDE = 16

PYTHON_CONFIG = """\
name: "{name}"
backend: "python"
max_batch_size: 0
{tensors}
instance_group [{{ kind: KIND_CPU }}]
"""
BASE_TENSORS = """\
input [{ name: "image", data_type: TYPE_UINT8, dims: [-1, -1, 3] }]
output [{ name: "scores", data_type: TYPE_FP32, dims: [-1] }]"""
MARSHAL_TENSORS = """\
input [
  { name: "scores", data_type: TYPE_FP32, dims: [-1] },
  { name: "metadata", data_type: TYPE_UINT8, dims: [-1] }
]
output [{ name: "result", data_type: TYPE_UINT8, dims: [-1] }]"""
MAIN_CONFIG = """\
name: "{name}"
platform: "ensemble"
max_batch_size: 0
input [
  {{ name: "image", data_type: TYPE_UINT8, dims: [-1, -1, 3] }},
  {{ name: "metadata", data_type: TYPE_UINT8, dims: [-1] }}
]
output [
  {{ name: "scores", data_type: TYPE_FP32, dims: [-1] }},
  {{ name: "result", data_type: TYPE_UINT8, dims: [-1] }}
]
ensemble_scheduling {{
  step [
    {{
      model_name: "base_{name}"
      model_version: -1
      input_map {{ key: "image", value: "image" }}
      output_map {{ key: "scores", value: "scores" }}
    }},
    {{
      model_name: "marshal_{name}"
      model_version: -1
      input_map {{ key: "scores", value: "scores" }}
      input_map {{ key: "metadata", value: "metadata" }}
      output_map {{ key: "result", value: "result" }}
    }}
  ]
}}
"""


def build_brightness_model(*, inverted: bool = False, planar: bool = False) -> bytes:
    """An ONNX classifier whose two logits are 10 and -10 at the extremes; `inverted` swaps its answers."""
    shape: list[str | int | None] = ["N", 3, SIDE, SIDE] if planar else ["N", SIDE, SIDE, 3]
    element = TensorProto.FLOAT if planar else TensorProto.UINT8
    sign = -1.0 if inverted else 1.0
    divisor = 1.0 if planar else 255.0
    constants = {
        "weights": np.array([[-20.0, 20.0]], dtype=np.float32) * sign,
        "bias": np.array([10.0, -10.0], dtype=np.float32) * sign,
        "divisor": np.array(divisor, dtype=np.float32),
        "axes": np.array([1, 2, 3], dtype=np.int64),
        "column": np.array([-1, 1], dtype=np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["raw"], to=TensorProto.FLOAT),
        helper.make_node("Div", ["raw", "divisor"], ["unit"]),
        helper.make_node("ReduceMean", ["unit", "axes"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "column"], ["means"]),
        helper.make_node("MatMul", ["means", "weights"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("image", element, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def write_package(
    folder: Path, runtime: Path, *, name: str, model: bytes, labels: tuple[str, ...] = LABELS
) -> Path:
    """Write what a model component's zip unpacks to; gives the folder."""
    _write_part(folder / "models" / f"base_{name}", BASE_TENSORS, labels, runtime / "base.py")
    (folder / "models" / f"base_{name}" / "1" / "model.onnx").write_bytes(model)
    _write_part(folder / "models" / f"marshal_{name}", MARSHAL_TENSORS, labels, runtime / "marshal.py")
    main = folder / "models" / name
    (main / "1").mkdir(parents=True)
    (main / "1" / "ensemble_model").touch()
    (main / "config.pbtxt").write_text(MAIN_CONFIG.format(name=name), encoding="utf-8")
    shutil.copyfile(runtime / "loader.py", folder / "loader.py")
    return folder


def _write_part(part: Path, tensors: str, labels: tuple[str, ...], program: Path) -> None:
    (part / "1").mkdir(parents=True)
    config = PYTHON_CONFIG.format(name=part.name, tensors=tensors)
    (part / "config.pbtxt").write_text(config, encoding="utf-8")
    (part / "1" / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    shutil.copyfile(program, part / "1" / "model.py")
