"""The Triton model repository of a packaged model: an ensemble `<m>` of `base_<m>` and `marshal_<m>`.

base runs the compiled model on one image; marshal puts its scores into the result's JSON; the ensemble joins
them. Every configuration is complete, so that Triton can start with --disable-auto-complete-config.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

MAX_BATCH_SIZE = 0
"""No batching: a request holds one image, whose size varies."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One input or output: its name, Triton's type, and its dimensions (-1 varies)."""

    name: str
    data_type: str
    dims: tuple[int, ...]


IMAGE = Tensor(name="image", data_type="TYPE_UINT8", dims=(-1, -1, 3))
METADATA = Tensor(name="metadata", data_type="TYPE_UINT8", dims=(-1,))
SCORES = Tensor(name="scores", data_type="TYPE_FP32", dims=(-1,))
RESULT = Tensor(name="result", data_type="TYPE_UINT8", dims=(-1,))


def base_name(model: str) -> str:
    """Return the name of the model that infers."""
    return f"base_{model}"


def marshal_name(model: str) -> str:
    """Return the name of the model that writes results."""
    return f"marshal_{model}"


def render_base(model: str) -> str:
    """Return base's config.pbtxt: an RGB image, height x width x 3, in; one score for each class out."""
    return _render_python(base_name(model), inputs=(IMAGE,), outputs=(SCORES,))


def render_marshal(model: str) -> str:
    """Return marshal's config.pbtxt: scores and the request's metadata (JSON bytes) in; JSON bytes out."""
    return _render_python(marshal_name(model), inputs=(SCORES, METADATA), outputs=(RESULT,))


def render_ensemble(model: str) -> str:
    """Return the ensemble's config.pbtxt: image and metadata in, scores and result out."""
    steps = ",\n".join(
        (
            _render_step(base_name(model), inputs=(IMAGE,), outputs=(SCORES,)),
            _render_step(marshal_name(model), inputs=(SCORES, METADATA), outputs=(RESULT,)),
        )
    )
    return (
        f"name: {_quote(model)}\n"
        'platform: "ensemble"\n'
        f"max_batch_size: {MAX_BATCH_SIZE}\n"
        f"{_render_tensors('input', (IMAGE, METADATA))}"
        f"{_render_tensors('output', (SCORES, RESULT))}"
        f"ensemble_scheduling {{\n  step [\n{steps}\n  ]\n}}\n"
    )


def _render_python(name: str, *, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> str:
    return (
        f"name: {_quote(name)}\n"
        'backend: "python"\n'
        f"max_batch_size: {MAX_BATCH_SIZE}\n"
        f"{_render_tensors('input', inputs)}"
        f"{_render_tensors('output', outputs)}"
        "instance_group [ { count: 1, kind: KIND_CPU } ]\n"
    )


def _render_tensors(side: str, tensors: tuple[Tensor, ...]) -> str:
    lines = ",\n".join(
        f"  {{ name: {_quote(t.name)}, data_type: {t.data_type}, dims: [ {', '.join(map(str, t.dims))} ] }}"
        for t in tensors
    )
    return f"{side} [\n{lines}\n]\n"


def _render_step(name: str, *, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> str:
    maps = [("input_map", tensor) for tensor in inputs] + [("output_map", tensor) for tensor in outputs]
    lines = "\n".join(
        f"      {side} {{ key: {_quote(t.name)}, value: {_quote(t.name)} }}" for side, t in maps
    )
    return f"    {{\n      model_name: {_quote(name)}\n      model_version: -1\n{lines}\n    }}"


def _quote(text: str) -> str:
    """Return `text` as a string of protobuf's text form, which escapes as JSON does for plain ASCII."""
    return json.dumps(text)
