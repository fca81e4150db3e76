"""P036: components have names that Greengrass takes and nobody else has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines import nodes
from pipelines.configs import DEVICE_COMPONENTS
from pipelines.diagnostics import Diagnostic, one_of
from pipelines.nodes import ScalarNode
from pipelines.source import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject
    from pipelines.spec import Step

CODE = "P036"


_FULL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)+")
_RESERVED = ("aws.", "com.edgepipe.")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield unknown short names, names that are none, and published names that belong to somebody else."""
    for step in subject.pipeline.steps:
        kind = step.kind.name if step.kind else ""
        if kind == "deploy":
            yield from _check_deployed(step)
        own = step.find("component")
        if kind == "publish" and isinstance(own, ScalarNode) and own.text.lower().startswith(_RESERVED):
            message = f"'{own.text}' begins with a reserved prefix ({' or '.join(_RESERVED)})"
            yield Diagnostic(code=CODE, message=message, span=own.span, hint="Use a prefix of your own.")


def _check_deployed(step: Step) -> Iterator[Diagnostic]:
    for key, _ in nodes.entries(step.find("components")):
        known = key.text in DEVICE_COMPONENTS or (_FULL.fullmatch(key.text) and len(key.text) <= 128)
        if not known:
            hint = one_of(key.text, DEVICE_COMPONENTS, "short names")
            message = f"there is no component with the short name '{shorten(key.text)}'"
            hint = f"{hint} A full name has a dot in it, such as com.example.uploader."
            yield Diagnostic(code=CODE, message=message, span=key.span, hint=hint)
