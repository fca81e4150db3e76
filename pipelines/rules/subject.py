"""What a rule looks at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.graph import Graph
from pipelines.spec import Pipeline


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A parsed pipeline, its wiring, and whether a file that it names is there."""

    pipeline: Pipeline
    graph: Graph
    exists: Callable[[str], bool]
