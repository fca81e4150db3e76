"""Answers that other threads give: a task's result, and what is sent for its token.

Facts: https://docs.aws.amazon.com/step-functions/latest/apireference/API_SendTaskSuccess.html
Tokens are bearer secrets: they are made here from the system's own randomness and logged nowhere.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_cloud.engine.errors import Cancelled, Failure

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.engine.expression import Json

_YIELD_SECONDS = 0.00005
"""How long who sends an answer lets the execution go first, which Python would keep waiting for longer."""
_FORM = re.compile(r"AQC[A-Za-z0-9_-]{86}")


def new_token() -> str:
    """Return a token that nobody can guess."""
    return f"AQC{secrets.token_urlsafe(64)}"


def is_token(text: str) -> bool:
    """Tell whether a text has the form of our tokens."""
    return bool(_FORM.fullmatch(text))


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a task came to: a value, or a failure."""

    value: Json = None
    failure: Failure | None = None

    def record(self) -> Json:
        """Return plain JSON for a journal."""
        if self.failure is None:
            return {"value": self.value}
        return {"error": self.failure.error, "cause": self.failure.cause}

    @classmethod
    def read(cls, record: Json) -> Outcome:
        """Return what `record` was made of."""
        if "value" in record:
            return cls(value=record["value"])
        return cls(failure=Failure(record["error"], record["cause"]))

    def get(self) -> Json:
        """Return the value or raise the failure."""
        if self.failure is not None:
            raise self.failure
        return self.value


class Reply:
    """One expected outcome; the first one given counts, and is kept before anybody sees it."""

    def __init__(self, keep: Callable[[Outcome], None], beat: float) -> None:
        self.done = threading.Event()
        self._keep = keep
        self.beat = beat
        """Epoch seconds of the last sign of life."""
        self._lock = threading.Lock()
        self._outcome: Outcome | None = None

    def give(self, outcome: Outcome) -> bool:
        """Settle the reply; return False if it was settled before or nobody waits for it any more."""
        with self._lock:
            if self._outcome is not None:
                return False
            try:
                self._keep(outcome)
            except Cancelled:
                return False
            self._outcome = outcome
        self.done.set()
        return True

    def while_open(self, action: Callable[[], None]) -> None:
        """Run `action` unless the reply is settled; it is not settled meanwhile."""
        with self._lock:
            if self._outcome is None:
                action()

    def get(self) -> Outcome:
        """Return the outcome given."""
        if self._outcome is None:
            message = "a reply was read before it was given: please report this bug of the local engine"
            raise RuntimeError(message)
        return self._outcome


class Tokens:
    """The replies that tokens stand for; every method is safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, Reply] = {}

    def open(self, token: str, reply: Reply) -> Reply:
        """Let `token` answer `reply`, or the reply that it answers already; return that."""
        with self._lock:
            return self._open.setdefault(token, reply)

    def close(self, token: str) -> None:
        """Stop accepting answers for a token."""
        with self._lock:
            self._open.pop(token, None)

    def answer(self, token: str, outcome: Outcome) -> bool:
        """Give a token's reply; return False if nobody waits for it any more."""
        with self._lock:
            reply = self._open.get(token)
        if reply is None or not reply.give(outcome):
            return False
        time.sleep(_YIELD_SECONDS)
        return True

    def beat(self, token: str, now: float) -> bool:
        """Note a sign of life; return False if nobody waits for the token any more."""
        with self._lock:
            reply = self._open.get(token)
        if reply is None or reply.done.is_set():
            return False
        reply.beat = now
        return True
