from __future__ import annotations

import pytest

from pipelines import explanation
from pipelines.explanation import UnknownCodeError, expand, parse, read, render

PAGE = (
    "# P999: A title\n\nA reason with `code`.\n\nAnother.\n\n"
    "## Bad\n\n```yaml\na:\n  b: 1\n```\n\n## Good\n\n```yaml\na: 1\n```\n"
)


def test_a_page_is_read_and_shown() -> None:
    assert render(parse(PAGE)) == (
        "P999: A title\n\nA reason with 'code'.\n\nAnother.\n\n"
        "Bad:\n\n    a:\n      b: 1\n\nGood:\n\n    a: 1\n"
    )


@pytest.mark.parametrize(
    "lost", ["# P999: ", "## Bad\n", "```yaml\na: 1\n```\n", "A reason with `code`.\n\nAnother."]
)
def test_a_page_without_one_of_its_parts_is_none(lost: str) -> None:
    with pytest.raises(ValueError, match="a page has a heading"):
        parse(PAGE.replace(lost, "", 1))


def test_codes_may_be_written_small() -> None:
    assert read("p020") == read("P020")


def test_an_unknown_code_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownCodeError, match=r"no diagnostic 'P02'. Did you mean 'P0\d\d'\?"):
        read("P02")
    with pytest.raises(UnknownCodeError, match=r"no diagnostic 'xyz'. `edgepipe explain` lists all"):
        read("xyz")


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("  a1: {}\n", "  a1: {}\n"),
        ("  a2: {x: a2}  # and so on up to a4\n", "  a2: {x: a2}\n  a3: {x: a3}\n  a4: {x: a4}\n"),
        ("  a1: *b1  # and so on up to a2", "  a1: *b1\n  a2: *b1\n"),
    ],
)
def test_a_series_is_written_out(line: str, lines: str) -> None:
    assert expand(line) == lines


def test_the_list_names_every_code() -> None:
    listed = explanation.render_list().splitlines()
    assert [line.split()[0] for line in listed] == explanation.codes()
