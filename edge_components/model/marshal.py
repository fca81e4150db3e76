"""The marshal model: scores and metadata in, the result's JSON line out; a Triton python-backend `model.py`.

The line has the form that inference uploaders and retraining read: `deviceGroundTruthData` holds one object
in Ground Truth's style, `eventMetadata` says which model saw the image and when (UTC).
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import triton_python_backend_utils as pb_utils

EVENT_KEYS = ("eventId", "modelName", "modelVersion", "inferenceTime")
CONFIDENCE_DIGITS = 6


def parse_metadata(text: bytes) -> dict[str, str]:
    """Read the request's metadata; ValueError names the keys that are missing or not text."""
    metadata = json.loads(text)
    if not isinstance(metadata, dict):
        message = "metadata must be a JSON object"
        raise TypeError(message)
    wrong = [key for key in (*EVENT_KEYS, "sourceRef") if not isinstance(metadata.get(key), str)]
    if wrong:
        message = f"metadata needs text under {', '.join(wrong)}"
        raise ValueError(message)
    return metadata


def render_result(scores: npt.NDArray[np.float32], labels: list[str], metadata: dict[str, str]) -> bytes:
    """Write the result as one line of JSON, without the newline."""
    index = int(scores.argmax())
    truth = {
        "source-ref": metadata["sourceRef"],
        "anomaly-label-detected": index,
        "anomaly-label-detected-metadata": {
            "class-name": labels[index],
            "creation-date": metadata["inferenceTime"],
            "confidence": round(float(scores[index]), CONFIDENCE_DIGITS),
            "type": "groundtruth/image-classification",
        },
    }
    event = {key: metadata[key] for key in EVENT_KEYS}
    return json.dumps({"deviceGroundTruthData": [truth], "eventMetadata": event}).encode()


def render_tensor(name: str, values: npt.NDArray[Any]) -> Any:  # noqa: ANN401 - Triton's own type is not importable here
    """Wrap an array for Triton; under NumPy 2 its plain constructor sends no bytes, DLPack works."""
    if int(np.__version__.partition(".")[0]) >= 2:
        return pb_utils.Tensor.from_dlpack(name, values)
    return pb_utils.Tensor(name, values)


class TritonPythonModel:
    """What Triton's python backend calls."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read the labels of this version."""
        folder = Path(args["model_repository"]) / args["model_version"]
        self._labels: list[str] = json.loads((folder / "labels.json").read_text(encoding="utf-8"))

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request with `result`."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:  # noqa: ANN401 - Triton's own type is not importable here
        try:
            scores = pb_utils.get_input_tensor_by_name(request, "scores").as_numpy()
            metadata = pb_utils.get_input_tensor_by_name(request, "metadata").as_numpy()
            line = render_result(scores, self._labels, parse_metadata(metadata.tobytes()))
        except Exception as error:  # the backend's boundary: others must still be answered
            return pb_utils.InferenceResponse([], pb_utils.TritonError(f"{type(error).__name__}: {error}"))
        result = np.frombuffer(line, dtype=np.uint8).copy()  # DLPack refuses read-only memory
        return pb_utils.InferenceResponse([render_tensor("result", result)])
