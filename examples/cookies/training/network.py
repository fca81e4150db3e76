"""A small convolutional classifier in NumPy: what a framework would do, in the open.

Pictures are `[batch, height, width, channels]` float32. A convolution is one matrix product over the
patches of its input (im2col), so nearly all of the time is spent in BLAS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float32]

EPSILON = 1e-5
"""Added to a variance before its root is taken."""
_MOMENTUM = 0.1


@dataclass(frozen=True, kw_only=True)
class BlockShape:
    """One block's measures: output channels, kernel side, stride."""

    channels: int
    kernel: int
    stride: int


SHAPES = (
    BlockShape(channels=16, kernel=7, stride=4),
    BlockShape(channels=32, kernel=3, stride=2),
    BlockShape(channels=48, kernel=3, stride=2),
    BlockShape(channels=48, kernel=3, stride=1),
    BlockShape(channels=48, kernel=3, stride=1),
    BlockShape(channels=48, kernel=3, stride=1),
)
"""The default classifier: cheap wide steps first, then depth, so that a spot sees half of the picture."""


@dataclass(kw_only=True)
class Parameter:
    """Something that is learnt, and the gradient of the loss with respect to it."""

    value: Array
    gradient: Array
    decays: bool = False
    """Whether weight decay applies: to weights, not to offsets and scales."""


def _parameter(value: ArrayLike, *, decays: bool = False) -> Parameter:
    cast = np.array(value, np.float32)
    return Parameter(value=cast, gradient=np.zeros_like(cast), decays=decays)


class ConvBlock:
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, rng: np.random.Generator, inputs: int, shape: BlockShape) -> None:
        """Start from He's random weights: variance 2 / inputs of one output."""
        self.shape = shape
        self.inputs = inputs
        patch = shape.kernel**2 * inputs
        weight = rng.normal(size=(patch, shape.channels)) * np.sqrt(2 / patch)
        self.weight = _parameter(weight, decays=True)
        self.scale = _parameter(np.ones(shape.channels))
        self.shift = _parameter(np.zeros(shape.channels))
        self.mean = np.zeros(shape.channels, np.float32)
        self.variance = np.ones(shape.channels, np.float32)

    @property
    def parameters(self) -> list[Parameter]:
        """What is learnt, always in the same order."""
        return [self.weight, self.scale, self.shift]

    def forward(self, pictures: Array, *, training: bool) -> Array:
        """Return the features; while training, keep what `backward` needs and follow the statistics."""
        patches, grid = self._patches(pictures)
        features = patches @ self.weight.value
        mean, variance = self._statistics(features) if training else (self.mean, self.variance)
        deviation = 1 / np.sqrt(variance + EPSILON)
        features -= mean
        features *= deviation
        output = features * self.scale.value
        output += self.shift.value
        np.maximum(output, 0, out=output)
        if training:
            self._kept = (patches, features, output > 0, deviation, pictures.shape, grid)
        return output.reshape(*grid, self.shape.channels)

    def backward(self, gradient: Array, *, wants_input: bool = True) -> Array | None:
        """Fill the parameters' gradients; return the gradient of the input unless nobody wants it."""
        patches, features, positive, deviation, shape, grid = self._kept
        gradient = gradient.reshape(-1, self.shape.channels) * positive
        rows = len(gradient)
        self.shift.gradient = gradient.sum(axis=0)
        self.scale.gradient = np.einsum("ij,ij->j", gradient, features)
        gradient -= self.shift.gradient / rows
        gradient -= features * (self.scale.gradient / rows)
        gradient *= self.scale.value * deviation
        self.weight.gradient = patches.T @ gradient
        return self._unfold(gradient @ self.weight.value.T, shape, grid) if wants_input else None

    def folded(self) -> tuple[Array, Array]:
        """The convolution alone that answers as the trained block does: weight `[k, k, in, out]`, bias."""
        factor = self.scale.value / np.sqrt(self.variance + EPSILON)
        side = self.shape.kernel
        weight = (self.weight.value * factor).reshape(side, side, self.inputs, self.shape.channels)
        return weight, self.shift.value - self.mean * factor

    def _statistics(self, features: Array) -> tuple[Array, Array]:
        mean = features.mean(axis=0)
        variance = np.einsum("ij,ij->j", features, features) / len(features) - mean**2
        self.mean += _MOMENTUM * (mean - self.mean)
        self.variance += _MOMENTUM * (variance - self.variance)
        return mean, np.maximum(variance, 0)

    def _patches(self, pictures: Array) -> tuple[Array, tuple[int, int, int]]:
        """Lay out each output position's input patch as a row; also return (batch, height, width)."""
        side, step, margin = self.shape.kernel, self.shape.stride, self.shape.kernel // 2
        padded = np.pad(pictures, ((0, 0), (margin, margin), (margin, margin), (0, 0)))
        # The stubs know no window over several axes.
        view: Any = np.lib.stride_tricks.sliding_window_view
        windows = view(padded, (side, side), axis=(1, 2))[:, ::step, ::step].transpose(0, 1, 2, 4, 5, 3)
        batch, height, width = windows.shape[:3]
        return windows.reshape(batch * height * width, -1), (batch, height, width)

    def _unfold(self, gradient: Array, shape: tuple[int, ...], grid: tuple[int, int, int]) -> Array:
        """Add the patches' gradients up where patches overlap: `_patches` reversed."""
        side, step, margin = self.shape.kernel, self.shape.stride, self.shape.kernel // 2
        batch, rows, columns, channels = shape
        patches = gradient.reshape(*grid, side, side, channels)
        padded = np.zeros((batch, rows + 2 * margin, columns + 2 * margin, channels), np.float32)
        for down in range(side):
            for right in range(side):
                target = padded[:, down : down + step * grid[1] : step, right : right + step * grid[2] : step]
                target += patches[:, :, :, down, right]
        return padded[:, margin : margin + rows, margin : margin + columns]


