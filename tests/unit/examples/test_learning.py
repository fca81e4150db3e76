from __future__ import annotations

import numpy as np
import pytest

from tests.unit.examples.programs import load

learning = load("learning")


def spots(count: int, side: int = 32) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg] # test data
    """Grey pictures, every second with a bright spot somewhere."""
    rng = np.random.default_rng(4)
    pictures = rng.integers(90, 130, (count, side, side, 3)).astype(np.uint8)
    labels = np.arange(count) % 2
    for picture, label in zip(pictures, labels, strict=True):
        top, left = rng.integers(0, side - 8, size=2)
        if label:
            picture[top : top + 8, left : left + 8] = 230
    return pictures, labels


def test_it_learns_to_find_a_spot_and_does_so_again() -> None:
    pictures, labels = spots(40)
    schedule = learning.Schedule(epochs=4, least_per_epoch=160)
    losses: list[tuple[int, float]] = []
    classifier = learning.fit(
        pictures, labels, schedule=schedule, seed=0, report=lambda *figures: losses.append(figures)
    )
    assert [epoch for epoch, _ in losses] == [1, 2, 3, 4]
    assert losses[-1][1] < losses[0][1]
    scores = learning.predict(classifier, pictures)
    assert np.mean(scores.argmax(axis=1) == labels) >= 0.95
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)
    again = learning.fit(pictures, labels, schedule=schedule, seed=0, report=lambda *_: None)
    assert np.array_equal(scores, learning.predict(again, pictures))


@pytest.mark.parametrize(("count", "steps"), [(5, 40), (320, 40), (640, 80)])
def test_a_small_set_is_seen_several_times_an_epoch(count: int, steps: int) -> None:
    assert learning.Schedule(epochs=1).steps_per_epoch(count) == steps


def test_varied_pictures_keep_their_size_and_differ() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3)).astype(np.uint8)
    first, second = (learning.vary(np.random.default_rng(seed), pictures) for seed in (0, 1))
    assert first.shape == pictures.shape
    assert first.dtype == np.float32
    assert not np.allclose(first, second)
    assert np.array_equal(first, learning.vary(np.random.default_rng(0), pictures))


def test_normalising_scales_bytes_and_applies_gain_and_offset() -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (2, 4, 5, 3)).astype(np.uint8)
    gain, offset = np.array([[1, 2, 3], [0.5, 1, 1]]), np.array([[0.1], [-0.2]])
    plain = (pictures / 255 - 0.5) / 0.25
    np.testing.assert_allclose(learning.normalise(pictures), plain, atol=1e-5)
    expected = plain * gain[:, None, None] + offset[:, None, None]
    np.testing.assert_allclose(learning.normalise(pictures, gain, offset), expected, atol=1e-5)


def test_both_classes_come_equally_often_however_rare_one_is() -> None:
    labels = np.array([0] * 30 + [1] * 3)
    batches = learning._batches(np.random.default_rng(0), labels, 8)
    drawn = np.concatenate([next(batches) for _ in range(15)])
    assert np.bincount(labels[drawn]).tolist() == [60, 60]
    assert set(drawn) == set(range(33))


def test_the_rate_rises_then_falls_to_nothing() -> None:
    rates = [learning._one_cycle(share) for share in (0, 0.15, 0.3, 0.65, 1)]
    assert rates == pytest.approx([0, 0.5, 1, 0.5, 0])
