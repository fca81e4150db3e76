from __future__ import annotations

import pytest

from pipelines.diagnostics import Diagnostic, Span, render


def command(item: Diagnostic, path: str = "a/b.yaml") -> str:
    return render([item], path=path, text="", form="github")


def test_a_mistake_is_an_error_at_its_place() -> None:
    span = Span(line=2, column=9, end_line=2, end_column=15)
    item = Diagnostic(code="P021", message="no step 'labell'", span=span, hint="Did you mean 'label'?")
    assert command(item) == (
        "::error file=a/b.yaml,line=2,endLine=2,col=9,endColumn=15,title=P021::"
        "P021 no step 'labell'. Did you mean 'label'?"
    )


def test_columns_end_on_the_line_they_begin_on() -> None:
    span = Span(line=2, column=9, end_line=4, end_column=1)
    item = Diagnostic(code="P010", message="m", span=span, severity="warning")
    assert command(item) == "::warning file=a/b.yaml,line=2,endLine=4,col=9,title=P010::P010 m."


@pytest.mark.parametrize(
    ("path", "message", "properties", "data"),
    [
        ("a,b:c.yaml", "x: 1, y", "file=a%2Cb%3Ac.yaml,", "P1 x: 1, y."),
        ("100%.yaml", "50%\r\n::error::z", "file=100%25.yaml,", "P1 50%25??::error::z."),
    ],
)
def test_nothing_in_a_spec_can_end_its_command(path: str, message: str, properties: str, data: str) -> None:
    text = command(Diagnostic(code="P1", message=message), path)
    assert text.count("\n") == 0
    assert properties in text
    assert text.endswith(f"title=P1::{data}")
