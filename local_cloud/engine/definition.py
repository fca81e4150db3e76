"""A state machine as frozen data: what the reader checked, the interpreter runs."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_cloud.engine.expression import Template


class Absent(enum.Enum):
    """Tells a field that is missing from one that is null."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True, kw_only=True)
class Exit:
    """How a state, a choice rule or a catcher hands on: the next state (None ends the scope) and its data."""

    next: str | None
    assign: Mapping[str, Template] = field(default_factory=dict)
    output: Template | Absent = ABSENT


@dataclass(frozen=True, kw_only=True)
class Retrier:
    """One entry of `Retry`; times are seconds."""

    errors: tuple[str, ...]
    interval: int = 1
    max_attempts: int = 3
    backoff_rate: float = 2.0
    max_delay: int | None = None
    jitter: Literal["FULL", "NONE"] = "NONE"


@dataclass(frozen=True, kw_only=True)
class Catcher:
    """One entry of `Catch`."""

    errors: tuple[str, ...]
    exit: Exit


@dataclass(frozen=True, kw_only=True)
class Pass:
    """Hands its input or `Output` on."""

    name: str
    exit: Exit


@dataclass(frozen=True, kw_only=True)
class Succeed:
    """Ends its scope with a value."""

    name: str
    exit: Exit


@dataclass(frozen=True, kw_only=True)
class Fail:
    """Ends its scope with an error."""

    name: str
    error: Template | Absent = ABSENT
    cause: Template | Absent = ABSENT


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Waits for seconds, or until an RFC 3339 time."""

    name: str
    exit: Exit
    seconds: Template | Absent = ABSENT
    timestamp: Template | Absent = ABSENT


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One entry of `Choices`."""

    condition: Template
    exit: Exit


@dataclass(frozen=True, kw_only=True)
class Choice:
    """Takes the first rule that holds, else `default`."""

    name: str
    rules: tuple[Rule, ...]
    default: Exit | None


@dataclass(frozen=True, kw_only=True)
class Task:
    """Calls a service; with `waits_for_token`, its result is what somebody sends for the task's token.

    With `waits_for_child`, it is how the execution ended that the call started.
    """

    name: str
    exit: Exit
    resource: str
    """The ARN as written."""
    service: str
    """Such as `lambda:invoke`."""
    waits_for_token: bool
    waits_for_child: bool = False
    role: Template | Absent = ABSENT
    """`Credentials.RoleArn`."""
    arguments: Template | Absent = ABSENT
    timeout: Template | Absent = ABSENT
    heartbeat: Template | Absent = ABSENT
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()

    @property
    def integration(self) -> str:
        """Name the service as the `World` knows it."""
        return f"{self.service}.sync:2" if self.waits_for_child else self.service


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """Runs its branches at once; its result is the list of theirs."""

    name: str
    exit: Exit
    branches: tuple[Scope, ...]
    arguments: Template | Absent = ABSENT
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Map:
    """Runs its processor once for each item; its result is the list of theirs."""

    name: str
    exit: Exit
    processor: Scope
    items: Template | Absent = ABSENT
    selector: Template | Absent = ABSENT
    max_concurrency: Template = 0
    """0 is as many as an inline Map allows."""
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()


State: TypeAlias = Pass | Succeed | Fail | Wait | Choice | Task | Parallel | Map
Guarded: TypeAlias = Task | Parallel | Map
"""States that retry and catch."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """States that transition only among themselves."""

    start_at: str
    states: Mapping[str, State]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A whole definition."""

    scope: Scope
    timeout: int | None = None
    """Seconds an execution may take."""


def exits(state: State) -> list[Exit]:
    """Return every way out of a state, catchers' included."""
    match state:
        case Fail():
            return []
        case Choice():
            return [rule.exit for rule in state.rules] + ([state.default] if state.default else [])
        case Task() | Parallel() | Map():
            return [state.exit, *(catcher.exit for catcher in state.catch)]
        case Pass() | Succeed() | Wait():
            return [state.exit]


def inner_scopes(state: State) -> tuple[Scope, ...]:
    """Return the scopes that a state runs inside itself."""
    match state:
        case Parallel():
            return state.branches
        case Map():
            return (state.processor,)
        case _:
            return ()
