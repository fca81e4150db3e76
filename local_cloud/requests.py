"""What one process asks of the one that drives a run: stop it, or answer an approval.

A request is a document in the state folder's store. The driving process looks for them; while nobody drives
the run they wait for its resumption.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from local_cloud.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from local_cloud.approvals import Decision

_COLLECTION = "requests"


def leave_stop(state_dir: Path, run_id: str) -> None:
    """Ask for the end of a run."""
    _leave(state_dir, f"{run_id}/stop", {})


def leave_answer(state_dir: Path, run_id: str, step: str, decision: Decision) -> None:
    """Answer an approval, now or when the run asks; the latest answer before that counts."""
    said = {"approved": decision.approved, "comment": decision.comment, "by": decision.by}
    _leave(state_dir, f"{run_id}/answer/{step}", said)


class Requests:
    """The requests to one run, as its driver sees them."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id

    def wants_stop(self) -> bool:
        """Say whether somebody asks for the run's end."""
        return self._store.get(_COLLECTION, f"{self._run_id}/stop") is not None

    def withdraw_stop(self) -> None:
        """Drop a wish for the end that an earlier process did not live to see: the run was wanted again."""
        self._store.delete(_COLLECTION, f"{self._run_id}/stop")

    def answer(self, step: str) -> Decision | None:
        """Return what somebody answered to a step."""
        from local_cloud.approvals import Decision

        said = self._store.get(_COLLECTION, f"{self._run_id}/answer/{step}")
        return None if said is None else Decision(**said)

    def forget(self) -> None:
        """Drop every request: the run has ended, or begins again."""
        forget_requests(self._store, self._run_id)


def forget_requests(store: Store, run_id: str) -> None:
    """Drop every request to a run."""
    for key, _ in store.all(_COLLECTION):
        if key.startswith(f"{run_id}/"):
            store.delete(_COLLECTION, key)


def _leave(state_dir: Path, key: str, document: dict[str, object]) -> None:
    with closing(Store(state_dir)) as store:
        store.put(_COLLECTION, key, document)
