from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from edge_components.local_server.errors import InferenceError
from edge_components.local_server.inference import Answer
from edge_components.local_server.predictions import Predictor
from edge_components.local_server.repository import Generation

if TYPE_CHECKING:
    from collections.abc import Mapping


class OneModel:
    def find(self, name: str | None) -> Generation:
        return Generation(
            model=name or "only", version="3", source=Path("/s"), folder=Path("/f"), labels=("a", "b")
        )


class Echo:
    def __init__(self, scores: list[float]) -> None:
        self.scores = np.array(scores, dtype=np.float32)

    def run(self, model: str, pixels: npt.NDArray[np.uint8], metadata: Mapping[str, str]) -> Answer:
        return Answer(
            scores=self.scores, line=json.dumps([model, pixels.shape, metadata["modelVersion"]]).encode()
        )


def make_predictor(results: Path, scores: list[float]) -> Predictor:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Predictor(models=OneModel(), engine=Echo(scores), results=results, now=lambda: now)


@pytest.fixture
def image() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (4, 3)).save(file, "PNG")
    return file.getvalue()


def test_answers_and_writes(tmp_path: Path, image: bytes) -> None:
    prediction = make_predictor(tmp_path, [0.2, 0.8]).predict(None, image)
    assert (prediction.model, prediction.label, prediction.index) == ("only", "b", 1)
    assert prediction.scores == {"a": 0.2, "b": 0.8}
    assert prediction.confidence == 0.8
    line = (tmp_path / "only" / f"{prediction.event_id}.jsonl").read_text()
    assert json.loads(line) == ["only", [3, 4, 3], "3"]


def test_a_tie_takes_the_first_label(tmp_path: Path, image: bytes) -> None:
    assert make_predictor(tmp_path, [0.5, 0.5]).predict("m", image).label == "a"


def test_scores_without_labels_write_nothing(tmp_path: Path, image: bytes) -> None:
    with pytest.raises(InferenceError, match="1 scores for 2 labels"):
        make_predictor(tmp_path, [1.0]).predict("m", image)
    assert list(tmp_path.iterdir()) == []
