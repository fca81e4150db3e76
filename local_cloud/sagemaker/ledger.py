"""The records of all jobs, kept in the state folder with each change, so that the next process has them."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_cloud.sagemaker.records import JobRecord
    from local_cloud.store import Store

JOBS = "sagemaker jobs"
"""The collection, by ARN."""


class Ledger:
    """The kept records; without a store none are kept."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    def keep(self, record: JobRecord) -> None:
        """Keep a record as it is now."""
        if self._store is not None:
            self._store.put_bytes(JOBS, record.arn, pickle.dumps(record))

    def records(self) -> list[JobRecord]:
        """Return what was kept, the oldest job first."""
        rows = self._store.all_bytes(JOBS) if self._store is not None else []
        kept: list[JobRecord] = [pickle.loads(body) for _, body in rows]  # noqa: S301 - the owner of the folder is checked
        return sorted(kept, key=lambda record: record.creation_time)
