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
        for route in _routes(step.kind.name, wanted) if step.kind else ():
            if route.row.when(step, subject.pipeline):
                yield from _uses_of(route, step, subject.pipeline)


@dataclass(frozen=True, kw_only=True)
class _Route:
    """A row of the table with what is found once for all steps of a kind."""

    row: Row
    limit: Limit
    path: tuple[str, ...]


@cache
def _routes(kind: str, wanted: Callable[[Limit], bool]) -> tuple[_Route, ...]:
    rows = (row for row in TABLE if row.kind == kind)
    limits = ((row, read_member(row.service, row.operation, row.member)) for row in rows)
    return tuple(
        _Route(row=row, limit=limit, path=tuple(row.key.split("."))) for row, limit in limits if wanted(limit)
    )


def _uses_of(route: _Route, step: Step, pipeline: Pipeline) -> Iterator[Use]:
    for node, value in _follow(step.node, step.config, route.path):
        known = _known(node, value, pipeline)
        sent = route.row.form(known[1]) if known else None
        if known and sent is not None:
            yield Use(row=route.row, limit=route.limit, node=known[0], written=known[1], sent=sent)


def _follow(node: Node, value: Json, path: tuple[str, ...]) -> Iterator[tuple[Node, Json]]:
    """Yield what a path leads to, as written and as read; values that are wrong in themselves are None."""
    if not path:
        if value is not None:
            yield node, value
        return
    for below, inner in _enter(node, value, path[0]):
        yield from _follow(below, inner, path[1:])


def _enter(node: Node, value: Json, name: str) -> Iterator[tuple[Node, Json]]:
    if isinstance(node, MappingNode) and isinstance(value, Mapping):
        if name == KEYS:
            yield from ((key, key.text) for key, _ in node.entries)
        elif name == EACH:
            yield from ((item, value.get(key.text)) for key, item in node.entries)
        else:
            item = node.get(name)
            # The keys that every step takes stand in no config.
            own = item.value if isinstance(item, ScalarNode) else None
            yield from ((item, value.get(name, own)),) if item else ()
    elif isinstance(node, SequenceNode) and isinstance(value, list) and name == EACH:
        yield from zip(node.items, value, strict=False)


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
