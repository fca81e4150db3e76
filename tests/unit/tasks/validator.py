"""Checks a request as AWS would: botocore's validator, and what it leaves out (enums, patterns, limits)."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

from botocore.session import get_session
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@functools.cache
def service_model(service: str) -> Any:
    return get_session().get_service_model(service)


def operation_name(service: str, method: str) -> str:
    """Return the API operation of a client's method: create_training_job → CreateTrainingJob."""
    from botocore import xform_name

    return next(str(name) for name in service_model(service).operation_names if xform_name(name) == method)


def problems_of(service: str, operation: str, request: Mapping[str, Any]) -> list[str]:
    """Return everything that AWS's model of the operation finds wrong with a request."""
    shape = service_model(service).operation_model(operation).input_shape
    if isinstance(request.get("CopySource"), dict):  # botocore itself makes the header of it
        request = {**request, "CopySource": "{Bucket}/{Key}".format(**request["CopySource"])}
    report = ParamValidator().validate(request, shape)
    found = [report.generate_report()] if report.has_errors() else []
    return found + list(_walk(shape, request, operation))


def _walk(shape: Any, value: Any, path: str) -> Iterator[str]:
    if shape.type_name == "structure":
        for name, item in value.items():
            if name in shape.members:
                yield from _walk(shape.members[name], item, f"{path}.{name}")
    elif shape.type_name == "list":
        yield from _size(shape, len(value), path)
        for index, item in enumerate(value):
            yield from _walk(shape.member, item, f"{path}[{index}]")
    elif shape.type_name == "map":
        yield from _size(shape, len(value), path)
        for key, item in value.items():
            yield from _walk(shape.key, key, f"{path} key {key}")
            yield from _walk(shape.value, item, f"{path}.{key}")
    elif shape.type_name == "string":
        yield from _size(shape, len(value), path)
        yield from _text(shape, value, path)
    elif shape.type_name in ("integer", "long"):
        yield from _size(shape, value, path)


def _size(shape: Any, size: int, path: str) -> Iterator[str]:
    if not shape.metadata.get("min", size) <= size <= shape.metadata.get("max", size):
        yield f"{path}: {size} is outside {shape.metadata}"


def _text(shape: Any, value: str, path: str) -> Iterator[str]:
    if shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is none of {shape.enum}"
    pattern = shape.metadata.get("pattern")
    if pattern and "\\p{" not in pattern and re.fullmatch(pattern, value, re.DOTALL) is None:
        yield f"{path}: {value!r} does not match {pattern}"
