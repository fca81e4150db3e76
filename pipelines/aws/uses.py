"""The values of a spec that end up in AWS's requests, each with its place, its row and its limit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pipelines import references
from pipelines.aws.limits import Limit, read_member
from pipelines.aws.members import EACH, KEYS, TABLE, Row
from pipelines.nodes import MappingNode, Node, ScalarNode, SequenceNode
from pipelines.references import OPENING

if TYPE_CHECKING:
    from pipelines.rules.subject import Subject
    from pipelines.spec import Pipeline, Step
    from pipelines.values import Json


@dataclass(frozen=True, kw_only=True)
class Use:
    """A value on its way to AWS: as it is written, as it is sent, and what its member takes."""

    row: Row
    limit: Limit
    node: Node
    written: Json
    sent: object


def find_uses(subject: Subject, wanted: Callable[[Limit], bool]) -> Iterator[Use]:
    """Yield the values of members whose limit is wanted.

    Left out are values that only a run knows; a parameter's default is taken for a reference to it.
    """
    for step in subject.pipeline.steps:
        for row in _rows(step.kind.name) if step.kind else ():
            limit = read_member(row.service, row.operation, row.member)
            if wanted(limit) and row.when(step, subject.pipeline):
                yield from _uses_of(row, limit, step, subject.pipeline)


@cache
def _rows(kind: str) -> tuple[Row, ...]:
    return tuple(row for row in TABLE if row.kind == kind)


def _uses_of(row: Row, limit: Limit, step: Step, pipeline: Pipeline) -> Iterator[Use]:
    for node, value in _follow(step.node, step.config, tuple(row.key.split("."))):
        known = _known(node, value, pipeline)
        if known is not None:
            sent = row.form(known[1])
            if sent is not None:
                yield Use(row=row, limit=limit, node=known[0], written=known[1], sent=sent)


def _follow(node: Node, value: Json, path: tuple[str, ...]) -> Iterator[tuple[Node, Json]]:
    """Yield what a path leads to, as written and as read; values that are wrong in themselves are None."""
    if not path:
        if value is not None:
            yield node, value
        return
    name, *rest = path
    for below, inner in _enter(node, value, name):
        yield from _follow(below, inner, tuple(rest))


def _enter(node: Node, value: Json, name: str) -> Iterator[tuple[Node, Json]]:
    if isinstance(node, SequenceNode) and name == EACH and isinstance(value, list):
        yield from zip(node.items, value, strict=False)
    if not isinstance(node, MappingNode) or not isinstance(value, Mapping):
        return
    for key, item in node.entries:
        if name == KEYS:
            yield key, key.text
        elif name in (EACH, key.text):
            # The keys that every step takes stand in no config.
            read = value.get(key.text, item.value if isinstance(item, ScalarNode) else None)
            yield item, read


def _known(node: Node, value: Json, pipeline: Pipeline) -> tuple[Node, Json] | None:
    """Return what to judge: for a reference, its parameter's default, or None where it has none."""
    if not isinstance(value, str) or OPENING not in value:
        return node, value
    parts = references.parse(node) if isinstance(node, ScalarNode) else ()
    part = parts[0] if references.is_whole(parts) else None
    if not isinstance(part, references.Ref) or part.path[:1] != ("params",) or len(part.path) != 2:
        return None
    param = pipeline.param(part.path[1])
    if param is None or param.default_node is None or param.parts or param.default is None:
        return None
    return param.default_node, param.default
