"""The values that a run gives its pipeline's parameters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipelines import schema, values
from pipelines.diagnostics import one_of
from pipelines.nodes import plain_value
from pipelines.resolution import PARAM_TYPES
from pipelines.source import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.spec import Param, Pipeline
    from pipelines.values import Json


class ParameterError(Exception):
    """A run gives a parameter that does not exist, or a value that it cannot have, or lacks one."""


def resolve(pipeline: Pipeline, overrides: Mapping[str, str]) -> dict[str, Json]:
    """Return what an execution gets as `params`: the given values, each read as its parameter's type.

    Defaults are left to the state machine, which alone knows what they refer to. Raises ParameterError.
    """
    for name in overrides:
        if pipeline.param(name) is None:
            hint = one_of(name, [param.name for param in pipeline.params], "parameters")
            message = f"pipeline '{pipeline.name}' has no parameter '{shorten(name)}'. {hint}"
            raise ParameterError(message)
    needed = [param.name for param in pipeline.params if param.default_node is None]
    missing = [name for name in needed if name not in overrides]
    if missing:
        message = f"this run needs a value for {', '.join(missing)}. Give it with --param {missing[0]}=VALUE."
        raise ParameterError(message)
    return {
        param.name: _read(param, overrides[param.name])
        for param in pipeline.params
        if param.name in overrides
    }


def judge(param: Param, value: Json, *, said: str | None = None) -> str | None:
    """Return what is wrong with a parameter's value, or None; `said` is what a person wrote for it."""
    expected = PARAM_TYPES[param.type]
    if not values.fits(values.type_name(value), frozenset([expected])):
        return f"must be of type {param.type}, not '{shorten(_show(value) if said is None else said)}'"
    if param.type == "s3uri":
        return schema.judge_s3uri(str(value))
    if isinstance(value, list):
        plain = all(isinstance(each, str | int | float) for each in value)
        return None if plain else "must be a list of texts, numbers, true or false"
    return _judge_range(param, value)


def _judge_range(param: Param, value: Json) -> str | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    if param.minimum is not None and value < param.minimum:
        return f"must be at least {param.minimum}, not {value}"
    if param.maximum is not None and value > param.maximum:
        return f"must be at most {param.maximum}, not {value}"
    return None


def _show(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list) else str(value)


def _read_value(param: Param, text: str) -> Json:
    """Read a value as its parameter's type: a list is JSON, or words with commas between them."""
    if PARAM_TYPES[param.type] == "string":
        return text
    if param.type != "list":
        return plain_value(text)
    try:
        return json.loads(text) if text.lstrip().startswith("[") else _split(text)
    except (ValueError, RecursionError):
        return text


def _split(text: str) -> list[Json]:
    return [plain_value(each.strip()) for each in text.split(",")]


def _read(param: Param, text: str) -> Json:
    value = _read_value(param, text)
    problem = judge(param, value, said=text)
    if problem:
        message = f"the parameter '{param.name}' {problem}"
        raise ParameterError(message)
    return value
