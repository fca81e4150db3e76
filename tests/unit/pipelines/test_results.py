"""One line for what each kind of step produced."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines import results
from pipelines.kinds import STEP_KINDS

CANDIDATES = [
    {"name": "fp32", "bytes": 340_000, "latency_ms": 0.6},
    {"name": "int8", "bytes": 90_000, "latency_ms": None},
]
CASES: list[tuple[str, dict[str, Any], str]] = [
    (
        "label",
        {"labels": {"facts": {"count": 63, "labels": ["normal", "anomaly"]}}},
        "63 images labelled normal, anomaly",
    ),
    (
        "transform",
        {"manifest": {"facts": {"splits": {"train": {"count": 41}, "test": {"count": 9}}}}},
        "train 41, test 9",
    ),
    ("train", {"metrics": {"recall": 0.98765}}, "recall 0.988"),
    (
        "compile",
        {
            "compiled_model": {"x86_64-cpu": {"facts": {"chosen": "fp32", "candidates": CANDIDATES}}},
            "failed": {"arm64-cpu": {"error": "JobFailedError"}},
        },
        "x86_64-cpu fp32 340 kB 0.60 ms, arm64-cpu failed",
    ),
    ("package", {"package": {"x86_64-cpu": {"facts": {"size": 1_200_000}}}}, "x86_64-cpu 1.2 MB"),
    (
        "publish",
        {"component": {"facts": {"name": "com.example.x", "version": "1.0.0"}}},
        "com.example.x 1.0.0",
    ),
    (
        "deploy",
        {"deployment": {"facts": {"devices": {"line-3": {"status": "SUCCEEDED"}}}}},
        "line-3 SUCCEEDED",
    ),
    ("approve", {"approval": {"by": "mira", "comment": ""}}, "by mira"),
]


@pytest.mark.parametrize(("kind", "outputs", "line"), CASES, ids=[case[0] for case in CASES])
def test_line(kind: str, outputs: dict[str, Any], line: str) -> None:
    assert results.describe(kind, outputs) == line


def test_every_kind_has_a_case_here() -> None:
    assert {case[0] for case in CASES} >= {kind for kind in STEP_KINDS if kind in results.LINES}


def test_an_unknown_kind_names_its_outputs() -> None:
    assert results.describe("custom", {"report": {}, "score": 1}) == "report, score"


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (137_000, "137 kB"), (4.2e9, "4.2 GB")]
)
def test_size(count: float, text: str) -> None:
    assert results.size(count) == text


def test_gate_shows_each_figure_with_its_threshold() -> None:
    rows = [{"metric": "recall", "op": ">=", "threshold": 0.9, "value": 0.98, "passed": True}]
    assert results.gate(rows) == "recall 0.980 >= 0.9"


def test_an_output_without_the_facts_is_named() -> None:
    assert results.describe("label", {"labels": {"facts": {}}}) == "labels"
