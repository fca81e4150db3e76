"""The text of a definition: its markers, what replaces them, and whether Step Functions could accept it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines import promises

MAX_BYTES = 1024 * 1024
"""A definition's limit (docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html)."""

_MARKER = re.compile(r"\$\{([a-z][a-z0-9_]*)\}")


class DefinitionError(Exception):
    """A definition cannot be used; the message says why."""


def serialise(definition: Mapping[str, Any]) -> str:
    """Write a definition as text, one line a field of a state: the same definition gives the same bytes."""
    return "\n".join(_lines(definition)) + "\n"


def _lines(value: Mapping[str, Any], name: str = "") -> Iterator[str]:
    """Write an object over several lines, and so the states in it; its opening brace is the first line.

    There is no indentation: a thousand steps must fit into the size that Step Functions takes.
    """
    yield "{"
    last = len(value) - 1
    for place, (key, item) in enumerate(value.items()):
        comma = "," if place < last else ""
        if isinstance(item, Mapping) and (key in ("States", "ItemProcessor") or name == "States"):
            first, *middle, end = _lines(item, key)
            yield f"{_compact(key)}:{first}"
            yield from middle
            yield f"{end}{comma}"
        else:
            yield f"{_compact(key)}:{_compact(item)}{comma}"
    yield "}"


def _compact(value: Any) -> str:  # noqa: ANN401 - any JSON
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def markers(text: str) -> tuple[str, ...]:
    """Return the names of a definition's markers, sorted, each once."""
    return tuple(sorted(set(_MARKER.findall(text))))


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Replace every marker by its value, escaped for JSON. Raises DefinitionError with all missing names."""
    missing = [name for name in markers(text) if name not in values]
    if missing:
        message = f"the definition has markers without a value: {', '.join(missing)}"
        raise DefinitionError(message)
    return _MARKER.sub(lambda match: json.dumps(values[match[1]], ensure_ascii=False)[1:-1], text)


def check(definition: Mapping[str, Any], text: str = "") -> list[str]:
    """Return everything that is wrong with a definition we emitted; it is empty unless edgepipe has a bug.

    `text` is the definition as written, whose size is checked too.
    """
    size = len(text.encode("utf-8"))
    large = [f"the definition has {size:,} bytes, more than {MAX_BYTES:,}"] if size > MAX_BYTES else []
    return [*promises.check(definition), *_check_strings(definition), *large]


def _check_strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Check that every text is one whole expression or none, and that every `${` begins a marker."""
    if isinstance(value, str):
        yield from _check_text(value)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _check_text(key)
            yield from _check_strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _check_strings(item)


def _check_text(text: str) -> Iterator[str]:
    expression = text.startswith("{%") and text.endswith("%}") and len(text) >= 4
    inner = text[2:-2] if expression else text
    if "{%" in inner or "%}" in inner:
        yield f"has unbalanced JSONata delimiters: {text!r}"
    if "${" in _MARKER.sub("", text):
        yield f"has '${{' that begins no marker: {text!r}"
