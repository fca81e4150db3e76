"""What a run says while it waits for people's labels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_cloud.labelling.sheets import Sheet, Sheets
    from local_cloud.progress import Terminal


@dataclass(kw_only=True)
class Notices:
    """Tells whoever runs it, once for each step, that images wait; `how` is the command but its step."""

    run_id: str
    how: str
    sheets: Sheets
    terminal: Terminal
    _told: set[str] = field(default_factory=set)

    def words(self, step: str) -> str | None:
        """Return how far a step's labels are, or None where nobody is waited for."""
        sheet = find_sheet(self.sheets, self.run_id, step)
        left = len(sheet.images) - self.sheets.count(sheet.arn) if sheet else 0
        if sheet is None or left <= 0:
            return None
        if step not in self._told:
            self._told.add(step)
            self.terminal.print(f"{step}: {left} images wait for their labels. To label: {self.how} {step}")
        return f"people's labels: {left} of {len(sheet.images)} images are left ({self.how} {step})"


def find_sheet(sheets: Sheets, run_id: str, step: str) -> Sheet | None:
    """Return the open sheet of a run's step, or None."""
    found = (sheet for sheet in sheets.open_sheets() if (sheet.run, sheet.step) == (run_id, step))
    return next(found, None)
