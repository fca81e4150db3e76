"""What EventBridge does for the platform: events go to the events function, a schedule wakes the sweeper."""

from __future__ import annotations

import json
import logging
import math
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from local_cloud.context import ORCHESTRATOR_ACCOUNT, Context, Event
from pipelines.platform import function_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SWEEP_SECONDS = 2.0
"""On AWS the sweeper wakes once a minute; here a lost event should not cost a minute."""
LEAST_SWEEP_SECONDS = 0.01
"""Of this machine, however fast the cloud's clock runs."""
HEARTBEATS = re.compile(r'"HeartbeatSeconds": *(\d+)')
USUAL_HEARTBEAT_SECONDS = 900
"""What compiled definitions have where the spec says nothing."""

log = logging.getLogger(__name__)


@contextmanager
def rules(
    context: Context, definition: str = "", before_sweeps: Callable[[], None] | None = None
) -> Iterator[None]:
    """Deliver events, wake the sweeper and let scaled time pass until the block ends.

    However fast the cloud's clock runs, the sweeper wakes often enough for the heartbeats of `definition`,
    and `before_sweeps` is called each time before it.
    """
    stopping = threading.Event()
    naps = (context, stopping, silence(definition), before_sweeps or _do_nothing)
    sweeper = threading.Thread(target=_sweep, args=naps, name="sweep schedule")
    before, context.emit = context.emit, lambda event: _deliver(context, event)
    sweeper.start()
    try:
        with context.clock.hurrying():
            yield
    finally:
        stopping.set()
        sweeper.join()
        context.clock.allow(math.inf)
        context.emit = before


def silence(definition: str) -> float:
    """Return how long the sweeper may sleep, in seconds: two naps fit into the shortest heartbeat."""
    shortest = min((int(each) for each in HEARTBEATS.findall(definition)), default=USUAL_HEARTBEAT_SECONDS)
    return shortest * 0.45


def _deliver(context: Context, event: Event) -> None:
    _invoke(context, "events", event)


def _do_nothing() -> None:
    """Do nothing before a sweep."""


def _sweep(
    context: Context, stopping: threading.Event, silence: float, before_sweep: Callable[[], None]
) -> None:
    while not stopping.is_set():
        context.clock.allow(silence)
        context.clock.wait(stopping, SWEEP_SECONDS)
        if not stopping.wait(LEAST_SWEEP_SECONDS):
            before_sweep()
            sweep(context)


def sweep(context: Context) -> None:
    """Wake the sweeper once."""
    _invoke(context, "sweeper", {})


def _invoke(context: Context, name: str, payload: Event) -> None:
    """Invoke a service function; its failure is logged, not raised: EventBridge has no caller to tell."""
    client = context.client("lambda", ORCHESTRATOR_ACCOUNT)
    try:
        reply = client.invoke(FunctionName=function_name(name), Payload=json.dumps(payload, default=str))
    except client.exceptions.ResourceNotFoundException:
        return  # nothing has been deployed yet
    if "FunctionError" in reply:
        log.warning("%s failed: %s", function_name(name), reply["Payload"].read().decode())
