from __future__ import annotations

import re

from local_cloud.sagemaker.metrics import parse_metrics
from local_cloud.sagemaker.requests import Metric

METRICS = (
    Metric(name="accuracy", pattern=re.compile(r"(?:^|[\s,;])accuracy\s*[=:]\s*([0-9.eE+-]+)")),
    Metric(name="loss", pattern=re.compile(r"loss=(\S+)")),
)


def test_the_last_number_counts() -> None:
    lines = ["accuracy=0.5 loss=2", "val_accuracy=0.9", "accuracy: 9.1e-1, loss=1.25"]
    assert parse_metrics(METRICS, lines) == {"accuracy": 0.91, "loss": 1.25}


def test_what_is_no_finite_number_is_left_out() -> None:
    assert parse_metrics(METRICS, ["accuracy=e+-", "loss=nan", "loss=inf", "loss=low"]) == {}


def test_a_very_long_line_is_only_read_at_its_beginning() -> None:
    assert parse_metrics(METRICS, ["loss=1 " + "x" * 10_000 + " loss=2"]) == {"loss": 1.0}
