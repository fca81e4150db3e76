"""Whether AWS takes a value: judged by a member's limit, or a whole request by its operation's model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pipelines.aws import limits, patterns

if TYPE_CHECKING:
    from pipelines.aws.limits import Limit

Fault = Literal["enum", "pattern", "least", "most"]

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "structure": Mapping,
    "map": Mapping,
    "list": (list, tuple),
    "string": str,
    "blob": (str, bytes),
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
    "timestamp": object,
}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why AWS would not take a value; `size` is what the bounds are about: a number, a length, a count."""

    fault: Fault
    size: float = 0


def judge(limit: Limit, value: object) -> Verdict | None:
    """Return why AWS would refuse the value, or None; where entries count, a number stands for that many."""
    size = _size(limit, value)
    if limit.enum and value not in limit.enum:
        return Verdict(fault="enum")
    if limit.minimum is not None and size is not None and size < limit.minimum:
        return Verdict(fault="least", size=size)
    if limit.maximum is not None and size is not None and size > limit.maximum:
        return Verdict(fault="most", size=size)
    if limit.pattern and isinstance(value, str) and not patterns.matches(limit.pattern, value):
        return Verdict(fault="pattern")
    return None


def _size(limit: Limit, value: object) -> float | None:
    if isinstance(value, int | float):
        return value
    return (
        len(value) if isinstance(value, str | bytes | Sequence | Mapping) and limit.type != "double" else None
    )


def check_request(service: str, operation: str, request: Mapping[str, Any]) -> list[str]:
    """Return everything that the model of the operation finds wrong with a request, `path: what`."""
    name = limits.read_input(service, operation)
    return list(_walk(service, name, request, operation))


def _walk(service: str, name: str, value: Any, path: str) -> Iterator[str]:  # noqa: ANN401 - a request holds any JSON
    shape = limits.read_shape(service, name)
    if not _is_of(value, shape["type"]):
        yield f"{path}: {type(value).__name__} instead of {shape['type']}"
        return
    found = judge(limits.limit_of(shape), value)
    if found:
        yield f"{path}: {found.fault}"
    if shape["type"] == "structure":
        yield from _walk_structure(service, shape, value, path)
    elif shape["type"] == "map":
        for key, item in value.items():
            yield from _walk(service, shape["key"], key, f"{path}{{{key}}}")
            yield from _walk(service, shape["value"], item, f"{path}.{key}")
    elif shape["type"] == "list":
        for index, item in enumerate(value):
            yield from _walk(service, shape["member"], item, f"{path}[{index}]")


def _is_of(value: object, type_name: str) -> bool:
    return isinstance(value, _TYPES[type_name])


def _walk_structure(service: str, shape: limits.Shape, value: Mapping[str, Any], path: str) -> Iterator[str]:
    yield from (f"{path}: lacks {key}" for key in shape["required"] if key not in value)
    for key, item in value.items():
        if key in shape["members"]:
            yield from _walk(service, shape["members"][key], item, f"{path}.{key}")
        else:
            yield f"{path}: has no member {key}"
