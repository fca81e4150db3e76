"""rollout: how a device's report counts."""

from __future__ import annotations

import pytest

from tasks import rollout
from tasks.rollout import DeviceState, Placement


def placement(*, status: str = "ACTIVE", is_latest: bool = True) -> Placement:
    return Placement(target="thing/a", deployment_id="1", status=status, is_latest=is_latest)


@pytest.mark.parametrize(
    ("where", "status", "expected"),
    [
        (placement(), None, "QUEUED"),
        (placement(), "IN_PROGRESS", "IN_PROGRESS"),
        (placement(status="COMPLETED"), "COMPLETED", "COMPLETED"),
        (placement(status="INACTIVE", is_latest=False), "SUCCEEDED", "SUCCEEDED"),
        (placement(is_latest=False), "IN_PROGRESS", "REPLACED"),
        (placement(is_latest=False), None, "REPLACED"),
        (placement(status="CANCELED"), "QUEUED", "CANCELED"),
        (placement(), "REJECTED", "REJECTED"),
    ],
)
def test_judge_device(where: Placement, status: str | None, expected: str) -> None:
    execution = None if status is None else {"coreDeviceExecutionStatus": status}
    assert rollout.judge_device(where, execution).status == expected


def states(*names: str) -> list[DeviceState]:
    return [DeviceState(status=name, reason="") for name in names]


@pytest.mark.parametrize(
    ("names", "worst"),
    [
        (["SUCCEEDED", "COMPLETED"], "SUCCEEDED"),
        (["SUCCEEDED", "QUEUED"], "QUEUED"),
        (["QUEUED", "TIMED_OUT"], "TIMED_OUT"),
        (["IN_PROGRESS"], "IN_PROGRESS"),
    ],
)
def test_the_worst_of_several_targets_counts(names: list[str], worst: str) -> None:
    assert rollout.worst(states(*names)).status == worst


def test_merging_changes_neither_argument() -> None:
    current, wanted = {"a": {"componentVersion": "1.0.0"}}, {"a": {"componentVersion": "2.0.0"}}
    assert rollout.merge_components(current, wanted) == wanted
    assert current == {"a": {"componentVersion": "1.0.0"}}
