"""What the job is asked for and where SageMaker put things.

Folders: docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
"""

from __future__ import annotations

import argparse
import json
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import OptimizeError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ARCHITECTURES = {"x86_64-cpu": ("x86_64", "amd64"), "arm64-cpu": ("aarch64", "arm64")}
"""Target → what `platform.machine()` says on such a machine."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One call of the program."""

    target: str
    labels: tuple[str, ...]
    max_accuracy_loss: float
    base: Path

    @property
    def native(self) -> bool:
        """Return whether this machine is of the target's architecture, so that latency means something."""
        return platform.machine().lower() in ARCHITECTURES[self.target]

    @property
    def inputs(self) -> Path:
        """Return the folder that holds one folder for each ProcessingInput."""
        return self.base / "processing" / "input"

    @property
    def output(self) -> Path:
        """Return the folder that is uploaded when the program succeeds."""
        return self.base / "processing" / "output"

    @property
    def exit_message(self) -> Path:
        """Return the file whose first kilobyte becomes the job's ExitMessage."""
        return self.base / "output" / "message"


def parse_settings(argv: Sequence[str], environ: Mapping[str, str]) -> Settings:
    """Return the settings; raises OptimizeError for labels that are no list of texts."""
    parser = argparse.ArgumentParser(prog="optimize", description=__doc__)
    parser.add_argument("--target", required=True, choices=sorted(ARCHITECTURES))
    parser.add_argument("--labels", required=True, help="the classes in the order of the scores, a JSON list")
    parser.add_argument("--max-accuracy-loss", type=float, default=0.01)
    args = parser.parse_args(argv)
    return Settings(
        target=args.target,
        labels=_parse_labels(args.labels),
        max_accuracy_loss=args.max_accuracy_loss,
        base=Path(environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")),
    )


def _parse_labels(text: str) -> tuple[str, ...]:
    try:
        labels = json.loads(text)
    except ValueError:
        labels = None
    if not isinstance(labels, list) or not labels or not all(isinstance(label, str) for label in labels):
        message = f"--labels takes a JSON list of class names, not {text!r}"
        raise OptimizeError(message)
    return tuple(labels)
