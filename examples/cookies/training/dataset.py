"""Reads what the transform step prepared: manifests of JSON lines, and images where SageMaker put them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from learning import SIDE, Labels, Pictures
from PIL import Image, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from pathlib import Path


class DatasetError(Exception):
    """The data cannot be learnt from; the message says what to change."""


@dataclass(frozen=True, kw_only=True)
class Split:
    """The pictures of one split, scaled, with their classes."""

    pictures: Pictures
    labels: Labels
    names: tuple[str, ...]
    """The classes in the order of their numbers, as far as this split has them."""


def load_split(name: str, *, manifests: Path, images: Path) -> Split:
    """Return the pictures that `manifests/<name>.jsonl` lists; raises DatasetError."""
    rows = _read_rows(manifests / f"{name}.jsonl")
    if not rows:
        message = f"the {name} split is empty; give it a larger share in `transform.split` or add images"
        raise DatasetError(message)
    pictures = [_read_picture(str(row["source-ref"]), images) for row in rows]
    labels = [int(row["anomaly-label"]) for row in rows]
    known = {int(row["anomaly-label"]): str(row["anomaly-label-metadata"]["class-name"]) for row in rows}
    names = tuple(known.get(number, f"class {number}") for number in range(max(labels) + 1))
    return Split(pictures=np.stack(pictures), labels=np.array(labels, np.int64), names=names)


def check_classes(split: Split) -> None:
    """Raise DatasetError unless there is something to tell apart."""
    counts = np.bincount(split.labels)
    if len(counts) < 2 or not counts.all():
        found = ", ".join(f"{name}: {count}" for name, count in zip(split.names, counts, strict=True))
        message = f"every class needs images to learn from, found {found}; add images of the other class"
        raise DatasetError(message)


def scale(image: Image.Image) -> Pictures:
    """Return an image as the model takes it: upright RGB, SIDE x SIDE, by the filter that devices use."""
    upright = ImageOps.exif_transpose(image).convert("RGB")
    return np.asarray(upright.resize((SIDE, SIDE), Image.Resampling.BOX))


def _read_rows(manifest: Path) -> list[dict[str, Any]]:
    if not manifest.is_file():
        message = f"{manifest.name} is not among the manifests; run the transform step first"
        raise DatasetError(message)
    return [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]


def _read_picture(source: str, images: Path) -> Pictures:
    key = source.removeprefix("s3://").partition("/")[2]
    try:
        with Image.open(images / key) as image:
            return scale(image)
    except FileNotFoundError as error:
        message = f"{source} is in the manifest but was not downloaded to {images}"
        raise DatasetError(message) from error
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        message = f"{source} is not an image that can be read ({error}); replace it or remove it"
        raise DatasetError(message) from error
