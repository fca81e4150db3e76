"""triton: the configurations' text."""

from __future__ import annotations

from tasks import triton

BASE = """\
name: "base_m"
backend: "python"
max_batch_size: 0
input [
  { name: "image", data_type: TYPE_UINT8, dims: [ -1, -1, 3 ] }
]
output [
  { name: "scores", data_type: TYPE_FP32, dims: [ -1 ] }
]
instance_group [ { count: 1, kind: KIND_CPU } ]
"""
ENSEMBLE = """\
name: "m"
platform: "ensemble"
max_batch_size: 0
input [
  { name: "image", data_type: TYPE_UINT8, dims: [ -1, -1, 3 ] },
  { name: "metadata", data_type: TYPE_UINT8, dims: [ -1 ] }
]
output [
  { name: "scores", data_type: TYPE_FP32, dims: [ -1 ] },
  { name: "result", data_type: TYPE_UINT8, dims: [ -1 ] }
]
ensemble_scheduling {
  step [
    {
      model_name: "base_m"
      model_version: -1
      input_map { key: "image", value: "image" }
      output_map { key: "scores", value: "scores" }
    },
    {
      model_name: "marshal_m"
      model_version: -1
      input_map { key: "scores", value: "scores" }
      input_map { key: "metadata", value: "metadata" }
      output_map { key: "result", value: "result" }
    }
  ]
}
"""


def test_base() -> None:
    assert triton.render_base("m") == BASE


def test_marshal_differs_from_base_in_name_and_tensors() -> None:
    text = triton.render_marshal("m")
    assert 'name: "marshal_m"' in text
    assert text.count("TYPE_UINT8") == 2


def test_ensemble() -> None:
    assert triton.render_ensemble("m") == ENSEMBLE
