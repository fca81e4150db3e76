"""`edgepipe local serve`: the local cloud for other programs, until Ctrl-C."""

from __future__ import annotations

import gc
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_cloud import interrupts
from local_cloud.clock import ScaledClock, SystemClock
from local_cloud.cloud import local_cloud
from local_cloud.engine.archive import open_archive
from local_cloud.rules import rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from local_cloud.clock import CloudClock
    from local_cloud.greengrass.specs import DeviceSpec


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """Devices that are switched on beside those of the folder, and whose they are."""

    account: str
    devices: tuple[DeviceSpec, ...]


def serve(
    state_dir: Path,
    port: int,
    *,
    ready: Callable[[str], None],
    fleet: Fleet | None = None,
    time_scale: float = 1.0,
) -> None:
    """Serve the cloud of a state folder on 127.0.0.1 until Ctrl-C or SIGTERM.

    `port` 0 means any free one. `ready` is told the address once requests are answered. Executions that an
    earlier process left running go on. Time passes `time_scale` times as fast while nothing works. When it
    returns, nothing that it started runs any more.
    Raises InUseError while another process drives the folder, and OSError if the port is taken.
    """
    clock = _clock(state_dir, time_scale)
    with interrupts.raised(), local_cloud(state_dir, clock=clock) as cloud:
        address = cloud.endpoint.start(port)
        with rules(cloud.context):
            if fleet:
                cloud.greengrass.add_fleet(fleet.devices, fleet.account)
            cloud.engine.resume()
            with clock.hurrying(), interrupts.noted() as stop:
                ready(address)
                stop.wait()
    gc.freeze()  # the interpreter's last collection would walk all service models: more than a second


def _clock(state_dir: Path, scale: float) -> CloudClock:
    """Return a clock that begins no earlier than what the folder holds."""
    return SystemClock() if scale == 1 else ScaledClock(scale, start=open_archive(state_dir).latest())
