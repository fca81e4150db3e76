from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.unit.examples.programs import load

network = load("network")
learning = load("learning")

SHAPES = (
    network.BlockShape(channels=4, kernel=5, stride=2),
    network.BlockShape(channels=6, kernel=3, stride=1),
    network.BlockShape(channels=5, kernel=3, stride=2),
)
LABELS = np.array([0, 1, 1, 0])


def in_float64() -> Any:
    """A small classifier at a precision that differences can be taken in."""
    classifier = network.Classifier(2, seed=3, shapes=SHAPES)
    for parameter in classifier.parameters:
        parameter.value = parameter.value.astype(np.float64)
    return classifier


def test_gradients_agree_with_differences() -> None:
    classifier, pictures = in_float64(), np.random.default_rng(0).normal(size=(4, 11, 12, 3))

    def loss() -> float:
        return float(learning.cross_entropy(classifier.forward(pictures, training=True), LABELS)[0])

    _, gradient = learning.cross_entropy(classifier.forward(pictures, training=True), LABELS)
    classifier.backward(gradient)
    gradients = [parameter.gradient.copy() for parameter in classifier.parameters]
    rng = np.random.default_rng(1)
    step = 1e-5
    for parameter, computed in zip(classifier.parameters, gradients, strict=True):
        for _ in range(4):
            place = tuple(rng.integers(size) for size in parameter.value.shape)
            before = parameter.value[place]
            parameter.value[place] = before + step
            above = loss()
            parameter.value[place] = before - step
            below = loss()
            parameter.value[place] = before
            assert computed[place] == pytest.approx((above - below) / (2 * step), rel=1e-3, abs=1e-6)


def test_a_convolution_is_the_sum_over_its_window() -> None:
    rng = np.random.default_rng(2)
    block = network.ConvBlock(rng, 2, network.BlockShape(channels=3, kernel=3, stride=2))
    pictures = rng.normal(size=(1, 5, 5, 2)).astype(np.float32)
    weight, bias = block.folded()
    window = pictures[0, 1:4, 1:4]
    expected = np.maximum(np.einsum("hwi,hwio->o", window, weight) + bias, 0)
    np.testing.assert_allclose(
        block.forward(pictures, training=False)[0, 1, 1], expected, rtol=1e-4, atol=1e-5
    )


def test_training_normalises_each_channel_and_follows_its_statistics() -> None:
    rng = np.random.default_rng(2)
    block = network.ConvBlock(rng, 3, network.BlockShape(channels=4, kernel=3, stride=1))
    pictures = rng.normal(3, 2, size=(6, 8, 8, 3)).astype(np.float32)
    for _ in range(200):
        block.forward(pictures, training=True)
    trained = block.forward(pictures, training=True)
    np.testing.assert_allclose(block.forward(pictures, training=False), trained, rtol=1e-3, atol=1e-3)


def test_the_same_seed_makes_the_same_classifier() -> None:
    first, second, other = (network.Classifier(2, seed=seed).parameters for seed in (1, 1, 2))
    assert all(np.array_equal(a.value, b.value) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0].value, other[0].value)
