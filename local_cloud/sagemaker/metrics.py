"""Figures that a training script prints, found as SageMaker finds them: by expression, line by line."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from local_cloud.sagemaker.requests import Metric

_LONGEST_LINE = 4096
"""A longer line is cut: expressions come from the request, and some take time that grows with the line."""


def parse_metrics(metrics: Sequence[Metric], lines: Iterable[str]) -> dict[str, float]:
    """Return each metric's last value; a metric that no line holds as a finite number is left out."""
    values: dict[str, float] = {}
    for line in lines:
        for metric in metrics:
            for match in metric.pattern.finditer(line[:_LONGEST_LINE]):
                value = _number(match[1])
                if value is not None:
                    values[metric.name] = value
    return values


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
