"""P031: a parameter's default is one of its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import parameters
from pipelines.diagnostics import Diagnostic
from pipelines.references import Ref
from pipelines.resolution import PARAM_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject
    from pipelines.spec import Param

CODE = "P031"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield defaults of the wrong type or out of range, and ranges that make no sense."""
    for param in subject.pipeline.params:
        if param.type not in PARAM_TYPES:
            continue
        problem = _problem(param)
        if problem:
            span = param.default_node.span if param.default_node else param.span
            yield Diagnostic(code=CODE, message=f"the default of '{param.name}' {problem}", span=span)
        if (param.minimum, param.maximum) != (None, None) and param.type not in ("integer", "number"):
            message = f"'{param.name}' is of type {param.type} and can have no minimum or maximum"
            yield Diagnostic(code=CODE, message=message, span=param.span)
        if param.minimum is not None and param.maximum is not None and param.minimum > param.maximum:
            message = f"the minimum of '{param.name}' is greater than its maximum"
            yield Diagnostic(code=CODE, message=message, span=param.span, hint="Swap them.")


def _problem(param: Param) -> str | None:
    if param.default_node is None:
        return None
    if not param.parts:
        return parameters.judge(param, param.default)
    begins = isinstance(param.parts[0], Ref) or param.parts[0].startswith("s3://")
    return None if begins or param.type != "s3uri" else "must begin with s3://"
