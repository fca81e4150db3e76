"""The first look of a machine at its input: are the parameters that a run is given ones that it can have?

The same checks as `parameters.judge`, as one JSONata expression, because anybody can start an execution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.expressions import enclose, field, given_or, join, literal
from pipelines.schema import read

if TYPE_CHECKING:
    from pipelines.spec import Param, Pipeline

_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "s3uri": "an S3 address such as s3://bucket/prefix/",
    "list": "a list",
}
_JSONATA_TYPES = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "s3uri": "string",
    "list": "array",
}


def find_wrong(pipeline: Pipeline) -> str:
    """Return the expression for the list of what is wrong with a run's parameters; it is [] for a good run.

    Conditions are nested, not joined by `and`: whether JSONata's `and` evaluates its right side is not said.
    """
    known = literal([param.name for param in pipeline.params])
    entries = [
        f"$keys($p)[$not($ in {known})].('there is no parameter ' & $)",
        *(_judge(param) for param in pipeline.params),
    ]
    whole = "$exists($p) ? $type($p) = 'object' : true"
    return enclose(
        f"($p := $states.input.params; ({whole}) ? [{', '.join(entries)}] : ['params must be an object'])"
    )


def value_of(param: Param) -> str:
    """Return the expression for a parameter's value: the run's, or else its default."""
    if param.parts:
        return enclose(given_or(param.name, join(param.parts)))
    if param.default_node is None:
        return enclose(field("states", "input", "params", param.name))
    return enclose(given_or(param.name, literal(param.default)))


def _judge(param: Param) -> str:
    path = field("p", param.name)
    wrong = literal(f"'{param.name}' must be {describe(param)}")
    given = f"({_fits(param, path)}) ? [] : {wrong}"
    missing = "[]" if param.default_node else literal(f"'{param.name}' needs a value")
    return f"$exists({path}) ? ({given}) : {missing}"


def describe(param: Param) -> str:
    """Return in words what a parameter's values are."""
    words = _WORDS.get(param.type, param.type)
    least = [] if param.minimum is None else [f"at least {param.minimum:g}"]
    most = [] if param.maximum is None else [f"at most {param.maximum:g}"]
    return " of ".join([words, *([" and ".join([*least, *most])] if least or most else [])])


def _fits(param: Param, path: str) -> str:
    is_type = f"$type({path}) = '{_JSONATA_TYPES[param.type]}'"
    further = " and ".join(_conditions(param, path))
    return f"{is_type} ? {further} : false" if further else is_type


def _conditions(param: Param, path: str) -> list[str]:
    found = []
    if param.type == "integer":
        found.append(f"$floor({path}) = {path}")
    if param.type == "s3uri":
        pattern = read("common.schema.json")["$defs"]["s3uri"]["pattern"].replace("/", "\\/")
        found.append(f"$contains({path}, /{pattern}/)")
    if param.minimum is not None:
        found.append(f"{path} >= {literal(param.minimum)}")
    if param.maximum is not None:
        found.append(f"{path} <= {literal(param.maximum)}")
    return found
