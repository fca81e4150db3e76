"""What an interpreter is given: time, memory, other services, threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from local_cloud.engine.clock import Clock
    from local_cloud.engine.expression import Json
    from local_cloud.engine.journal import Journal
    from local_cloud.engine.replies import Tokens
    from local_cloud.workers import Workers


class Service(Protocol):
    """An integration such as `lambda:invoke`; safe to call from any thread."""

    def __call__(self, arguments: Json) -> Json:
        """Return the integration's result; raises Failure."""


@dataclass(frozen=True, kw_only=True)
class World:
    """The surroundings of one execution."""

    clock: Clock
    journal: Journal
    tokens: Tokens
    workers: Workers
    services: dict[str, Service]
    """By the names in `reader.RESOURCES`."""
    region: str
