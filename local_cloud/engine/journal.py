"""The one seam between the interpreter and the world: what was answered once is never asked again.

The interpreter is deterministic apart from what passes through a journal: results of tasks, tokens, the
time, random numbers, deadlines. Each has a key made of the path of its state's visit, such as
`compile#0/[1]/compile: target#0@0/token`. A journal that keeps the answers turns a second run of the
interpreter into a resumption of the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.engine.expression import Json


class Journal(Protocol):
    """Remembers answers by key; safe to call from any thread."""

    def once(self, key: str, effect: Callable[[], Json]) -> Json:
        """Return the answer kept under `key`, else that of `effect`, kept before it is returned.

        The answer is plain JSON. An `effect` that raises leaves no answer.
        """


class ForgetfulJournal:
    """Keeps nothing: each key is asked once within the life of a process, which is all that it serves."""

    def once(self, key: str, effect: Callable[[], Json]) -> Json:
        """Return what `effect` returns."""
        return effect()
