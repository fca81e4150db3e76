"""custom: calls a function that the pipeline's author wrote, and holds its result to what the step declares.

Each custom step has a Lambda function of its own. Its zip holds the author's files at the top, this package
beside them, and the file DECLARATION, which says what to call and what it must return:

    {"module": "audit", "function": "run", "gives": "" or an artifact type, "outputs": {name: JSON type}}

The author's function is called as Lambda calls any: with the step's event as JSON, and with Lambda's context.
A step that waits for its token gives its output by that token: what its function returns is not looked at.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tasks import aws, entry
from tasks.errors import TaskInputError
from tasks.event import Output, parse_artifact, parse_event
from tasks.fields import Fields

ACTIONS = aws.ACTIONS
"""What entering the use case's account needs; what the function does there is its author's to allow."""

DECLARATION = "edgepipe-custom.json"
MAX_OUTPUT = 262_144
PER_TARGET = frozenset({"compiled_model", "package"})
"""The artifact types of which an output holds one for each target."""

JSON_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (Mapping,),
    "array": (list, tuple),
}

Function: TypeAlias = Callable[[Mapping[str, Any], object], Any]
Import: TypeAlias = Callable[[str], Any]
"""Returns a module by its name."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What a custom step calls, the artifact type that it gives, if any, and its outputs by JSON type."""

    module: str
    function: str
    gives: str
    outputs: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all outputs."""
        return (*([self.gives] if self.gives else []), *self.outputs)


def handler(payload: Mapping[str, Any], context: object) -> Output:
    """Call the author's function, whose files lie beside this package."""
    folder = Path(os.environ.get("LAMBDA_TASK_ROOT", "."))
    return open_handler(folder, importlib.import_module)(payload, context)


def open_handler(folder: Path, import_module: Import) -> entry.Handler:
    """Return the handler of the function whose zip lies unpacked in `folder`."""
    declaration = parse_declaration(json.loads((folder / DECLARATION).read_text(encoding="utf-8")))

    def call(payload: Mapping[str, Any], context: object) -> Output:
        def run(_payload: Mapping[str, Any]) -> Output:
            return run_function(payload, context, declaration, import_module)

        return entry.guarded(run)(payload, context)

    return call


def parse_declaration(document: Any) -> Declaration:  # noqa: ANN401 - any JSON value
    """Return the declaration that a deployment wrote; raises TaskInputError naming the wrong field."""
    fields = Fields(document if isinstance(document, Mapping) else {}, DECLARATION)
    outputs = fields.child("outputs", {})
    return Declaration(
        module=fields.text("module", pattern=r"[A-Za-z_][A-Za-z0-9_]*"),
        function=fields.text("function", pattern=r"[A-Za-z_][A-Za-z0-9_]*"),
        gives=fields.text("gives", ""),
        outputs={name: outputs.text(name, pattern="|".join(JSON_TYPES)) for name in outputs.values},
    )


def run_function(
    payload: Mapping[str, Any], context: object, declaration: Declaration, import_module: Import
) -> Output:
    """Check the event, call the function, check what it returns; raises TaskInputError for either."""
    event = parse_event(payload)
    function = _find_function(declaration, import_module)
    result = function(payload, context)
    if event.token is not None:
        return {}
    return check_result(result, declaration, event.step)


def check_result(result: Any, declaration: Declaration, step: str) -> Output:  # noqa: ANN401 - the author's
    """Return what an author's function returned, if it is what the step declares; raises TaskInputError."""
    where = f"{declaration.module}:{declaration.function} of step {step!r}"
    if not isinstance(result, Mapping):
        message = (
            f"{where} must return an object of its outputs ({_listed(declaration)}), not {_shown(result)}"
        )
        raise TaskInputError(message)
    fields = Fields(result, f"what {where} returned")
    undeclared = sorted(set(map(str, result)) - set(declaration.names))
    if undeclared:
        message = (
            f"{where} returned {', '.join(undeclared)}, which the spec does not declare "
            f"({_listed(declaration)}); name them under `outputs:`, or leave them out"
        )
        raise TaskInputError(message)
    for name, kind in declaration.outputs.items():
        _check_type(fields, name, kind)
    if declaration.gives:
        _check_artifact(fields, declaration.gives)
    return _as_json(result, where)


def _find_function(declaration: Declaration, import_module: Import) -> Function:
    function = getattr(import_module(declaration.module), declaration.function, None)
    if not callable(function):
        message = (
            f"{declaration.module}.py has no function {declaration.function!r}; "
            f"define `def {declaration.function}(event, context):` there, or correct `handler:`"
        )
        raise TaskInputError(message)
    found: Function = function
    return found


def _check_type(fields: Fields, name: str, kind: str) -> None:
    if name not in fields.values:
        message = f"{fields.where} has no {name!r}, which the spec declares as {kind}"
        raise TaskInputError(message)
    value = fields.values[name]
    if not isinstance(value, JSON_TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        fields.refuse(name, f"must be of type {kind}")


def _check_artifact(fields: Fields, kind: str) -> None:
    given = fields.child(kind)
    per_target = kind in PER_TARGET
    for artifact in [given.child(target) for target in given.values] if per_target else [given]:
        if parse_artifact(artifact).type != kind:
            artifact.refuse("type", f"must be {kind!r}")


def _as_json(result: Mapping[str, Any], where: str) -> Output:
    try:
        text = json.dumps(result, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        message = f"what {where} returned is no JSON: {error}"
        raise TaskInputError(message) from error
    if len(text) > MAX_OUTPUT:
        message = (
            f"what {where} returned has {len(text)} bytes; Step Functions takes {MAX_OUTPUT}: put it in S3"
        )
        raise TaskInputError(message)
    output: Output = json.loads(text)
    return output


def _listed(declaration: Declaration) -> str:
    return f"it declares {', '.join(declaration.names)}" if declaration.names else "it declares none"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
