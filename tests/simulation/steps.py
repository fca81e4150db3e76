"""One waiting step as Step Functions drives it: tokens, time limits, retries as the compiled state has them.

Facts: https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulation.scheduler import Scheduler

GOLDEN = Path(__file__).parents[1] / "golden" / "cookies" / "asl.json"
LOST_REPLY = "Lambda.ServiceException"
"""What Step Functions sees when the answer of a Lambda does not arrive, whatever the Lambda goes on to do."""

DEATH, LATE = "Runtime.ExitError", "Sandbox.Timedout"
"""What it sees when a Lambda is killed, and when it takes more than its own time."""


@dataclass(frozen=True, kw_only=True)
class Retrier:
    """One retry rule; `interval` and `longest` are in seconds."""

    errors: frozenset[str]
    interval: float
    attempts: int
    backoff: float
    longest: float


@cache
def retriers() -> tuple[Retrier, ...]:
    """Return the retry rules of the example's training state, as the compiler writes them."""
    state = json.loads(GOLDEN.read_text(encoding="utf-8"))["States"]["train"]
    return tuple(
        Retrier(
            errors=frozenset(rule["ErrorEquals"]),
            interval=rule.get("IntervalSeconds", 1),
            attempts=rule.get("MaxAttempts", 3),
            backoff=rule.get("BackoffRate", 2.0),
            longest=rule.get("MaxDelaySeconds", float("inf")),
        )
        for rule in state["Retry"]
    )


@dataclass(kw_only=True)
class Run:
    """A run whose only step waits for a job."""

    arn: str
    scheduler: Scheduler
    random: Random
    timeout: float
    heartbeat: float
    deliver: Callable[[Run, str], object]
    """Calls the step's handler with a token."""
    failed: Callable[[Run], object]
    """Hears that its step failed for good, and ends with `Run.give_up` of the same life."""
    ended: Callable[[Run], object]
    """Hears that it ended otherwise than well."""
    neglected: Callable[[Run], object]
    """Hears that a token got no heartbeat in time."""
    status: str = "RUNNING"
    token: str | None = None
    waiting_since: float = 0.0
    ended_at: float | None = None
    tokens: int = 0
    life: int = 0
    """How often it was redriven: what one life had planned does not reach into the next."""
    _retries: Counter[frozenset[str]] = field(default_factory=Counter)
    _beat: float = 0.0

    def begin(self) -> None:
        """Enter the state: a new token, its time limits, one call of the handler."""
        if self.status != "RUNNING":
            return
        self.tokens += 1
        token = f"{self.arn}/token-{self.tokens}"
        self.token, self.waiting_since, self._beat = token, self.scheduler.now, self.scheduler.now
        self.scheduler.at(self.timeout, lambda: self._expire(token))
        self.scheduler.at(self.heartbeat, lambda: self._check_beat(token))
        self.deliver(self, token)

    def succeed(self) -> dict[str, Any]:
        """Take a success for the token."""
        return self._end("SUCCEEDED")

    def fail(self, error: str) -> dict[str, Any]:
        """Take an error for the token: the next attempt, or the run fails."""
        self.token = None
        self.scheduler.say(f"{self.arn} gets {error}")
        life = self.life
        for rule in retriers():
            if error in rule.errors and self._retries[rule.errors] < rule.attempts:
                wait = min(rule.longest, rule.interval * rule.backoff ** self._retries[rule.errors])
                self._retries[rule.errors] += 1
                self.scheduler.at(self.random.random() * wait, lambda: self._retry(life))
                return {}
        self.failed(self)
        return {}

    def lose_reply(self, token: str) -> None:
        """Hear nothing from the handler that was called with a token."""
        if self.token == token:
            self.fail(LOST_REPLY)

    def hear_of_death(self, token: str, *, late: bool) -> None:
        """Hear that the handler that was called with a token died, or was ended because it was late."""
        self.refuse(token, LATE if late else DEATH)

    def refuse(self, token: str, error: str) -> None:
        """Hear an error from the handler that was called with a token."""
        if self.token == token:
            self.fail(error)

    def give_up(self, life: int) -> None:
        """End as failed, unless it was redriven since."""
        if self.status == "RUNNING" and self.life == life:
            self._end("FAILED")

    def abort(self) -> None:
        """End as a person wants it."""
        if self.status == "RUNNING":
            self._end("ABORTED")

    def redrive(self) -> None:
        """Start the step again in the same execution."""
        if self.status in ("FAILED", "ABORTED"):
            self.scheduler.say(f"{self.arn} is redriven")
            self.status, self.ended_at, self.life = "RUNNING", None, self.life + 1
            self._retries.clear()
            self.begin()

    def beat(self) -> dict[str, Any]:
        """Take a heartbeat."""
        self._beat = self.scheduler.now
        return {}

    def _end(self, status: str) -> dict[str, Any]:
        self.scheduler.say(f"{self.arn} ends: {status}")
        self.status, self.token, self.ended_at = status, None, self.scheduler.now
        if status != "SUCCEEDED":
            self.ended(self)
        return {}

    def _retry(self, life: int) -> None:
        if self.life == life:
            self.begin()

    def _expire(self, token: str) -> None:
        if self.token == token:
            self.fail("States.Timeout")

    def _check_beat(self, token: str) -> None:
        if self.token != token:
            return
        silence = self.scheduler.now - self._beat
        if silence >= self.heartbeat:
            self.neglected(self)
            self.fail("States.HeartbeatTimeout")
        else:
            self.scheduler.at(self.heartbeat - silence, lambda: self._check_beat(token))
