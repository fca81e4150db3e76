"""What JSON can hold: the only values that pass between the spec, the definition and the handlers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Json: TypeAlias = "Scalar | Sequence[Json] | Mapping[str, Json]"
JsonObject: TypeAlias = Mapping[str, Json]


_NAMES: tuple[tuple[type[object], str], ...] = (
    (type(None), "null"),
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (Mapping, "object"),
    (Sequence, "array"),
)
"""In the order to ask: a boolean is also an int, and text is also a sequence."""


def type_name(value: Json) -> str:
    """Name a value's type as JSON Schema does; an integer is `integer`, never also `number`."""
    return next(name for kind, name in _NAMES if isinstance(value, kind))


def fits(actual: str, expected: frozenset[str]) -> bool:
    """Say whether a value of type `actual` may stand where `expected` types may: an integer is a number."""
    return actual in expected or (actual == "integer" and "number" in expected)
