"""How the classifier learns: varied pictures, the loss, Adam under a one-cycle rate.

Nothing here reads the clock or the environment: the same pictures and seed give the same classifier.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from network import Array, Classifier, Parameter
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Pictures = NDArray[np.uint8]
"""`[count, height, width, 3]`, RGB."""
Labels = NDArray[np.int64]
"""`[count]`, the index of each picture's class."""

SIDE = 128
"""Pictures are scaled to squares of this many pixels."""
MEAN, DEVIATION = 0.5, 0.25
"""Pictures in 0..1 are normalised with these; the exported model does the same."""
SHIFT = 8
"""How far a picture is moved at most, in pixels."""
_SMOOTHING = 0.05
"""Share of the target that all classes divide, so that no single picture pulls too hard."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how boldly to learn."""

    epochs: int
    batch: int = 8
    peak_rate: float = 4e-3
    least_per_epoch: int = 320
    """A small set is seen several times an epoch, varied anew each time, up to so many pictures."""

    def steps_per_epoch(self, count: int) -> int:
        """Batches in one epoch over `count` pictures."""
        return max(count, self.least_per_epoch) // self.batch


def fit(
    pictures: Pictures,
    labels: Labels,
    *,
    schedule: Schedule,
    seed: int,
    report: Callable[[int, float], None],
) -> Classifier:
    """Train a classifier; `report(epoch, mean loss)` is called after each epoch, counted from 1."""
    classes = int(labels.max()) + 1
    classifier = Classifier(classes, seed=seed)
    rng = np.random.default_rng(seed)
    steps = schedule.steps_per_epoch(len(pictures))
    optimiser = _Adam(classifier.parameters, total=steps * schedule.epochs, peak=schedule.peak_rate)
    batches = _batches(rng, labels, schedule.batch)
    for epoch in range(1, schedule.epochs + 1):
        loss = 0.0
        for _ in range(steps):
            chosen = next(batches)
            logits = classifier.forward(vary(rng, pictures[chosen]), training=True)
            batch_loss, gradient = cross_entropy(logits, labels[chosen])
            classifier.backward(gradient)
            optimiser.step()
            loss += batch_loss / steps
        report(epoch, loss)
    return classifier


def predict(classifier: Classifier, pictures: Pictures, *, batch: int = 32) -> Array:
    """Return the scores of each class, `[count, classes]`, each row summing to 1."""
    parts = [
        _softmax(classifier.forward(normalise(pictures[start : start + batch])))
        for start in range(0, len(pictures), batch)
    ]
    return np.concatenate(parts)


def normalise(pictures: Pictures, gain: ArrayLike = 1, offset: ArrayLike = 0) -> Array:
    """Turn bytes into the float32 values that the classifier takes, made `gain` times as large plus `offset`.

    Gain and offset are `[batch or 1, channels or 1]`.
    """
    batch, height, width, channels = pictures.shape
    factors = np.broadcast_to(np.asarray(gain, np.float32), (batch, channels))
    offsets = np.asarray(offset, np.float32) - factors * np.float32(MEAN / DEVIATION)
    # Whole rows at once: this is done for every picture of every epoch, and loops over 3 channels are slow.
    rows = pictures.reshape(batch, height, width * channels)
    values = rows * np.tile(factors / np.float32(255 * DEVIATION), width)[:, None]
    values += np.tile(np.broadcast_to(offsets, (batch, channels)), width)[:, None]
    return values.reshape(pictures.shape)


def cross_entropy(logits: Array, labels: Labels) -> tuple[float, Array]:
    """Return the mean loss with smoothed targets, and its gradient with respect to the logits."""
    scores = _softmax(logits)
    target = np.full_like(scores, _SMOOTHING / scores.shape[1])
    target[np.arange(len(labels)), labels] += 1 - _SMOOTHING
    loss = -float((target * np.log(scores + 1e-9)).sum()) / len(labels)
    return loss, (scores - target) / np.float32(len(labels))


def vary(rng: np.random.Generator, pictures: Pictures) -> Array:
    """Turn, mirror, shift and relight each picture at random: none of that makes a part good or bad.

    The result is normalised. The mirrored border that a shift brings in looks like more of the tray.
    """
    border = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
    framed = np.pad(pictures, border, mode="reflect")
    moved = np.stack([_move(rng, picture, pictures.shape[1]) for picture in framed])
    gain = rng.uniform(0.8, 1.2, (len(framed), 1)) * rng.uniform(0.95, 1.05, (len(framed), 3))
    offset = rng.uniform(-0.25, 0.25, (len(framed), 1))
    return normalise(moved, gain, offset)


def _move(rng: np.random.Generator, framed: Pictures, side: int) -> Pictures:
    top, left = rng.integers(0, 2 * SHIFT + 1, size=2)
    turned = np.rot90(framed[top : top + side, left : left + side], rng.integers(4))
    return turned[:, ::-1] if rng.random() < 0.5 else turned


def _batches(rng: np.random.Generator, labels: Labels, size: int) -> Iterator[NDArray[np.int64]]:
    """Draw batches for ever, each class as often as the others, every picture once before any comes again."""
    classes = [np.flatnonzero(labels == label) for label in range(int(labels.max()) + 1)]
    decks = [_deck(rng, members) for members in classes]
    turn = 0
    while True:
        yield np.array([next(decks[(turn + place) % len(decks)]) for place in range(size)])
        turn += size


def _deck(rng: np.random.Generator, members: NDArray[np.int64]) -> Iterator[int]:
    while True:
        yield from (int(member) for member in rng.permutation(members))


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    scores: Array = powers / powers.sum(axis=1, keepdims=True)
    return scores


class _Adam:
    """Adam with weight decay; the rate rises for 30 % of the steps, then falls along a cosine to zero."""

    def __init__(self, parameters: list[Parameter], *, total: int, peak: float) -> None:
        self.parameters = parameters
        self.total, self.peak, self.taken = total, peak, 0
        self.means = [np.zeros_like(parameter.value) for parameter in parameters]
        self.squares = [np.zeros_like(parameter.value) for parameter in parameters]

    def step(self) -> None:
        """Move every parameter against its gradient."""
        rate = self.peak * _one_cycle(self.taken / self.total)
        self.taken += 1
        mean_bias, square_bias = 1 - 0.9**self.taken, 1 - 0.99**self.taken
        for parameter, mean, square in zip(self.parameters, self.means, self.squares, strict=True):
            np.add(mean, 0.1 * (parameter.gradient - mean), out=mean)
            np.add(square, 0.01 * (parameter.gradient**2 - square), out=square)
            if parameter.decays:
                parameter.value *= 1 - rate * 0.01
            parameter.value -= rate / mean_bias * mean / (np.sqrt(square / square_bias) + 1e-8)


def _one_cycle(share: float) -> float:
    """The rate as a share of its peak when `share` of the steps is done."""
    if share < 0.3:
        return share / 0.3
    return 0.5 * (1 + math.cos(math.pi * (share - 0.3) / 0.7))
