"""State folders made by hand: runs as their folders keep them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BEGUN = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def keep_run(
    state_dir: Path,
    run_id: str,
    *,
    status: str | None = "SUCCEEDED",
    after: float = 0.0,
    lasted: float = 60.0,
    steps: Mapping[str, Any] | None = None,
    approvals: tuple[str, ...] = (),
    datasets: tuple[str, ...] = (),
    driver: int | None = None,
) -> Path:
    """Keep a run that began `after` seconds behind BEGUN, without a record if it has no status."""
    folder = state_dir / "runs" / run_id
    folder.mkdir(parents=True)
    started = BEGUN + timedelta(seconds=after)
    plan = {
        "run_id": run_id,
        "pipeline": run_id.partition("-")[0],
        "spec": "pipeline.yaml",
        "region": "us-east-1",
        "params": {},
        "datasets": [{"path": "/data", "prefix": prefix} for prefix in datasets],
        "started": started.isoformat(),
        "time_scale": 1.0,
        "approvals": list(approvals),
    }
    (folder / "plan.json").write_text(json.dumps(plan))
    if status:
        updated = (started + timedelta(seconds=lasted)).isoformat()
        record = {"status": status, "updated": updated, "steps": steps or {}, "failure": None}
        (folder / "run.json").write_text(json.dumps(record))
    if driver is not None:
        (folder / "driver").write_text(str(driver))
    return folder


def step(status: str = "SUCCEEDED", *, kind: str = "train", **more: Any) -> dict[str, Any]:
    """Return a step as a record has it."""
    ended = status not in {"RUNNING", "PENDING"}
    return {
        "kind": kind,
        "status": status,
        "started": BEGUN.isoformat() if status != "PENDING" else None,
        "ended": (BEGUN + timedelta(seconds=5)).isoformat() if ended else None,
        "seconds": 5.0,
        "attempts": 1,
        "cached": False,
        "waits_for": None,
        "logs": [],
        "outputs": {},
        **more,
    }


def me() -> int:
    """Return the process that runs the tests."""
    return os.getpid()
