"""JSONata texts: references, literals and the few expressions that every definition holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines import references
from pipelines.references import Part, Ref
from pipelines.spec import RUN_FIELDS, identifier

if TYPE_CHECKING:
    from pipelines.values import Json

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = frozenset({"and", "or", "in", "true", "false", "null", "function"})

CAUSE = (
    "($cause := $states.errorOutput.Cause; $exists($cause) ?"
    ' ($substring($cause, 0, 15) = "{\\"errorMessage\\""'
    ' and $substring($cause, -1) = "}" ? $parse($cause).errorMessage : $cause) : "")'
)
"""The bare message of an error: Lambda wraps it as {"errorMessage": ..., "errorType": ...}, others do not.

A cause longer than 32,768 characters arrives cut off; what does not end as JSON is taken as it is.
"""

ERROR = '($exists($states.errorOutput.Error) ? $states.errorOutput.Error : "States.TaskFailed")'

TASK_RESULT = "$states.result.Payload"
"""What `lambda:invoke` returns wraps what the function returned; a task token's answer is not wrapped."""

CALLBACK_RESULT = "$states.result"

TOKEN = "$states.context.Task.Token"  # noqa: S105 - where Step Functions keeps the token
ATTEMPT = "$states.context.State.RetryCount"
MAP_ITEM = "$states.input"


def enclose(expression: str) -> str:
    """Return the string that Step Functions evaluates as JSONata."""
    return f"{{% {expression} %}}"


def literal(value: Json) -> str:
    """Write a value as JSONata, whose literals are JSON's."""
    return json.dumps(value, ensure_ascii=False)


def field(*path: str) -> str:
    """Return a path such as `$step_train.metrics.recall`; names that JSONata reads otherwise are quoted."""
    head, *rest = path
    return ".".join([f"${head}", *(_name(each) for each in rest)])


def ref(reference: Ref) -> str:
    """Return the JSONata that a checked reference stands for."""
    scope, first, *rest = reference.path
    return field(f"step_{identifier(first)}", *rest) if scope == "steps" else field(scope, first, *rest)


def join(parts: Sequence[Part]) -> str:
    """Return the JSONata of a text with references in it; one that is a whole reference keeps its type."""
    if references.is_whole(tuple(parts)):
        return _part(parts[0])
    return " & ".join(_part(part) if isinstance(part, str) else f"$string({_part(part)})" for part in parts)


Texts = dict[str, tuple[Part, ...]]


def template(value: Any, texts: Texts) -> Any:  # noqa: ANN401 - any JSON in, any JSON out
    """Return a config with every text that `texts` holds cut into parts replaced by its expression."""
    if isinstance(value, str):
        return enclose(join(texts[value])) if value in texts else value
    if isinstance(value, Mapping):
        return {key: template(item, texts) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [template(item, texts) for item in value]
    return value


def given_or(name: str, default: str) -> str:
    """Return the run's value of a parameter, or else the default expression."""
    path = field("states", "input", "params", name)
    return f"$exists({path}) ? {path} : {default}"


def missing(name: str) -> str:
    """Return the expression that fails the run for want of a parameter."""
    return f"$error({literal(f'this run needs the parameter {name!r}')})"


def merge_outcomes(condition: str, value: str) -> str:
    """Return the object target → value of a Map's outcomes that fulfil a condition; {} where none does.

    The inner brackets keep one outcome, and none at all, an array: JSONata unwraps sequences of one.
    """
    return f"$merge([$states.result[{condition}].{{target: {value}}}])"


def failed_targets(variable: str, gives: str) -> str:
    """Return the sentence that names every failed target with its cause."""
    return (
        f"($failed := {field(variable, 'failed')}; $lost := $count($keys($failed)); "
        f"$all := $lost + $count($keys({field(variable, gives)})); "
        '$string($lost) & " of " & $string($all) & " targets failed: " & '
        '$join($each($failed, function($why, $target) { $target & ": " & $why.cause }), "; "))'
    )


def run_scope(pipeline: str) -> dict[str, str]:
    """Return the variable that tells handlers which run they serve."""
    return {**RUN_FIELDS, "pipeline": pipeline}


def _part(part: Part) -> str:
    return ref(part) if isinstance(part, Ref) else literal(part)


def _name(text: str) -> str:
    return text if _NAME.fullmatch(text) and text not in _OPERATORS else f"`{text}`"
