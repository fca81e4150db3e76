from __future__ import annotations

import pytest

from pipelines import references, source
from pipelines.nodes import MappingNode, ScalarNode
from pipelines.references import Ref


def scalar(text: str) -> ScalarNode:
    root, _ = source.parse(f"k: {text}")
    node = root.get("k") if isinstance(root, MappingNode) else None
    assert isinstance(node, ScalarNode)
    return node


def shown(text: str) -> list[str | tuple[str, ...]]:
    return [part.path if isinstance(part, Ref) else part for part in references.parse(scalar(text))]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("plain", ["plain"]),
        ("${{ params.epochs }}", [("params", "epochs")]),
        ("'${{params.epochs}}'", [("params", "epochs")]),
        ("a ${{ run.id }} b", ["a ", ("run", "id"), " b"]),
        ("${{ a.b }}${{ c.d-e.f }}", [("a", "b"), ("c", "d-e", "f")]),
        ("${{ a }}", [()]),
        ("'${{ }}'", [()]),
        ("'${{ a.b'", ["${{ a.b"]),
        ("${{ a.b }", ["${{ a.b }"]),
        ("${{ a.b + 1 }}", [()]),
        ("${{ ä.b }}", [()]),
        ("${{ a ${{ b.c }}", ["${{ a ", ("b", "c")]),
    ],
)
def test_parts(text: str, parts: list[object]) -> None:
    assert shown(text) == parts


def test_a_whole_reference_is_told_from_text() -> None:
    assert references.is_whole(references.parse(scalar("${{ a.b }}")))
    assert not references.is_whole((*references.parse(scalar("${{ a.b }}")), "x"))
    assert not references.is_whole(references.parse(scalar("a.b")))


def test_places_on_every_line_of_a_block() -> None:
    node = scalar("|\n  one ${{ a.b }}\n  ${{ a.b }} two ${{ c.d }}\n")
    spans = [(ref.span.line, ref.span.column) for ref in references.parse(node) if isinstance(ref, Ref)]
    assert spans == [(2, 7), (3, 3), (3, 18)]
