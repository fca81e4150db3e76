"""Inference requests and responses of the KServe v2 HTTP protocol, tensors as JSON or as raw bytes.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md and
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .config import TYPES
from .errors import FallbackError, refuse
from .execution import Tensors

KNOWN_KEYS = {"id", "inputs", "outputs", "parameters"}
KNOWN_PARAMETERS = {"binary_data_output"}
KNOWN_INPUT_PARAMETERS = {"binary_data_size"}
KNOWN_OUTPUT_PARAMETERS = {"binary_data"}
NAMES = {np.dtype(kind): name for name, kind in TYPES.items()}


@dataclass(frozen=True, kw_only=True)
class InferRequest:
    """A request's tensors; `outputs` maps each wanted output to whether it goes as raw bytes, empty = all."""

    id: str
    inputs: Tensors
    outputs: Mapping[str, bool]
    binary: bool


def parse_request(body: bytes, header_length: int | None) -> InferRequest:
    """Read a request; FallbackError says what is wrong with it."""
    split = len(body) if header_length is None else header_length
    if not 0 <= split <= len(body):
        message = f"Inference-Header-Content-Length is {split}, the body has {len(body)} bytes"
        raise FallbackError(message)
    try:
        header = json.loads(body[:split])
        return _parse_header(header, memoryview(body)[split:])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = f"the inference request cannot be read: {type(error).__name__}: {error}"
        raise FallbackError(message) from error


def _parse_header(header: Mapping[str, Any], raw: memoryview) -> InferRequest:
    parameters = header.get("parameters", {})
    _refuse_unknown(header, KNOWN_KEYS, "the request key")
    _refuse_unknown(parameters, KNOWN_PARAMETERS, "the request parameter")
    binary = bool(parameters.get("binary_data_output", False))
    return InferRequest(
        id=str(header.get("id", "")),
        inputs=_parse_inputs(header["inputs"], raw),
        outputs={each["name"]: _parse_output(each, binary=binary) for each in header.get("outputs", [])},
        binary=binary,
    )


def _parse_inputs(rows: Iterable[Mapping[str, Any]], raw: memoryview) -> Tensors:
    inputs: dict[str, npt.NDArray[np.generic]] = {}
    for row in rows:
        parameters = row.get("parameters", {})
        _refuse_unknown(parameters, KNOWN_INPUT_PARAMETERS, "the input parameter")
        size = parameters.get("binary_data_size")
        inputs[str(row["name"])] = _parse_tensor(row, None if size is None else raw[: int(size)])
        raw = raw[int(size or 0) :]
    if raw:
        message = f"{len(raw)} bytes follow the last tensor"
        raise FallbackError(message)
    return inputs


def _parse_tensor(row: Mapping[str, Any], raw: memoryview | None) -> npt.NDArray[np.generic]:
    datatype = str(row["datatype"])
    if datatype not in TYPES:
        refuse(f"tensors of type {datatype}")
    shape = tuple(int(size) for size in row["shape"])
    if any(size < 0 for size in shape):
        message = f"tensor {row['name']!r} has the shape {list(shape)}"
        raise FallbackError(message)
    if raw is None:
        return np.asarray(row["data"], dtype=TYPES[datatype]).reshape(shape)
    return np.frombuffer(raw, dtype=TYPES[datatype]).reshape(shape)


def _parse_output(row: Mapping[str, Any], *, binary: bool) -> bool:
    parameters = row.get("parameters", {})
    _refuse_unknown(parameters, KNOWN_OUTPUT_PARAMETERS, "the output parameter")
    return bool(parameters.get("binary_data", binary))


def _refuse_unknown(given: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        refuse(f"{what} {', '.join(unknown)}")


def render_response(model: str, request: InferRequest, outputs: Tensors) -> tuple[bytes, int]:
    """Write the wanted outputs: the body and how many of its bytes are the JSON header."""
    wanted = request.outputs or dict.fromkeys(outputs, request.binary)
    absent = sorted(set(wanted) - set(outputs))
    if absent:
        message = f"model {model!r} has no output {absent[0]!r}"
        raise FallbackError(message)
    rows = [_render_tensor(name, outputs[name], binary=binary) for name, binary in wanted.items()]
    header = {"model_name": model, "model_version": "1", "outputs": rows}
    if request.id:
        header["id"] = request.id
    text = json.dumps(header).encode()
    raw = [outputs[name].tobytes() for name, binary in wanted.items() if binary]
    return b"".join([text, *raw]), len(text)


def _render_tensor(name: str, array: npt.NDArray[np.generic], *, binary: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "datatype": NAMES[array.dtype], "shape": list(array.shape)}
    if binary:
        return row | {"parameters": {"binary_data_size": array.nbytes}}
    return row | {"data": array.reshape(-1).tolist()}
