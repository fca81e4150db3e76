"""JSONata texts: references, literals and the few expressions that every definition holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipelines import references
from pipelines.references import Part, Ref
from pipelines.resolution import ITEM
from pipelines.spec import RUN_FIELDS, identifier

if TYPE_CHECKING:
    from pipelines.values import Json

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATORS = frozenset({"and", "or", "in", "true", "false", "null", "function"})

_BARE = "$substring($c,0,15) = '{\"errorMessage\"' and $substring($c,-1) = '}' ? $parse($c).errorMessage : $c"
"""The bare message of an error: Lambda wraps it as {"errorMessage": ..., "errorType": ...}, others do not.

A cause longer than 32,768 characters arrives cut off; what does not end as JSON is taken as it is.
"""

LOST = (
    "($l := $states.input.failed; $string($count($keys($l))) & ' of {of} targets failed: ' & "
    "$join($each($l, function($v, $k) {{ $k & ': ' & $v.cause }}), '; '))"
)
"""The sentence that names every failed target, of as many as `of` says, with its cause."""

OUTCOME = (
    "($e := $states.errorOutput; $c := [$e.Cause,''][0]; {'target': $states.input, "
    f"'error': [$e.Error,'States.TaskFailed'][0], 'cause': {_BARE}}})"
)
"""What becomes of a target whose task failed."""

TASK_RESULT = "$states.result.Payload"
"""What `lambda:invoke` returns wraps what the function returned; a task token's answer is not wrapped."""

CALLBACK_RESULT = "$states.result"

TOKEN = "$states.context.Task.Token"  # noqa: S105 - where Step Functions keeps the token
ATTEMPT = "$states.context.State.RetryCount"
MAP_ITEM = "$states.input"

REDRIVES = "[$states.context.Execution.RedriveCount,0][0]"
"""How often the run was redriven; AWS says 0 for one that never was, and this would hold if it said nothing.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
"""


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
    if reference.path == ITEM:
        return "$states.input.item"
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


def merge_outcomes(condition: str, value: str) -> str:
    """Return the object target → value of a Map's outcomes that fulfil a condition; {} where none does.

    The inner brackets keep one outcome, and none at all, an array: JSONata unwraps sequences of one.
    """
    return f"$merge([$states.result[{condition}].{{target: {value}}}])"


def merge_waves(names: Sequence[str], variables: Sequence[str]) -> str:
    """Return one deployment made of those of several waves, whose last has just answered.

    The brackets keep single entries lists: JSONata unwraps sequences of one.
    """
    earlier = "".join(f"${name}, " for name in variables)
    return (
        f"($w := [{earlier}$states.result.deployment]; $merge([$w[-1], {{'facts': $merge([$w[-1].facts, "
        "{'deployments': [$w.facts.deployments], 'devices': $merge([$w.facts.devices]), "
        f"'waves': {literal(list(names))}}}])}}]))"
    )


def none_skipped(variables: Sequence[str]) -> str:
    """Return the condition that none of these steps was skipped."""
    return " and ".join(f"$not($exists(${name}.skipped))" for name in variables)


def run_scope(pipeline: str) -> dict[str, str]:
    """Return the variable that tells handlers which run they serve."""
    return {**RUN_FIELDS, "pipeline": pipeline}


def _part(part: Part) -> str:
    return ref(part) if isinstance(part, Ref) else literal(part)


def _name(text: str) -> str:
    return text if _NAME.fullmatch(text) and text not in _OPERATORS else f"`{text}`"
