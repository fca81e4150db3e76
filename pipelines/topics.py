"""Whom approvals tell that a run waits, and whether the platform may tell them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.states import mark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.machine import Machine
    from pipelines.usecase import UseCase

USECASES = "usecase_topic"
"""The marker of the use case's own topic."""


def find(machine: Machine) -> Iterator[str]:
    """Yield the topics that approvals tell: an ARN that the spec names, or the marker of the use case's."""
    told = {
        str(task.config["topic"])
        for task in machine.tasks
        if task.kind == "approve" and "topic" in task.config
    }
    yield from sorted(mark(USECASES) if topic.startswith("{%") else topic for topic in told)


def find_wrong(machine: Machine, usecase: UseCase) -> str:
    """Say why the platform could not tell a topic; nothing, if nothing is wrong.

    The handler of approvals serves all pipelines, so it may publish to the topics of use cases alone.
    """
    wrong = [topic for topic in find(machine) if topic not in (mark(USECASES), usecase.topic)]
    if wrong:
        return (
            f"approvals may tell the topic of their use case only, not {wrong[0]}: write it as `topic` into "
            f"usecases/{usecase.id}.yaml and run `edgepipe deploy`"
        )
    if usecase.topic is None and any(find(machine)):
        return (
            f"the spec tells a topic when an approval waits, and use case '{usecase.id}' has none: "
            f"write `topic` into usecases/{usecase.id}.yaml and run `edgepipe deploy`"
        )
    return ""
