"""Trains a classifier for photographs of parts and writes it as model.onnx: a SageMaker script-mode script.

SageMaker tells by variables where the channels and the model's folder are, and passes hyperparameters as
arguments. The figures of the validation split are printed as `accuracy=0.98 recall=0.97 precision=0.99`;
recall is the share of damaged parts that are found, damaged being every class but the first.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import blas  # noqa: F401 - has to come before NumPy

# isort: split
import numpy as np
from dataset import DatasetError, Split, check_classes, load_split
from export import ExportError, check_model, write_model
from learning import Labels, Schedule, fit, predict

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHECKED_PICTURES = 2


def main() -> int:
    """Train, measure, export; a failure is one line on stderr and exit code 1."""
    try:
        train(_parse_arguments(), os.environ)
    except (DatasetError, ExportError) as error:
        print(f"train.py: {error}", file=sys.stderr)
        return 1
    return 0


def train(arguments: argparse.Namespace, environment: Mapping[str, str]) -> None:
    """Do all of it; raises DatasetError or ExportError."""
    training, validation = (_load(name, environment) for name in ("train", "validation"))
    check_classes(training)
    print(f"{len(training.labels)} images to train on, {len(validation.labels)} to validate", flush=True)
    classifier = fit(
        training.pictures,
        training.labels,
        schedule=Schedule(epochs=arguments.epochs),
        seed=arguments.seed,
        report=lambda epoch, loss: print(f"epoch {epoch}/{arguments.epochs} loss={loss:.4f}", flush=True),
    )
    path = Path(environment["SM_MODEL_DIR"]) / "model.onnx"
    write_model(classifier, training.names, path)
    check_model(classifier, path, validation.pictures[:_CHECKED_PICTURES])
    figures = measure(predict(classifier, validation.pictures).argmax(axis=1), validation.labels)
    print(" ".join(f"{name}={value:.4f}" for name, value in figures.items()))


def measure(predicted: Labels, actual: Labels) -> dict[str, float]:
    """Return accuracy, recall and precision; a share of nothing counts as 1."""
    found = np.count_nonzero((predicted > 0) & (actual > 0))
    return {
        "accuracy": float(np.mean(predicted == actual)),
        "recall": _share(found, np.count_nonzero(actual)),
        "precision": _share(found, np.count_nonzero(predicted)),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 1.0


def _load(name: str, environment: Mapping[str, str]) -> Split:
    manifests = Path(environment["SM_CHANNEL_MANIFESTS"])
    variable = f"SM_CHANNEL_{name.upper()}"
    if variable not in environment:
        message = f"there is no {name} channel; give the {name} split a share in `transform.split`"
        raise DatasetError(message)
    return load_split(name, manifests=manifests, images=Path(environment[variable]))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a classifier for photographs of parts.")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.epochs < 1:
        parser.error("--epochs must be at least 1")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
