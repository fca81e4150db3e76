from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import source
from pipelines.diagnostics import SpecError
from pipelines.nodes import MappingNode, ScalarNode, SequenceNode

BOMB = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))])
CHAIN = "\n".join(["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 60))])

REFUSED = [
    ("empty", "", "P006", (1, 1)),
    ("only a comment", "# x\n", "P006", (1, 1)),
    ("NUL", "a: \x00", "P001", (1, 4)),
    ("a bell in an escape", 'a: "\\a"', "P001", (1, 4)),
    ("text that turns around", "a: b\nc: \u202edrowssap", "P001", (2, 4)),
    ("half a surrogate pair", "a: \ud800", "P001", (1, 4)),
    ("an escaped surrogate", 'a: "\\ud800"', "P002", (1, 7)),
    ("UTF-16 read as something else", "\x00a\x00:", "P001", (1, 1)),
    ("open list", "a: [", "P002", (1, 5)),
    ("tab", "a:\n\tb: 1", "P002", (2, 1)),
    ("two colons", "a: b: c", "P002", (1, 5)),
    ("duplicate key", "a: 1\nb: 2\na: 3", "P003", (3, 1)),
    ("duplicate key in quotes", 'a: 1\n"a": 3', "P003", (2, 1)),
    ("deep list", "[" * 50_000, "P004", (1, 52)),
    ("deep list with ends", "[" * 5_000 + "]" * 5_000, "P004", (1, 52)),
    ("deep block", "\n".join(" " * n + "a:" for n in range(60)), "P004", (51, 51)),
    ("deep dashes", "- " * 5_000, "P004", (1, 103)),
    ("alias bomb", BOMB, "P004", (6, 10)),
    ("alias chain", CHAIN, "P004", (50, 12)),
    ("too long", "a: " + "x" * 1_000_000, "P004", (1, 1)),
    ("too long a text", "a: " + "x" * 20_001, "P004", (1, 4)),
    ("too long in bytes", "a: " + "é" * 600_000, "P004", (1, 1)),
    ("tag", "a: !!int 3", "P005", (1, 4)),
    ("own tag", "a: !Ref b", "P005", (1, 4)),
    ("two documents", "a: 1\n---\nb: 2", "P005", (2, 1)),
    ("self alias", "a: &a [*a]", "P005", (1, 8)),
    ("unknown alias", "a: *b", "P005", (1, 4)),
    ("list as key", "? [a]\n: b", "P005", (1, 3)),
]


@pytest.mark.parametrize(("name", "text", "code", "place"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused_with_a_place(name: str, text: str, code: str, place: tuple[int, int]) -> None:
    _, diagnostics = source.parse(source.normalise(text))
    assert [(item.code, (item.span.line, item.span.column)) for item in diagnostics] == [(code, place)], name


def test_a_tab_gets_advice() -> None:
    _, (found,) = source.parse("a:\n\tb: 1")
    assert found.hint == "Indent with spaces: YAML allows no tabs there."


def test_nodes_know_their_places() -> None:
    root, diagnostics = source.parse("a: 1\nlist:\n  - 'é\U0001f36a'\n  - {b: *x}\n".replace("*x", "x"))
    assert diagnostics == ()
    assert isinstance(root, MappingNode)
    items = root.get("list")
    assert isinstance(items, SequenceNode)
    first, second = items.items
    assert isinstance(first, ScalarNode)
    assert (first.span.line, first.span.column, first.span.end_column) == (3, 5, 9)
    assert (first.text, first.quoted, first.raw) == ("é\U0001f36a", True, "'é\U0001f36a'")
    assert isinstance(second, MappingNode)
    assert (second.span.line, second.span.column) == (4, 5)


def test_an_alias_stands_for_its_anchor() -> None:
    root, _ = source.parse("a: &x {b: 1}\nc: *x")
    assert isinstance(root, MappingNode)
    assert root.get("c") is root.get("a")


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"a: 1", "a: 1"), (b"\xef\xbb\xbfa: 1", "a: 1"), ("ä: 1".encode(), "ä: 1")],
)
def test_bytes_are_utf8(data: bytes, text: str) -> None:
    assert source.decode(data, path="x") == text


@pytest.mark.parametrize(
    ("data", "place"),
    [
        ("a: 1".encode("utf-16"), "1:1"),
        (b"\xff\xfe", "1:1"),
        (b"a: \xe4", "1:4"),
        (b"\xef\xbb\xbfa: \xe4", "1:4"),
        ("ä: 1\r\nb: ö".encode() + b"\xe4", "2:5"),
    ],
)
def test_other_encodings_are_refused(data: bytes, place: str) -> None:
    with pytest.raises(SpecError, match=rf"^x:{place}: P001 the byte 0x.. is not UTF-8 text"):
        source.decode(data, path="x")


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("a: {b: ${{ params.c }}}", "Inside { } and [ ], put the reference into quotes."),
        ("a: [b", "Look for a bracket or a quote that is not closed, such as the bracket of 1:4."),
        ("a: @b", "Put the value into quotes."),
        ("a: 1\nb\n", "Put a colon after the key."),
        ('a: "\\d"', "In double quotes a backslash begins an escape; use single quotes."),
        ("a:\n  - b\n c: 1", "Keys of one mapping begin in the same column."),
    ],
)
def test_what_yaml_says_comes_with_advice(text: str, advice: str) -> None:
    _, (found,) = source.parse(text)
    assert found.hint == advice


def test_line_ends_do_not_matter() -> None:
    assert source.normalise("\ufeffa: 1\r\nb: 2\rc: 3\n") == "a: 1\nb: 2\nc: 3\n"


YAML_LIKE = st.text(st.sampled_from("ab1: -[]{},'\"&*!|>#%@`?\n\t\\~$\u2028é\U0001f36a"), max_size=60)


@settings(max_examples=300)
@given(st.text() | YAML_LIKE)
def test_any_text_gives_a_tree_or_diagnostics(text: str) -> None:
    root, diagnostics = source.parse(source.normalise(text))
    assert (root is None) <= bool(diagnostics)
    assert all(item.span.line >= 1 and item.span.column >= 1 for item in diagnostics)
