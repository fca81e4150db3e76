"""How right and how fast a model is."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Any

from .model import score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from .model import Session, Signature

WARM_UP, ROUNDS = 5, 60


def accuracy(
    session: Session, signature: Signature, images: Sequence[npt.NDArray[Any]], labels: Sequence[int]
) -> float:
    """Return the share of images whose highest score is their class's, 0 to 1."""
    right = sum(
        int(score(session, signature, image).argmax()) == label
        for image, label in zip(images, labels, strict=True)
    )
    return right / len(labels)


def latencies(
    sessions: Mapping[str, Session], signature: Signature, image: npt.NDArray[Any]
) -> dict[str, float]:
    """Return each model's median milliseconds for one image; they take turns, so that noise hits all."""
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for number in range(WARM_UP + ROUNDS):
        for name, session in sessions.items():
            start = time.perf_counter()
            score(session, signature, image)
            if number >= WARM_UP:
                times[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}
