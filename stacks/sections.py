"""The parts of a spec that only a deployment reads: `triggers` and `notify`, as plain values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipelines.nodes import MappingNode, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from pipelines.nodes import Node
    from pipelines.spec import Pipeline
    from pipelines.usecase import UseCase

_USECASE = re.compile(r"\$\{\{\s*usecase\.([a-z_]+)\s*\}\}")


class MissingFactError(Exception):
    """A spec names a fact that its use case does not have; the message says which."""


def read_section(pipeline: Pipeline, name: str) -> Any:  # noqa: ANN401 - any JSON
    """Return a section of a checked spec; None where it has none."""
    return _value(pipeline.root.get(name))


def resolve(text: str, usecase: UseCase) -> str:
    """Replace `${{ usecase.x }}`. Raises MissingFactError where the use case does not say x."""
    facts = usecase.facts()
    missing = [name for name in _USECASE.findall(text) if name not in facts]
    if missing:
        message = f"use case '{usecase.id}' has no '{missing[0]}': write it into its file"
        raise MissingFactError(message)
    return _USECASE.sub(lambda found: facts[found[1]], text)


def _value(node: Node | None) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(node, MappingNode):
        return {key.text: _value(item) for key, item in node.entries}
    if isinstance(node, SequenceNode):
        return [_value(item) for item in node.items]
    return node.value if isinstance(node, ScalarNode) else None
