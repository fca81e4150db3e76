"""What a command has done, as a list of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Action = Literal["created", "updated", "uploaded", "moved", "unchanged"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing and what became of it; `detail` says more, such as which version."""

    what: str
    action: Action
    detail: str = ""

    def render(self) -> str:
        """Return the change as one line."""
        return f"  {self.action:<10} {self.what}{f': {self.detail}' if self.detail else ''}"
