"""What an interpreter is given: time, memory, other services, threads."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from local_cloud.engine.errors import Cancelled, Expired, Suspended

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from local_cloud.clock import Clock
    from local_cloud.engine.expression import Json
    from local_cloud.engine.gate import Gate
    from local_cloud.engine.replies import Outcome, Tokens
    from local_cloud.workers import Workers


class Child(Protocol):
    """Something started by a call that has to end before it, such as an execution."""

    def when_ended(self, tell: Callable[[], None]) -> None:
        """Call `tell` once it has ended, at once if it has."""

    def stop(self, error: str | None = None, cause: str | None = None) -> None:
        """End it at once; nothing if it has ended."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a service by one attempt of a task."""

    arguments: Json
    role: str | None
    """The ARN in the task's `Credentials`, if it has them."""
    machine_role: str
    """The ARN of the state machine's role."""
    execution: str
    """The caller's execution ARN."""
    name: str
    """Names this attempt and no other, the same when it is resumed; fits as the name of an execution."""
    once: Callable[[str, Callable[[], Json]], Json]
    """The attempt's journal: `once(name, effect)` gives the answer kept under `name`, else the effect's."""
    gate: Gate
    """Closes when the attempt ends for whatever reason: a timeout, a stop, a failed sibling."""
    submitted: Callable[[Json], None]
    """Records what the service answered at once, before what it started has ended."""

    def follow(self, child: Child) -> None:
        """Wait until `child` has ended; it is stopped if this attempt ends first, unless that is resumed."""
        ended = threading.Event()  # of our own: a gate that closes sets what is waited for
        child.when_ended(ended.set)
        try:
            self.gate.wait(ended, None)
        except Suspended:
            raise
        except (Cancelled, Expired):
            child.stop()
            raise


class Service(Protocol):
    """An integration such as `states:startExecution`; safe to call from any thread."""

    def __call__(self, call: Call) -> Json:
        """Return the integration's result; raises Failure, or what ended a wait of the call's gate."""


class Prompt(ABC):
    """An integration such as `lambda:invoke`, which waits in threads of its own: fewer change hands then."""

    @abstractmethod
    def begin(self, call: Call, give: Callable[[Outcome], None]) -> None:
        """Have `give` called with what the call comes to, in any thread; raises Failure at once."""


@dataclass(frozen=True, kw_only=True)
class World:
    """The surroundings of one execution."""

    clock: Clock
    tokens: Tokens
    workers: Workers
    services: Mapping[str, Service | Prompt]
    """By `Task.integration`."""
    region: str
