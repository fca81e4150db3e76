"""The base model: one image in, one probability a class out; a Triton python-backend `model.py`.

Reads `model.onnx` and `labels.json` beside itself. The ONNX model has one image input, either uint8 NHWC
(it prepares the image itself) or float32 NCHW in 0..1, and its first output holds one score a label.
A real pass at load time proves that both agree, so a wrong model fails its deployment, not its first image.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import triton_python_backend_utils as pb_utils
from PIL import Image

THREADS = 2
UNKNOWN_SIDE = 224  # the trial pass needs some size where the model takes any
SUM_TOLERANCE = 1e-3

Pixels = npt.NDArray[np.uint8]
Scores = npt.NDArray[np.float32]


class ModelContractError(Exception):
    """`model.onnx` or `labels.json` is not what edgepipe's model contract asks for."""


@dataclass(frozen=True)
class ImageInput:
    """The ONNX model's image input; a side is None where the model takes any size."""

    name: str
    planar: bool
    height: int | None
    width: int | None


def parse_input(name: str, element_type: str, shape: list[int | str | None]) -> ImageInput:
    """Read an ONNX input as uint8 NHWC or float32 NCHW; ModelContractError for anything else."""
    sides = [side if isinstance(side, int) and side > 0 else None for side in shape]
    if element_type == "tensor(uint8)" and len(sides) == 4 and sides[3] == 3:
        return ImageInput(name, planar=False, height=sides[1], width=sides[2])
    if element_type == "tensor(float)" and len(sides) == 4 and sides[1] == 3:
        return ImageInput(name, planar=True, height=sides[2], width=sides[3])
    message = (
        f"input {name!r} of model.onnx is {element_type} {shape}; "
        "it must be uint8 [N, H, W, 3] or float32 [N, 3, H, W] with values in 0..1"
    )
    raise ModelContractError(message)


def parse_labels(text: str) -> tuple[str, ...]:
    """Read `labels.json`: a JSON list of distinct names, in the order of the model's scores."""
    labels = json.loads(text)
    names = isinstance(labels, list) and all(isinstance(label, str) and label for label in labels)
    if not names or not labels or len(set(labels)) != len(labels):
        message = f"labels.json must be a JSON list of distinct names, not {text[:80]}"
        raise ModelContractError(message)
    return tuple(labels)


def build_feed(pixels: Pixels, image: ImageInput) -> npt.NDArray[Any]:
    """Resize `[H, W, 3]` RGB bytes as training does (PIL's BOX filter) and lay them out for the model."""
    height, width = image.height or pixels.shape[0], image.width or pixels.shape[1]
    if pixels.shape[:2] != (height, width):
        resized = Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX)
        pixels = np.asarray(resized, dtype=np.uint8)
    if not image.planar:
        return pixels[None]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)


def build_probabilities(scores: npt.NDArray[Any], count: int) -> Scores:
    """Turn `[1, count]` class scores into probabilities; scores that already are ones stay unchanged."""
    flat = np.asarray(scores, dtype=np.float32).reshape(-1)
    if flat.size != count:
        message = f"model.onnx gives {flat.size} scores for {count} labels; both must have the same number"
        raise ModelContractError(message)
    if not np.isfinite(flat).all():
        message = f"model.onnx gave scores that are not numbers: {flat.tolist()}"
        raise ModelContractError(message)
    if flat.min() >= 0 and abs(float(flat.sum()) - 1) <= SUM_TOLERANCE:
        return flat
    exponents = np.exp(flat - flat.max())
    return np.asarray(exponents / exponents.sum(), dtype=np.float32)


def load_session(path: Path) -> onnxruntime.InferenceSession:
    """Open the ONNX model on the CPU; few threads and no spinning, for the device has other work."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class Classifier:
    """`model.onnx` and `labels.json` of one version folder, ready to answer."""

    def __init__(self, folder: Path) -> None:
        self._labels = parse_labels((folder / "labels.json").read_text(encoding="utf-8"))
        self._session = load_session(folder / "model.onnx")
        self._image = self._parse_only_input()
        self._output = self._session.get_outputs()[0].name
        self._try()

    def run(self, pixels: Pixels) -> Scores:
        """Give one probability a label for `[H, W, 3]` RGB bytes."""
        scores = self._session.run([self._output], {self._image.name: build_feed(pixels, self._image)})[0]
        return build_probabilities(scores, len(self._labels))

    def _parse_only_input(self) -> ImageInput:
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            message = f"model.onnx has {len(inputs)} inputs; it must have one, the image"
            raise ModelContractError(message)
        return parse_input(inputs[0].name, inputs[0].type, inputs[0].shape)

    def _try(self) -> None:
        height, width = self._image.height or UNKNOWN_SIDE, self._image.width or UNKNOWN_SIDE
        self.run(np.zeros((height, width, 3), dtype=np.uint8))


def render_tensor(name: str, values: npt.NDArray[Any]) -> Any:  # noqa: ANN401 - Triton's own type is not importable here
    """Wrap an array for Triton; under NumPy 2 its plain constructor sends no bytes, DLPack works."""
    if int(np.__version__.partition(".")[0]) >= 2:
        return pb_utils.Tensor.from_dlpack(name, values)
    return pb_utils.Tensor(name, values)


class TritonPythonModel:
    """What Triton's python backend calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Open the model of this version; an error here fails the load and names the reason."""
        self._classifier = Classifier(Path(args["model_repository"]) / args["model_version"])

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request with `scores`."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:  # noqa: ANN401 - Triton's own type is not importable here
        try:
            pixels = pb_utils.get_input_tensor_by_name(request, "image").as_numpy()
            scores = self._classifier.run(pixels)
        except Exception as error:  # the backend's boundary: others must still be answered
            return pb_utils.InferenceResponse([], pb_utils.TritonError(f"{type(error).__name__}: {error}"))
        return pb_utils.InferenceResponse([render_tensor("scores", scores)])
