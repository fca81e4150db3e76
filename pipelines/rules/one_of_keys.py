"""P054: of keys that stand for each other there is exactly one, and with it what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import nodes
from pipelines.diagnostics import Diagnostic, near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.nodes import Node
    from pipelines.rules.subject import Subject
    from pipelines.spec import Step

CODE = "P054"

_ONE_OF: Mapping[str, tuple[str, ...]] = {
    "train": ("script", "algorithm", "image"),
    "deploy": ("targets", "waves"),
}
_EXAMPLES: Mapping[str, str] = {
    "train": "script: training/train.py",
    "deploy": "targets: [thing/line-3-station-1]",
}


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield steps and triggers that say one thing twice, or not at all."""
    for step in subject.pipeline.steps:
        kind = step.kind.name if step.kind else ""
        if kind in _ONE_OF:
            yield from _check_step(step, kind)
        if kind == "train":
            yield from _check_framework(step)
    triggers = subject.pipeline.root.get("triggers")
    for trigger in getattr(triggers, "items", ()):
        drift = nodes.find(trigger, "drift")
        said = [key for key in ("below", "above") if nodes.find(drift, key)] if drift else []
        if drift and len(said) != 1:
            message = "a drift trigger has either 'below' or 'above'"
            hint = "Keep one of the two." if said else "Add one, such as 'below: 0.7'."
            yield Diagnostic(code=CODE, message=message, span=drift.span, hint=hint)


def _check_step(step: Step, kind: str) -> Iterator[Diagnostic]:
    keys = _ONE_OF[kind]
    said = [key for key, _ in nodes.entries(step.node) if key.text in keys]
    listed = f"{', '.join(keys[:-1])} or {keys[-1]}"
    if len(said) > 1:
        message = (
            f"step '{step.id.value}' has '{said[0].text}' and '{said[1].text}', which exclude each other"
        )
        yield Diagnostic(code=CODE, message=message, span=said[1].span, hint="Keep one of the two.")
    if not said and not _misspelt(step.node, keys):
        message = f"step '{step.id.value}' needs {listed}"
        hint = f"Add one, such as '{_EXAMPLES[kind]}'."
        yield Diagnostic(code=CODE, message=message, span=step.id.span, hint=hint)


def _misspelt(node: Node, keys: tuple[str, ...]) -> bool:
    return any(near_miss(key.text, keys) for key, _ in nodes.entries(node))


def _check_framework(step: Step) -> Iterator[Diagnostic]:
    script, framework = step.find("script"), step.find("framework")
    if script and not framework and not _misspelt(step.node, ("framework",)):
        message = f"step '{step.id.value}' has a script and no 'framework' to run it"
        hint = "Add one, such as 'framework: {name: sklearn, version: \"1.4-2\"}'."
        yield Diagnostic(code=CODE, message=message, span=step.id.span, hint=hint)
