from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

METADATA = {
    "eventId": "m-1",
    "modelName": "m",
    "modelVersion": "1.0.0",
    "inferenceTime": "2026-01-19T18:25:51",
    "sourceRef": "/results/m/m-1.jpg",
}


def test_writes_the_line(marshal: ModuleType) -> None:
    scores = np.array([0.0625, 0.9375], dtype=np.float32)
    assert json.loads(marshal.render_result(scores, ["normal", "anomaly"], METADATA)) == {
        "deviceGroundTruthData": [
            {
                "source-ref": "/results/m/m-1.jpg",
                "anomaly-label-detected": 1,
                "anomaly-label-detected-metadata": {
                    "class-name": "anomaly",
                    "creation-date": "2026-01-19T18:25:51",
                    "confidence": 0.9375,
                    "type": "groundtruth/image-classification",
                },
            }
        ],
        "eventMetadata": {
            "eventId": "m-1",
            "modelName": "m",
            "modelVersion": "1.0.0",
            "inferenceTime": "2026-01-19T18:25:51",
        },
    }


def test_a_line_is_one_line(marshal: ModuleType) -> None:
    text = marshal.render_result(np.array([1.0]), ["a\nb"], METADATA | {"sourceRef": "/ü\n"})
    assert b"\n" not in text


@pytest.mark.parametrize("text", [b"[]", b"{}", b'{"eventId": 3}', b"not json"])
def test_refuses_metadata(marshal: ModuleType, text: bytes) -> None:
    with pytest.raises((ValueError, TypeError)):
        marshal.parse_metadata(text)


def test_answers_requests(marshal: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "labels.json").write_text('["normal", "anomaly"]')
    model = marshal.TritonPythonModel()
    model.initialize({"model_repository": str(tmp_path), "model_version": "1"})
    utils = marshal.pb_utils
    scores = utils.Tensor("scores", np.array([0.9, 0.1], dtype=np.float32))
    metadata = [json.dumps(METADATA).encode(), b"{}"]
    answered, refused = model.execute(
        [
            utils.InferenceRequest(
                [scores, utils.Tensor("metadata", np.frombuffer(text, dtype=np.uint8))], ["result"]
            )
            for text in metadata
        ]
    )
    result = utils.get_output_tensor_by_name(answered, "result").as_numpy()
    assert json.loads(result.tobytes())["eventMetadata"]["eventId"] == "m-1"
    assert "eventId" in refused.error().message()
