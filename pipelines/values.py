"""What JSON can hold: the only values that pass between the spec, the definition and the handlers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Json: TypeAlias = "Scalar | Sequence[Json] | Mapping[str, Json]"
JsonObject: TypeAlias = Mapping[str, Json]


def type_name(value: Json) -> str:
    """Name a value's type as JSON Schema does; an integer is `integer`, never also `number`."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case Mapping():
            return "object"
        case _:
            return "array"


def fits(actual: str, expected: frozenset[str]) -> bool:
    """Say whether a value of JSON type `actual` may stand where `expected` types may: an integer is a number."""
    return actual in expected or (actual == "integer" and "number" in expected)
