from __future__ import annotations

import pytest

from tasks import judge
from tasks.errors import JobFailedError

CAUSE = "1 of 2 targets failed: arm64-cpu: no space"


def test_a_fan_out_fails_with_the_cause_until_the_run_is_redriven() -> None:
    with pytest.raises(JobFailedError, match=f"^{CAUSE}$"):
        judge.handler({"cause": CAUSE, "redriven": False}, None)
    assert judge.handler({"cause": CAUSE, "redriven": True}, None) == {}