class Classifier:
    """Blocks, then the mean and the maximum of each feature over the picture, then one linear layer.

    The maximum lets one small damaged spot decide; the mean sees the whole.
    """

    def __init__(self, classes: int, *, seed: int, shapes: tuple[BlockShape, ...] = SHAPES) -> None:
        """Make an untrained classifier; the same seed gives the same one."""
        rng = np.random.default_rng(seed)
        self.blocks: list[ConvBlock] = []
        channels = 3
        for shape in shapes:
            self.blocks.append(ConvBlock(rng, channels, shape))
            channels = shape.channels
        self.weight = _parameter(rng.normal(size=(2 * channels, classes)) * 0.05, decays=True)
        self.bias = _parameter(np.zeros(classes))

    @property
    def parameters(self) -> list[Parameter]:
        """Everything that is learnt, always in the same order."""
        learnt = [parameter for block in self.blocks for parameter in block.parameters]
        return [*learnt, self.weight, self.bias]

    def forward(self, pictures: Array, *, training: bool = False) -> Array:
        """Return one logit a class, `[batch, classes]`, for normalised pictures."""
        features = pictures
        for block in self.blocks:
            features = block.forward(features, training=training)
        spots = features.reshape(len(features), -1, features.shape[-1])
        peaks = spots.argmax(axis=1)
        highest = np.take_along_axis(spots, peaks[:, None], axis=1)[:, 0]
        pooled = np.concatenate([spots.mean(axis=1), highest], axis=1)
        if training:
            self._kept = (pooled, peaks, features.shape)
        logits: Array = pooled @ self.weight.value + self.bias.value
        return logits

    def backward(self, gradient: Array) -> None:
        """Fill every parameter's gradient from that of the logits."""
        pooled, peaks, shape = self._kept
        self.weight.gradient = pooled.T @ gradient
        self.bias.gradient = gradient.sum(axis=0)
        inward: Array | None = self._unpool(gradient @ self.weight.value.T, peaks, shape)
        for block in reversed(self.blocks):
            if inward is not None:
                inward = block.backward(inward, wants_input=block is not self.blocks[0])

    @staticmethod
    def _unpool(gradient: Array, peaks: NDArray[np.intp], shape: tuple[int, ...]) -> Array:
        """Spread the mean's gradient over all spots and give the maximum's to its spot."""
        channels = shape[-1]
        spots = shape[1] * shape[2]
        spread = np.repeat(gradient[:, None, :channels] / spots, spots, axis=1)
        batch = np.arange(len(gradient))[:, None]
        spread[batch, peaks, np.arange(channels)] += gradient[:, channels:]
        return spread.reshape(shape)
