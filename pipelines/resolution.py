"""What a reference names, and the type of its value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.diagnostics import one_of
from pipelines.kinds import PER_TARGET, StepKind
from pipelines.source import shorten
from pipelines.spec import RUN_FIELDS, USECASE_FIELDS, Pipeline, Step

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.references import Ref

ANY = "any"
"""The type of what only a run knows, such as an artifact's facts."""

SCALARS = frozenset({"string", "integer", "number", "boolean"})

PARAM_TYPES = {
    "string": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "s3uri": "string",
    "list": "array",
}
"""A parameter's type → the JSON type of its values."""

ITEM = ("item",)
"""The entry of the list that a step's `for_each` goes through."""

_ARTIFACT_FIELDS = {"type": "string", "uri": "string", "digest": "string", "facts": "object"}


@dataclass(frozen=True, kw_only=True)
class Unknown:
    """The reference names nothing."""

    message: str
    hint: str | None = None


def resolve(ref: Ref, pipeline: Pipeline) -> str | Unknown:
    """Return the JSON type of what a reference names, ANY where only the run knows it."""
    if ref.path == ITEM:
        return ANY
    if len(ref.path) < 2:
        return _unknown("", ("params", "usecase", "run", "steps"), "scopes")
    scope, name, *rest = ref.path
    match scope:
        case "params":
            param = pipeline.param(name)
            known = [each.name for each in pipeline.params]
            found = PARAM_TYPES.get(param.type, ANY) if param else _undeclared(name, known)
        case "usecase":
            found = (
                "string" if name in USECASE_FIELDS else _unknown(name, USECASE_FIELDS, "use case's fields")
            )
        case "run":
            fields = (*RUN_FIELDS, "pipeline")
            found = "string" if name in fields else _unknown(name, fields, "fields of a run")
        case "steps":
            return _resolve_step(pipeline, name, rest)
        case _:
            return _unknown(scope, ("params", "usecase", "run", "steps"), "scopes")
    return _no_fields(ref) if rest and isinstance(found, str) else found


def _resolve_step(pipeline: Pipeline, name: str, rest: list[str]) -> str | Unknown:
    step = pipeline.step(name)
    if step is None:
        return _unknown(name, [each.id.value for each in pipeline.steps], "steps")
    if step.kind is None:
        return ANY
    if not rest:
        outputs = ", ".join(step.kind.outputs)
        return Unknown(message=f"step '{name}' has several outputs", hint=f"Name one of {outputs}.")
    found = _resolve_output(step, step.kind, rest)
    return "array" if step.for_each is not None and isinstance(found, str) else found


def _resolve_output(step: Step, kind: StepKind, path: list[str]) -> str | Unknown:
    output, *rest = path
    if output in kind.reports:
        return _resolve_report(output, kind.reports[output], rest)
    if output != kind.gives:
        return _unknown(output, kind.outputs, f"outputs of step '{step.id.value}'")
    if output in PER_TARGET and rest:
        target, *rest = rest
        known = step.config.get(kind.fan_out) if kind.fan_out else None
        if isinstance(known, list) and target not in known:
            return _unknown(target, [str(each) for each in known], f"targets of step '{step.id.value}'")
    elif output in PER_TARGET:
        return "object"
    return _resolve_artifact(rest)


def _resolve_report(output: str, kind: str, rest: list[str]) -> str:
    if not rest:
        return kind
    return "number" if output == "metrics" and len(rest) == 1 else ANY


def _resolve_artifact(rest: list[str]) -> str | Unknown:
    if not rest:
        return "object"
    if rest[0] not in _ARTIFACT_FIELDS:
        return _unknown(rest[0], _ARTIFACT_FIELDS, "fields of an artifact")
    return _ARTIFACT_FIELDS[rest[0]] if len(rest) == 1 else ANY


def _no_fields(ref: Ref) -> Unknown:
    name = ".".join(ref.path[:2])
    return Unknown(message=f"'{name}' has no fields", hint=f"Write ${{{{ {name} }}}}.")


def _undeclared(name: str, known: list[str]) -> Unknown:
    if known:
        return _unknown(name, known, "parameters")
    hint = f"Declare it under 'params', such as '{shorten(name)}: {{type: string}}'."
    return Unknown(message=f"'{shorten(name)}' is no parameter of this pipeline", hint=hint)


def _unknown(word: str, known: Iterable[str], what: str) -> Unknown:
    names = list(known)
    return Unknown(message=f"'{shorten(word)}' is none of the {what}", hint=one_of(word, names, what))
