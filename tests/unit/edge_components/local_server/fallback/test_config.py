from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_components.local_server.fallback.config import TensorSpec, parse_config
from edge_components.local_server.fallback.errors import FallbackError, NotSupportedError
from edge_components.local_server.fallback.textproto import TextFormatError, parse_text
from tests.functional.model_packages import BASE_TENSORS, MAIN_CONFIG, PYTHON_CONFIG

BASE = PYTHON_CONFIG.format(name="base_m", tensors=BASE_TENSORS)


def test_reads_a_python_model() -> None:
    config = parse_config(BASE, "base_m")
    assert config.inputs == (TensorSpec(name="image", datatype="UINT8", dims=(-1, -1, 3)),)
    assert config.outputs == (TensorSpec(name="scores", datatype="FP32", dims=(-1,)),)
    assert config.steps == ()


def test_reads_an_ensemble() -> None:
    base, marshal = parse_config(MAIN_CONFIG.format(name="m"), "m").steps
    assert (base.model, base.inputs, base.outputs) == ("base_m", {"image": "image"}, {"scores": "scores"})
    assert marshal.inputs == {"scores": "scores", "metadata": "metadata"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("max_batch_size: 0", "max_batch_size: 8"), "max_batch_size above 0"),
        (('backend: "python"', 'backend: "onnxruntime"'), "backend 'onnxruntime'"),
        (('backend: "python"', 'backend: "python"\ndynamic_batching {}'), "dynamic_batching"),
        (("kind: KIND_CPU", "count: 2, kind: KIND_CPU"), "more than one instance"),
        (("TYPE_UINT8", "TYPE_STRING"), "type STRING"),
        (('name: "image",', 'name: "image", optional: true,'), "tensor field optional"),
    ],
)
def test_refuses_what_only_triton_does(change: tuple[str, str], words: str) -> None:
    text = BASE.replace(*change)
    assert text != BASE
    with pytest.raises(NotSupportedError, match=rf"does not support .*{words}.*run the model on Triton"):
        parse_config(text, "base_m")


def test_refuses_another_folders_name() -> None:
    with pytest.raises(FallbackError, match="'base_m', its folder 'other'"):
        parse_config(BASE, "other")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1 # note\nb { c: 'x\\n' }", {"a": [1], "b": [{"c": ["x\n"]}]}),
        ("a: [1, 2]; a: 3", {"a": [1, 2, 3]}),
        ("a [ { b: true }, { b: FALSE_NAME } ]", {"a": [{"b": [True]}, {"b": ["FALSE_NAME"]}]}),
        ("a: -1.5e3", {"a": [-1500.0]}),
        ("", {}),
    ],
)
def test_reads_text_format(text: str, message: dict[str, object]) -> None:
    assert parse_text(text) == message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb {", "the text ends where '}'"),
        ("a: 1\n\nb = 2", "line 3: '='"),
        ("a 5", "line 1: found '5'"),
        ("a: }", "line 1: found '}' where a value"),
        ("a { " * 30, "levels of nesting"),
        ("a: 'x", "line 1"),
        ("a: 007", "is no value"),
    ],
)
def test_names_the_line_that_cannot_be_read(text: str, words: str) -> None:
    with pytest.raises(TextFormatError, match=words):
        parse_text(text)


@given(st.text(alphabet="ab12{}[]:\"'\\#.-+ \n", max_size=60))
def test_any_text_is_a_message_or_a_format_error(text: str) -> None:
    try:
        assert isinstance(parse_text(text), dict)
    except TextFormatError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    "array", [np.zeros((2, 2, 4), np.uint8), np.zeros((2, 3), np.uint8), np.zeros((2, 2, 3), np.float32)]
)
def test_a_tensor_must_fit_its_description(array: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> None:
    spec = TensorSpec(name="image", datatype="UINT8", dims=(-1, -1, 3))
    spec.check(np.zeros((1, 9, 3), np.uint8))
    with pytest.raises(FallbackError, match="configuration says"):
        spec.check(array)
