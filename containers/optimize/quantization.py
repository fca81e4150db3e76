"""Static INT8 quantisation with calibration images, as QDQ nodes that every ONNX Runtime understands.

Facts: onnxruntime.ai/docs/performance/model-optimizations/quantization.html
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy.typing as npt

    from .model import Signature


def quantize(source: Path, target: Path, signature: Signature, images: Iterable[npt.NDArray[Any]]) -> None:
    """Write an INT8 copy: weights per channel, activations by the ranges that the images show."""
    logging.getLogger().setLevel(logging.ERROR)  # the library warns about its own default every time
    prepared = target.with_name("prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(target),
        _Images(images, signature.input),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )
    prepared.unlink()


class _Images(CalibrationDataReader):  # type: ignore[misc] # onnxruntime is untyped
    """Feeds images one by one, under the name that the library asks for."""

    def __init__(self, images: Iterable[npt.NDArray[Any]], name: str) -> None:
        self._images: Iterator[npt.NDArray[Any]] = iter(images)
        self._name = name

    def get_next(self) -> dict[str, npt.NDArray[Any]] | None:
        """Return the next input, None after the last."""
        image = next(self._images, None)
        return None if image is None else {self._name: image[np.newaxis]}
