"""What a device has: a folder, attributes, a registry and artifacts to ask, faults, and a clock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from local_cloud.clock import SystemClock, moment

from .faults import ARCHITECTURE_MISMATCH, FOREIGN, Faults
from .resolver import Catalogue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from local_cloud.clock import CloudClock

    from .artifacts import ArtifactStore
    from .recipe import Artifact


class Registry(Catalogue, Protocol):
    """The registry of an account: recipes, and the digests of artifacts when they were published."""

    def digest(self, name: str, version: str, artifact: Artifact) -> str:
        """Return the digest of one artifact of a known component version."""


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """What a device plans with; `targets` tells the thing's own ARN and those of the groups it is in now."""

    thing: str
    root: Path
    attributes: Mapping[str, str]
    registry: Registry
    artifacts: ArtifactStore
    faults: Faults = field(default_factory=Faults)
    targets: Callable[[], set[str]] | None = None
    clock: CloudClock = field(default_factory=SystemClock)

    def now(self) -> datetime:
        """Return the time on the device."""
        return moment(self.clock.now())

    def work(self, name: str) -> Path:
        """Return the work folder of a component."""
        return self.root / "work" / name

    @property
    def real_attributes(self) -> Mapping[str, str]:
        """What manifests are chosen by: the attributes, unless the device is not what it was said to be."""
        if self.faults.find(ARCHITECTURE_MISMATCH) is None:
            return self.attributes
        said = self.attributes["architecture"]
        return {**self.attributes, "architecture": FOREIGN.get(said, "arm")}
