"""Diagnostics as SARIF 2.1.0, which code scanning and editors read.

Format: "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", OASIS, 3.11 to 3.30.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pipelines import explanation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pipelines.diagnostics import Diagnostic, Span

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def render(diagnostics: Sequence[Diagnostic], path: str) -> str:
    """Return one SARIF log with one run; a rule for each code that occurs."""
    codes = sorted({item.code for item in diagnostics})
    run = {
        "tool": {"driver": {"name": "edgepipe", "rules": _rules(codes)}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(item, codes.index(item.code), path) for item in diagnostics],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rules(codes: Iterable[str]) -> list[dict[str, Any]]:
    known = explanation.codes()
    return [_rule(explanation.read(code)) if code in known else {"id": code} for code in codes]


def _rule(page: explanation.Explanation) -> dict[str, Any]:
    reason = " ".join(page.why.replace("\n\n", "\f").split("\n")).replace("\f", "\n\n")
    return {
        "id": page.code,
        "shortDescription": {"text": f"{page.title}."},
        "fullDescription": {"text": reason},
        "help": {"text": explanation.render(page)},
    }


def _result(item: Diagnostic, rule: int, path: str) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": address(path)}, "region": _region(item.span)}
    return {
        "ruleId": item.code,
        "ruleIndex": rule,
        "level": item.severity,
        "message": {"text": f"{item.message}. {item.hint}" if item.hint else f"{item.message}."},
        "locations": [{"physicalLocation": place}],
    }


def _region(span: Span) -> dict[str, int]:
    """Return the span; SARIF counts as we do, from 1 and with an exclusive end."""
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def address(path: str) -> str:
    """Return a file's name as a URI reference; a relative one stays relative."""
    return f"file://{quote(path)}" if path.startswith("/") else quote(path)
