from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edge_components.local_server.fallback.errors import FallbackError, NotSupportedError
from edge_components.local_server.fallback.wire import NAMES, parse_request, render_response

DTYPES = st.sampled_from([np.uint8, np.int64, np.float32, np.bool_])


@given(
    DTYPES.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(max_dims=3, max_side=4))),
    st.booleans(),
)
def test_tensors_survive_the_way(array: Any, binary: bool) -> None:
    row: dict[str, Any] = {"name": "x", "shape": list(array.shape), "datatype": NAMES[array.dtype]}
    raw = array.tobytes() if binary else b""
    row |= {"parameters": {"binary_data_size": array.nbytes}} if binary else {"data": array.ravel().tolist()}
    header = json.dumps(
        {"id": "7", "inputs": [row], "outputs": [{"name": "x", "parameters": {"binary_data": binary}}]}
    )
    request = parse_request(header.encode() + raw, len(header.encode()))
    assert np.array_equal(request.inputs["x"], array, equal_nan=array.dtype.kind == "f")
    body, length = render_response("m", request, request.inputs)
    answer = json.loads(body[:length])
    assert (answer["id"], answer["outputs"][0]["shape"]) == ("7", list(array.shape))
    assert body[length:] == raw


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({}, "KeyError"),
        ({"inputs": [{"name": "x", "shape": [2], "datatype": "UINT8", "data": [1]}]}, "reshape"),
        ({"inputs": [{"name": "x", "shape": [-1], "datatype": "UINT8", "data": [1]}]}, "has the shape"),
        (
            {
                "inputs": [
                    {"name": "x", "shape": [1], "datatype": "UINT8", "parameters": {"binary_data_size": 9}}
                ]
            },
            "ValueError",
        ),
        ([], "AttributeError"),
    ],
)
def test_refuses_broken_requests(header: object, words: str) -> None:
    with pytest.raises(FallbackError, match=words):
        parse_request(json.dumps(header).encode(), None)


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ({"inputs": [{"name": "x", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}, "type BYTES"),
        ({"inputs": [], "parameters": {"sequence_id": 3}}, "sequence_id"),
        (
            {
                "inputs": [
                    {
                        "name": "x",
                        "shape": [1],
                        "datatype": "UINT8",
                        "parameters": {"shared_memory_region": "r"},
                    }
                ]
            },
            "shared",
        ),
    ],
)
def test_refuses_what_only_triton_does(header: object, words: str) -> None:
    with pytest.raises(NotSupportedError, match=words):
        parse_request(json.dumps(header).encode(), None)


def test_refuses_leftover_bytes_and_unknown_outputs() -> None:
    with pytest.raises(FallbackError, match="follow the last tensor"):
        parse_request(b'{"inputs": []}x', 14)
    with pytest.raises(FallbackError, match="Inference-Header-Content-Length"):
        parse_request(b"{}", 3)
    request = parse_request(b'{"inputs": [], "outputs": [{"name": "y"}]}', None)
    with pytest.raises(FallbackError, match="no output 'y'"):
        render_response("m", request, {})
