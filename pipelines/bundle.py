"""The JSON Schemas as one document that needs no other file: for editors."""

from __future__ import annotations

import json
import posixpath
from typing import Any

from pipelines import schema
from pipelines.diagnostics import RequestError, one_of
from pipelines.kinds import STEP_KINDS

WHOLE = "pipeline.schema.json"


class UnknownKindError(RequestError):
    """There is no kind of that name."""


def build(kind: str | None = None) -> dict[str, Any]:
    """Return the schema of a pipeline, or of one kind's steps. Raises UnknownKindError.

    Every file that the schema refers to, directly or not, stands under `$defs`.
    """
    if kind is not None and kind not in STEP_KINDS:
        message = f"there is no kind of step called '{kind}'. {one_of(kind, STEP_KINDS, 'kinds')}"
        raise UnknownKindError(message)
    root = STEP_KINDS[kind].schema if kind else WHOLE
    found: dict[str, Any] = {}
    waiting = [root]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = _rewrite(schema.read(name), name, root, waiting)
    whole = found.pop(root)
    others = {_key(name): _nested(found[name]) for name in sorted(found)}
    return {**whole, "$defs": {**whole.get("$defs", {}), **others}}


def render(kind: str | None = None) -> str:
    """Write the document."""
    return json.dumps(build(kind), indent=2, ensure_ascii=False) + "\n"


def _rewrite(value: Any, name: str, root: str, met: list[str]) -> Any:  # noqa: ANN401 - any JSON
    """Return a schema with its references into the one document; `met` collects the files they name."""
    if isinstance(value, list):
        return [_rewrite(item, name, root, met) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _rewrite(item, name, root, met) for key, item in value.items() if key != "$ref"}
    if "$ref" not in value:
        return kept
    target, _, pointer = value["$ref"].partition("#")
    file = posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) if target else name
    met.append(file)
    return {"$ref": f"#{'' if file == root else f'/$defs/{_key(file)}'}{pointer}", **kept}


def _nested(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out what stands at the top of a document only: an `$id` inside would turn its references."""
    return {key: value for key, value in document.items() if key not in ("$id", "$schema")}


def _key(name: str) -> str:
    return name.removesuffix(".schema.json").replace("/", "_")
