"""The images to calibrate with and to measure on, prepared as the device prepares them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import OptimizeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy.typing as npt

    from .model import Signature


@dataclass(frozen=True, kw_only=True)
class Example:
    """An image on this machine and the number of its class."""

    path: Path
    label: int


def read_examples(inputs: Path, split: str) -> list[Example]:
    """Return a split's examples in the manifest's order; none when the job was given no such split."""
    manifest = inputs / "manifests" / f"{split}.jsonl"
    folder = inputs / split
    if not manifest.is_file() or not folder.is_dir():
        return []
    rows = (json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip())
    return [Example(path=folder / _key(row["source-ref"]), label=int(row["anomaly-label"])) for row in rows]


def spread(examples: list[Example], count: int) -> list[Example]:
    """Return at most `count` examples, evenly spread over the list: the same ones each time."""
    step = max(1, len(examples) / count)
    return [examples[int(index * step)] for index in range(min(count, len(examples)))]


def load_images(examples: list[Example], signature: Signature) -> Iterator[npt.NDArray[Any]]:
    """Yield each image as the model takes it: uint8 [H,W,3], or float32 [3,H,W] from 0 to 1."""
    return (_load(example.path, signature) for example in examples)


def _load(path: Path, signature: Signature) -> npt.NDArray[Any]:
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image).convert("RGB")
            small = upright.resize((signature.width, signature.height), Image.Resampling.BOX)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        message = f"the image {path.name} cannot be read: {error}"
        raise OptimizeError(message) from error
    pixels = np.asarray(small, dtype=np.uint8)
    if signature.layout == "NHWC":
        return pixels
    return (pixels.astype(np.float32) / 255).transpose(2, 0, 1)


def _key(uri: str) -> str:
    """Return an address's key as it stands: S3 keys may hold what a URL would escape."""
    return uri.removeprefix("s3://").partition("/")[2]
