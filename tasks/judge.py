"""Fails a fan-out of which too much failed. A redrive passes it, and the fan-out runs again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tasks.errors import JobFailedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.event import Output

ACTIONS: tuple[str, ...] = ()


def handler(payload: Mapping[str, Any], _context: object) -> Output:
    """Raise JobFailedError with the `cause`, which ends the run; return once the run is `redriven`."""
    if payload["redriven"]:
        return {}
    raise JobFailedError(payload["cause"])
