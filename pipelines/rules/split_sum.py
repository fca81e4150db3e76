"""P032: the parts of a split sum to 1."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic

if TYPE_CHECKING:
    from pipelines.rules.subject import Subject

CODE = "P032"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield splits that leave images out or give them out twice."""
    for step in subject.pipeline.steps:
        node = step.find("split")
        split = step.config.get("split")
        if step.kind and step.kind.name == "transform" and node and isinstance(split, Mapping):
            parts = [split.get(name) for name in ("train", "validation", "test")]
            numbers = [part for part in parts if isinstance(part, int | float)]
            if len(numbers) == len(parts) and not math.isclose(sum(numbers), 1, abs_tol=1e-6):
                message = f"the parts of the split sum to {sum(numbers):g}, not to 1"
                hint = "Change one: train, validation and test share all images."
                yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)
