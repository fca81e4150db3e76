"""Diagnostics as GitHub workflow commands, which show them at their lines in a pull request.

Format: "Workflow commands for GitHub Actions", docs.github.com; escapes as its toolkit writes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.diagnostics import Diagnostic


def render(diagnostics: Sequence[Diagnostic], path: str) -> str:
    """Return one command a line."""
    return "\n".join(_command(item, path) for item in diagnostics)


def _command(item: Diagnostic, path: str) -> str:
    span = item.span
    properties = {"file": path, "line": span.line, "endLine": span.end_line, "col": span.column}
    if span.line == span.end_line:  # GitHub takes columns for one line only
        properties["endColumn"] = span.end_column
    said = ",".join(f"{name}={_escape_property(str(value))}" for name, value in properties.items())
    text = f"{item.code} {item.message}. {item.hint or ''}".strip()
    return f"::{item.severity} {said},title={item.code}::{_escape(text)}"


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
