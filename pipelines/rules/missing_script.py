"""P035: the files that a spec names are there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject
    from pipelines.spec import Step

CODE = "P035"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield scripts that are not where the spec says, relative to it."""
    for step in subject.pipeline.steps:
        for key in _file_keys(step):
            path, node = _file(step, key), step.find(key)
            if path and node and not subject.exists(path):
                message = f"there is no file '{path}' beside the spec"
                hint = "Paths are relative to the spec's folder."
                yield Diagnostic(code=CODE, message=message, span=node.span, hint=hint)


def _file(step: Step, key: str) -> str:
    """Return the file that a key names: a script's path, or that of the module in `module:function`."""
    value = step.config.get(key)
    if not isinstance(value, str):
        return ""
    module, colon, _ = value.partition(":")
    return f"{module}.py" if colon else value


def _file_keys(step: Step) -> list[str]:
    return [rule.path_of for rule in step.kind.assets if rule.path_of] if step.kind else []
