from __future__ import annotations

import json

import pytest

from pipelines.diagnostics import RENDERERS, Diagnostic, Span, SpecError, did_you_mean, one_of, render


def at(line: int, column: int, end: int) -> Span:
    return Span(line=line, column=column, end_line=line, end_column=end)


def test_a_sentence_stays_on_its_line() -> None:
    found = Diagnostic(code="P999", message="no 'a\nb'", hint="Known: a\x1b[2J.")
    assert (found.message, found.hint) == ("no 'a?b'", "Known: a?[2J.")


def test_text_shows_the_line_and_the_place() -> None:
    item = Diagnostic(
        code="P021", message="no step 'labell'", span=at(2, 9, 15), hint="Did you mean 'label'?"
    )
    assert render([item], path="a/b.yaml", text="steps:\n  needs: labell\n") == (
        "a/b.yaml:2:9: P021 no step 'labell'. Did you mean 'label'?\n      needs: labell\n            ^^^^^^"
    )


@pytest.mark.parametrize(
    ("text", "span", "marked"),
    [
        ("a: b", at(1, 4, 5), "    a: b\n       ^"),
        ("a: b", Span(line=1, column=1, end_line=3, end_column=1), "    a: b\n    ^^^^"),
        ("a:\tb", at(1, 4, 5), "    a: b\n       ^"),
        (
            "x" * 200 + "y" + "z" * 200,
            at(1, 201, 202),
            "    " + "x" * 80 + "y" + "z" * 79 + "\n    " + " " * 80 + "^",
        ),
        ("", at(1, 1, 1), ""),
        ("a", at(9, 1, 1), ""),
    ],
)
def test_the_caret_stands_under_the_span(text: str, span: Span, marked: str) -> None:
    shown = render([Diagnostic(code="P1", message="m", span=span)], path="f", text=text)
    assert shown.partition("\n")[2] == marked


def test_json_holds_every_field() -> None:
    item = Diagnostic(code="P021", message="m", span=at(2, 9, 15), hint="h")
    assert json.loads(render([item], path="f", text="", form="json")) == [
        {
            "file": "f",
            "line": 2,
            "column": 9,
            "end_line": 2,
            "end_column": 15,
            "severity": "error",
            "code": "P021",
            "message": "m",
            "hint": "h",
        }
    ]


def test_an_error_orders_by_place() -> None:
    places = [at(3, 1, 2), at(1, 5, 6), at(1, 2, 9)]
    error = SpecError([Diagnostic(code="P1", message="m", span=span) for span in places], path="f")
    assert [item.span for item in error.diagnostics] == [places[2], places[1], places[0]]


def test_no_mistake_renders_in_every_form() -> None:
    assert {form: render([], path="f", text="", form=form) for form in RENDERERS if form != "sarif"} == {
        "text": "",
        "json": "[]",
        "github": "",
    }
    assert json.loads(render([], path="f", text="", form="sarif"))["runs"][0]["results"] == []


def test_near_misses() -> None:
    assert did_you_mean("labell", ["label", "train"]) == "Did you mean 'label'?"
    assert did_you_mean("zebra", ["label", "train"]) is None
    assert one_of("zebra", ["b", "a"], "kinds") == "Known kinds: a, b."
    assert one_of("zebra", [], "kinds") == "There are no kinds."
    assert one_of("zebra", map(str, range(1000, 2022)), "steps").endswith(", 1018, 1019 and 1,002 more.")
