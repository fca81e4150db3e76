"""What a component is to its device: what shall run, where, and the states that it may be in."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from .faults import Faults
from .gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from .configuration import Changes
    from .lifecycle import Lifecycle


class State(StrEnum):
    """The lifecycle states that ListInstalledComponents reports."""

    NEW = "NEW"
    INSTALLED = "INSTALLED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    STOPPING = "STOPPING"
    FINISHED = "FINISHED"
    ERRORED = "ERRORED"
    BROKEN = "BROKEN"


GOOD_STATES = frozenset({State.RUNNING, State.FINISHED})


@dataclass(frozen=True, kw_only=True)
class Blueprint:
    """What a device runs as one component: a version with its variables resolved and its configuration."""

    name: str
    version: str
    lifecycle: Lifecycle
    configuration: Mapping[str, Any]
    changes: Changes = field(compare=False)
    """What deployments changed in the configuration, and when; the rest are the recipe's defaults."""
    hard_dependencies: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Premises:
    """Where a component runs: its folder, its log, its environment, and who hears of its states."""

    work: Path
    log: Path
    environment: Mapping[str, str]
    note: Callable[[str], None]
    now: Callable[[], datetime]
    faults: Faults = field(default_factory=Faults)
    gate: Gate = field(default_factory=Gate)
    """Limits how many scripts of all devices begin at once."""
