"""The log against the parts of the SARIF 2.1.0 schema that a reader depends on."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from pipelines import explanation
from pipelines.diagnostics import Diagnostic, Span, render
from pipelines.sarif import address

TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
POSITIVE = {"type": "integer", "minimum": 1}
RULE = {
    "type": "object",
    "required": ["id", "shortDescription", "fullDescription", "help"],
    "properties": {"id": {"type": "string"}, "shortDescription": TEXT, "fullDescription": TEXT, "help": TEXT},
    "additionalProperties": False,
}
REGION = {
    "type": "object",
    "required": ["startLine", "startColumn", "endLine", "endColumn"],
    "additionalProperties": POSITIVE,
}
PLACE = {
    "type": "object",
    "required": ["artifactLocation", "region"],
    "properties": {
        "artifactLocation": {"type": "object", "properties": {"uri": {"type": "string", "format": "uri"}}},
        "region": REGION,
    },
    "additionalProperties": False,
}
RESULT = {
    "type": "object",
    "required": ["message", "ruleId", "ruleIndex", "level", "locations"],
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": {"enum": ["none", "note", "warning", "error"]},
        "message": TEXT,
        "locations": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "properties": {"physicalLocation": PLACE}},
        },
    },
    "additionalProperties": False,
}
DRIVER = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "rules": {"type": "array", "uniqueItems": True, "items": RULE},
    },
    "additionalProperties": False,
}
RUN = {
    "type": "object",
    "required": ["tool", "results"],
    "properties": {
        "tool": {"type": "object", "required": ["driver"], "properties": {"driver": DRIVER}},
        "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
        "results": {"type": "array", "items": RESULT},
    },
    "additionalProperties": False,
}
LOG = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": RUN},
    },
    "additionalProperties": False,
}


def log(*items: Diagnostic, path: str = "a/b.yaml") -> dict[str, Any]:
    found = json.loads(render(items, path=path, text="", form="sarif"))
    jsonschema.validate(found, LOG)
    return dict(found)


def at(line: int) -> Span:
    return Span(line=line, column=3, end_line=line, end_column=9)


def test_no_mistake_is_a_run_without_results() -> None:
    run = log()["runs"][0]
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


def test_every_result_points_at_its_rule_and_place() -> None:
    items = [
        Diagnostic(code="P021", message="no step 'x'", span=at(2), hint="Did you mean 'y'?"),
        Diagnostic(code="P020", message="no kind", span=at(4)),
        Diagnostic(code="P021", message="no step 'z'", span=at(7)),
    ]
    run = log(*items)["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rules[result["ruleIndex"]]["id"] for result in run["results"]] == ["P021", "P020", "P021"]
    assert [result["message"]["text"] for result in run["results"]] == [
        "no step 'x'. Did you mean 'y'?",
        "no kind.",
        "no step 'z'.",
    ]
    place = run["results"][1]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "a/b.yaml"},
        "region": {"startLine": 4, "startColumn": 3, "endLine": 4, "endColumn": 9},
    }
    page = explanation.read("P020")
    assert rules[0]["shortDescription"] == {"text": f"{page.title}."}


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/c.yaml", "a%20b/c.yaml"),
        ("/tmp/é.yaml", "file:///tmp/%C3%A9.yaml"),
        ("a:b.yaml", "a%3Ab.yaml"),
        ("100%.yaml", "100%25.yaml"),
    ],
)
def test_a_file_name_becomes_a_uri(path: str, uri: str) -> None:
    assert address(path) == uri
