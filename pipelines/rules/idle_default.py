"""P055: a default is of use to some step, and within AWS's limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines import nodes, schema
from pipelines.configs import seconds, write_seconds
from pipelines.diagnostics import Diagnostic
from pipelines.rules.time_limits import LEAST_SECONDS, LONGEST_SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.rules.subject import Subject

CODE = "P055"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield defaults that no step of the pipeline takes, and a timeout that none could have."""
    taken = {
        key
        for kind in {step.kind.schema for step in subject.pipeline.steps if step.kind}
        for key in schema.load(kind)["properties"]
    }
    for key, value in nodes.entries(subject.pipeline.root.get("defaults")):
        own = subject.pipeline.defaults.get(key.text)
        if key.text in subject.pipeline.defaults and key.text not in taken:
            message = f"no step of this pipeline takes '{key.text}'"
            yield Diagnostic(code=CODE, message=message, span=key.span, hint="Remove the default.")
        if key.text == "timeout" and isinstance(own, str) and not _fits(seconds(own)):
            bounds = f"between {write_seconds(LEAST_SECONDS)} and {write_seconds(LONGEST_SECONDS)}"
            message = f"a default timeout must be {bounds}"
            yield Diagnostic(code=CODE, message=message, span=value.span)


def _fits(timeout: int) -> bool:
    return LEAST_SECONDS <= timeout <= LONGEST_SECONDS
