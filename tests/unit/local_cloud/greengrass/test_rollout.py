"""rollout: what an iotJobConfiguration may say, and when too many have failed."""

from __future__ import annotations

from typing import Any

import pytest

from local_cloud.greengrass.refusals import InvalidError
from local_cloud.greengrass.rollout import Limit, Pace, parse_pace

GROUP = "arn:aws:iot:us-east-1:1:thinggroup/line"
CRITERIA = {
    "failureType": "ALL",
    "action": "CANCEL",
    "thresholdPercentage": 10.0,
    "minNumberOfExecutedThings": 10,
}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, Pace()),
        ({"jobExecutionsRolloutConfig": {"maximumPerMinute": 50}}, Pace(per_minute=50)),
        (
            {"abortConfig": {"criteriaList": [CRITERIA]}},
            Pace(
                limits=(
                    Limit(failures=frozenset({"FAILED", "REJECTED", "TIMED_OUT"}), percent=10.0, minimum=10),
                )
            ),
        ),
    ],
)
def test_what_is_read(document: dict[str, Any], expected: Pace) -> None:
    assert parse_pace(document, GROUP) == expected


@pytest.mark.parametrize(
    ("document", "target", "told"),
    [
        ({"timeoutConfig": {"inProgressTimeoutInMinutes": 1}}, GROUP, "timeoutConfig"),
        ({"jobExecutionsRolloutConfig": {"exponentialRate": {"x": 1}}}, GROUP, "exponentialRate"),
        ({"jobExecutionsRolloutConfig": {"maximumPerMinute": 1001}}, GROUP, "between 1 and 1000"),
        ({"abortConfig": {"criteriaList": [{**CRITERIA, "action": "RETRY"}]}}, GROUP, "action CANCEL"),
        ({"abortConfig": {"criteriaList": [{**CRITERIA, "failureType": "NONE"}]}}, GROUP, "failureType"),
        ({"abortConfig": {"criteriaList": [{**CRITERIA, "thresholdPercentage": 101}]}}, GROUP, "up to 100"),
        ({"jobExecutionsRolloutConfig": {"maximumPerMinute": 5}}, "arn:aws:iot:us-east-1:1:thing/a", "thing"),
    ],
)
def test_what_is_refused(document: dict[str, Any], target: str, told: str) -> None:
    with pytest.raises(InvalidError, match=told):
        parse_pace(document, target)


@pytest.mark.parametrize(
    ("statuses", "reached"),
    [
        (["FAILED"], False),
        (["SUCCEEDED", "FAILED"], True),
        (["SUCCEEDED", "SUCCEEDED", "FAILED"], False),
        (["SUCCEEDED", "SUCCEEDED"], False),
        (["SUCCEEDED", "CANCELED"], False),
    ],
)
def test_when_a_limit_is_reached(statuses: list[str], reached: bool) -> None:
    limit = Limit(failures=frozenset({"FAILED"}), percent=50, minimum=2)
    assert limit.is_reached(statuses) is reached
