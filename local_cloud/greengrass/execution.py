"""What became of one deployment on one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from .planning import Order


@dataclass(frozen=True, kw_only=True)
class Execution:
    """One deployment on one device, in the words of EffectiveDeployment; `number` counts the device's."""

    order: Order
    number: int
    status: str
    created: datetime
    modified: datetime
    reason: str = ""
    error_codes: tuple[str, ...] = ()
    error_types: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        """Whether the device is done with the deployment."""
        return self.status not in ("QUEUED", "IN_PROGRESS")
