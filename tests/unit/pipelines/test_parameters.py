from __future__ import annotations

import pytest

from pipelines.parameters import ParameterError, resolve
from tests.unit.pipelines.specs import build

PARAMS = """  epochs: {type: integer, default: 3, minimum: 1, maximum: 99}
  rate: {type: number, default: 0.1}
  spot: {type: boolean, default: false}
  note: {type: string, default: x}
  dataset: {type: s3uri, default: "s3://bucket/x/"}
"""
PIPELINE = build(params=PARAMS).pipeline
NEEDY = build(params="  note: {type: string}\n").pipeline


ADDRESS = (
    "must be an S3 address such as s3://bucket/prefix/ (the bucket: 3 to 63 small letters, digits, . or -)"
)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "30", 30),
        ("rate", "2", 2),
        ("rate", "1e-3", 0.001),
        ("spot", "true", True),
        ("note", "1.10", "1.10"),
        ("note", "", ""),
        ("dataset", "s3://other/y", "s3://other/y"),
    ],
)
def test_texts_are_read_as_their_type(name: str, text: str, value: object) -> None:
    assert resolve(PIPELINE, {name: text}) == {name: value}


def test_defaults_are_left_to_the_state_machine() -> None:
    assert resolve(PIPELINE, {}) == {}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("epoch", "3", "pipeline 'cookies' has no parameter 'epoch'. Did you mean 'epochs'?"),
        ("epochs", "three", "the parameter 'epochs' must be of type integer, not 'three'"),
        ("epochs", "1e3", "the parameter 'epochs' must be of type integer, not '1e3'"),
        ("epochs", "1.5", "the parameter 'epochs' must be of type integer, not '1.5'"),
        ("epochs", "0", "the parameter 'epochs' must be at least 1, not 0"),
        ("epochs", "100", "the parameter 'epochs' must be at most 99, not 100"),
        ("epochs", "", "the parameter 'epochs' must be of type integer, not ''"),
        ("rate", ".inf", "the parameter 'rate' must be of type number, not '.inf'"),
        ("spot", "yes", "the parameter 'spot' must be of type boolean, not 'yes'"),
        ("dataset", "x\n", f"the parameter 'dataset' {ADDRESS}"),
        ("dataset", "s3://other/y\n", f"the parameter 'dataset' {ADDRESS}"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(ParameterError) as caught:
        resolve(PIPELINE, {name: text})
    assert str(caught.value) == message


def test_a_parameter_without_default_must_be_given() -> None:
    with pytest.raises(ParameterError, match=r"needs a value for note\. Give it with --param note=VALUE"):
        resolve(NEEDY, {})
    assert resolve(NEEDY, {"note": "x"}) == {"note": "x"}
