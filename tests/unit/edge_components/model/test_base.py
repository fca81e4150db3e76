from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests.functional.model_packages import SIDE, build_brightness_model

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


@pytest.mark.parametrize(
    ("element_type", "shape", "planar", "sides"),
    [
        ("tensor(uint8)", ["N", 112, 96, 3], False, (112, 96)),
        ("tensor(uint8)", [1, None, "W", 3], False, (None, None)),
        ("tensor(float)", ["N", 3, 64, 48], True, (64, 48)),
    ],
)
def test_reads_the_two_layouts(
    base: ModuleType, element_type: str, shape: Any, planar: bool, sides: Any
) -> None:
    image = base.parse_input("image", element_type, shape)
    assert (image.planar, (image.height, image.width)) == (planar, sides)


@pytest.mark.parametrize(
    ("element_type", "shape"),
    [
        ("tensor(uint8)", [1, 3, 64, 64]),
        ("tensor(float)", [1, 64, 64, 3]),
        ("tensor(float)", [1, 3, 64]),
        ("tensor(int64)", [1, 64, 64, 3]),
    ],
)
def test_refuses_other_inputs(base: ModuleType, element_type: str, shape: list[int]) -> None:
    with pytest.raises(base.ModelContractError, match="must be uint8"):
        base.parse_input("x", element_type, shape)


@pytest.mark.parametrize("text", ["{}", "[]", '["a", "a"]', '["a", 1]', '["", "b"]'])
def test_refuses_labels(base: ModuleType, text: str) -> None:
    with pytest.raises(base.ModelContractError, match="distinct names"):
        base.parse_labels(text)


def test_resizes_as_training_does(base: ModuleType) -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(pixels).resize((24, 16), Image.Resampling.BOX))
    flat = base.build_feed(pixels, base.ImageInput("x", planar=False, height=16, width=24))
    planar = base.build_feed(pixels, base.ImageInput("x", planar=True, height=16, width=24))
    assert np.array_equal(flat, expected[None])
    assert planar.dtype == np.float32
    assert np.allclose(planar[0].transpose(1, 2, 0) * 255, expected)


def test_leaves_an_image_of_the_right_size_alone(base: ModuleType) -> None:
    pixels = np.full((5, 4, 3), 9, dtype=np.uint8)
    image = base.ImageInput("x", planar=False, height=None, width=None)
    assert np.array_equal(base.build_feed(pixels, image)[0], pixels)


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[0.25, 0.75]], [0.25, 0.75]),
        ([[0.0, 0.0]], [0.5, 0.5]),
        ([[1000.0, 0.0]], [1.0, 0.0]),
        ([[-3.0, -3.0]], [0.5, 0.5]),
    ],
)
def test_gives_probabilities(base: ModuleType, scores: list[list[float]], expected: list[float]) -> None:
    found = base.build_probabilities(np.array(scores), 2)
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(("scores", "words"), [([[1.0]], "1 scores for 2"), ([[np.nan, 1.0]], "not numbers")])
def test_refuses_scores(base: ModuleType, scores: list[list[float]], words: str) -> None:
    with pytest.raises(base.ModelContractError, match=words):
        base.build_probabilities(np.array(scores), 2)


def load_model(base: ModuleType, folder: Path, labels: str) -> Any:
    (folder / "1").mkdir()
    (folder / "1" / "model.onnx").write_bytes(build_brightness_model())
    (folder / "1" / "labels.json").write_text(labels)
    model = base.TritonPythonModel()
    model.initialize({"model_repository": str(folder), "model_version": "1"})
    return model


def test_answers_and_isolates_bad_requests(base: ModuleType, tmp_path: Path) -> None:
    utils = base.pb_utils
    model = load_model(base, tmp_path, '["dark", "bright"]')
    good = np.full((SIDE * 2, SIDE, 3), 255, dtype=np.uint8)
    bad = np.full((4, 4), 255, dtype=np.uint8)
    requests = [utils.InferenceRequest([utils.Tensor("image", each)], ["scores"]) for each in (good, bad)]
    answered, refused = model.execute(requests)
    assert utils.get_output_tensor_by_name(answered, "scores").as_numpy()[1] > 0.99
    assert refused.has_error()


def test_a_wrong_number_of_labels_fails_the_load(base: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(base.ModelContractError, match="2 scores for 3 labels"):
        load_model(base, tmp_path, '["a", "b", "c"]')


@pytest.mark.parametrize("version", ["1.26.4", "2.4.6"])
def test_tensors_reach_triton_under_either_numpy(
    base: ModuleType, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    monkeypatch.setattr(np, "__version__", version)
    sent = []
    monkeypatch.setattr(base.pb_utils.Tensor, "from_dlpack", lambda *given: sent.append(given))
    base.render_tensor("scores", np.array([0.5], dtype=np.float32))
    assert bool(sent) == version.startswith("2")
