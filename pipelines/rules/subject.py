"""What a rule looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.graph import Graph
    from pipelines.spec import Pipeline


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A parsed pipeline, its wiring, and whether a file that it names is there."""

    pipeline: Pipeline
    graph: Graph
    exists: Callable[[str], bool]
