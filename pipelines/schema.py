"""The JSON Schemas in schemas/: loaded once, and `$ref` between them resolved."""

from __future__ import annotations

import functools
import json
import posixpath
import re
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "schemas"

Schema = dict[str, Any]
"""A JSON Schema as it stands in its file; `True` stands as the empty schema."""


OPAQUE: Schema = {"description": "checked elsewhere, against the schema of its kind"}
"""Stands for a part that the caller checks by itself."""


@functools.cache
def load(name: str, opaque: tuple[str, ...] = ()) -> Schema:
    """Return the schema in schemas/NAME, such as `steps/train.schema.json`, every `$ref` replaced.

    The members of the properties that `opaque` names are left to the caller.
    """
    whole = read(name)
    cut = {
        key: {**whole["properties"][key], "properties": {}, "additionalProperties": OPAQUE} for key in opaque
    }
    rest = {key: value for key, value in whole.items() if key != "$defs" or not opaque}
    resolved = _resolve({**rest, "properties": {**whole.get("properties", {}), **cut}}, name)
    for key in opaque:
        resolved["properties"][key]["additionalProperties"] = OPAQUE
    return resolved if "properties" in whole else {**resolved, "properties": {}}


@functools.cache
def read(name: str) -> Schema:
    """Return the schema in schemas/NAME as it stands there."""
    document: Schema = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    return document


def _resolve(schema: Schema, name: str) -> Schema:
    """Replace references; what stands beside a `$ref`, such as a description, wins over what it refers to."""
    resolved = {key: _resolve_value(value, name) for key, value in schema.items() if key != "$ref"}
    if "$ref" not in schema:
        return resolved
    target, _, pointer = schema["$ref"].partition("#")
    other = posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) if target else name
    return {**_resolve_part(other, pointer), **resolved}


@functools.cache
def _resolve_part(name: str, pointer: str) -> Schema:
    """Resolve what a reference points to once: the same few parts stand in every kind's schema."""
    return _resolve(_point(read(name), pointer), name)


def _resolve_value(value: Any, name: str) -> Any:  # noqa: ANN401 - a schema holds any JSON
    if isinstance(value, dict):
        return _resolve(value, name)
    if isinstance(value, list):
        return [_resolve_value(item, name) for item in value]
    return value


def _point(document: Schema, pointer: str) -> Schema:
    for key in pointer.split("/")[1:]:
        document = document[key]
    return document


def matches(pattern: str, text: str) -> bool:
    """Say whether a text matches as ECMA 262 means it: `$` is the very end, not before a newline."""
    exact = f"{pattern[:-1]}\\Z" if pattern.endswith("$") else pattern
    return re.search(exact, text) is not None


def judge_s3uri(text: str) -> str | None:
    """Return what is wrong with an S3 address, or None."""
    rule = load("common.schema.json")["$defs"]["s3uri"]
    return None if matches(rule["pattern"], text) else f"must be {rule['patternErrorMessage']}"
