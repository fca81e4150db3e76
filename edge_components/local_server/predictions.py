"""One prediction from end to end: image bytes in, answer out, both files written."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .errors import InferenceError
from .images import decode
from .inference import Answer
from .repository import Generation
from .results import build_event, write_result

CONFIDENCE_DIGITS = 6


class Finder(Protocol):
    """Where models are looked up; `models.Models` is the real one."""

    def find(self, name: str | None) -> Generation:
        """Give the named model, or the only one."""


class Engine(Protocol):
    """What answers; `inference.Inference` is the real one."""

    def run(self, model: str, pixels: npt.NDArray[np.uint8], metadata: Mapping[str, str]) -> Answer:
        """Ask one model about one image."""


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The answer to one image."""

    model: str
    label: str
    index: int
    confidence: float
    scores: Mapping[str, float]
    event_id: str
    latency_ms: float


@dataclass(frozen=True, kw_only=True)
class Predictor:
    """Answers images; `now` gives the time in UTC."""

    models: Finder
    engine: Engine
    results: Path
    now: Callable[[], datetime]

    def predict(self, name: str | None, body: bytes) -> Prediction:
        """Decode, ask the model, write the result, answer."""
        began = time.perf_counter()
        model = self.models.find(name)
        image = decode(body)
        event = build_event(
            self.results,
            model=model.model,
            version=model.version,
            extension=image.extension,
            now=self.now(),
            unique=uuid.uuid4(),
        )
        answer = self.engine.run(model.model, image.pixels, event.metadata)
        scores = parse_scores(answer.scores, model.labels)
        write_result(event, body, answer.line)
        return build_prediction(model.model, scores, event.id, time.perf_counter() - began)


def parse_scores(scores: npt.NDArray[np.float32], labels: tuple[str, ...]) -> dict[str, float]:
    """Give each label its probability; InferenceError where their numbers differ."""
    if scores.size != len(labels):
        message = f"the model gave {scores.size} scores for {len(labels)} labels"
        raise InferenceError(message)
    rounded = (round(float(score), CONFIDENCE_DIGITS) for score in scores)
    return dict(zip(labels, rounded, strict=True))


def build_prediction(model: str, scores: Mapping[str, float], event_id: str, seconds: float) -> Prediction:
    """Take the likeliest label; the first one where several are equally likely."""
    label = max(scores, key=lambda name: scores[name])
    return Prediction(
        model=model,
        label=label,
        index=list(scores).index(label),
        confidence=scores[label],
        scores=scores,
        event_id=event_id,
        latency_ms=round(seconds * 1000, 3),
    )
