from __future__ import annotations

import json
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.account_handlers import bucket_rules

TLS = {"Sid": "tls", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": "*"}
SERVICE = {"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"}, "Action": "s3:PutObject"}
OURS = {
    "Sid": "edgepipe-a-read",
    "Effect": "Allow",
    "Principal": {"AWS": ["r1", "r2"]},
    "Action": ["s3:GetObject"],
}
NAMES = st.sampled_from(["a", "b", "c", "d"])
RULES = st.lists(
    st.builds(lambda name, value: {"Sid": name, "V": value}, NAMES, st.integers(0, 3)), max_size=5
)


def distinct(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({rule["Sid"]: rule for rule in rules}.values())


@given(RULES.map(distinct), RULES.map(distinct), st.sets(NAMES))
def test_merging_twice_is_merging_once_and_others_stay(
    present: list[dict[str, Any]], wanted: list[dict[str, Any]], stale: set[str]
) -> None:
    names = {rule["Sid"] for rule in wanted}
    merged = bucket_rules.merge(present, wanted, key="Sid", stale=sorted(stale - names))
    assert bucket_rules.merge(merged, wanted, key="Sid", stale=sorted(stale - names)) == merged
    others = [rule for rule in present if rule["Sid"] not in names | stale]
    assert [rule for rule in merged if rule["Sid"] not in names] == others
    assert [rule for rule in merged if rule["Sid"] in names] == wanted


def test_rules_without_a_name_stay() -> None:
    assert bucket_rules.merge([TLS, SERVICE], [OURS], key="Sid", stale=["gone"]) == [TLS, SERVICE, OURS]


class FakeError(Exception):
    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


def fail(code: str) -> NoReturn:
    raise FakeError(code)


class FakeS3:
    """A bucket's policy and CORS rules; `intruder` writes another policy after each of ours, while it may."""

    def __init__(self, policy: list[Any] | None = None, cors: list[Any] | None = None) -> None:
        self.policy, self.cors = policy, cors
        self.writes = 0
        self.intrusions = 0

    def get_bucket_policy(self, Bucket: str) -> dict[str, str]:  # noqa: N803 - as boto3 names it
        assert Bucket == "images"
        if self.policy is None:
            fail("NoSuchBucketPolicy")
        return {"Policy": json.dumps({"Version": "2012-10-17", "Statement": self.policy})}

    def put_bucket_policy(self, Bucket: str, Policy: str) -> None:  # noqa: N803 - as boto3 names it
        self.writes += 1
        self.policy = json.loads(Policy)["Statement"]
        if self.intrusions:
            self.intrusions -= 1
            self.policy = [TLS]

    def delete_bucket_policy(self, Bucket: str) -> None:  # noqa: N803 - as boto3 names it
        self.policy = None

    def get_bucket_cors(self, Bucket: str) -> dict[str, Any]:  # noqa: N803 - as boto3 names it
        if self.cors is None:
            fail("NoSuchCORSConfiguration")
        return {"CORSRules": self.cors}

    def put_bucket_cors(self, Bucket: str, CORSConfiguration: dict[str, Any]) -> None:  # noqa: N803 - as boto3 names it
        self.cors = CORSConfiguration["CORSRules"]

    def delete_bucket_cors(self, Bucket: str) -> None:  # noqa: N803 - as boto3 names it
        self.cors = None


CORS = {"ID": "edgepipe-a", "AllowedOrigins": ["https://portal.example.com"], "AllowedMethods": ["GET"]}


def event(kind: str, statements: list[Any], cors: list[Any], **more: Any) -> dict[str, Any]:
    properties = {
        "Bucket": "images",
        "Owner": "a",
        "Statements": json.dumps(statements),
        "CorsRules": json.dumps(cors),
    }
    return {"RequestType": kind, "ResourceProperties": properties, **more}


@pytest.mark.parametrize("others", [None, [TLS], [TLS, SERVICE]])
def test_ours_are_added_to_others_and_taken_away_again(others: list[Any] | None) -> None:
    s3 = FakeS3(others, None)
    assert bucket_rules.apply(s3, event("Create", [OURS], [CORS])) == "images/a"
    assert s3.policy == [*(others or []), OURS]
    assert s3.cors == [CORS]
    bucket_rules.apply(s3, event("Delete", [OURS], [CORS]))
    assert [s3.policy, s3.cors] == [others, None]


def test_what_is_there_already_is_not_written_again() -> None:
    s3 = FakeS3([TLS, {**OURS, "Principal": {"AWS": ["r2", "r1"]}, "Action": "s3:GetObject"}], [CORS])
    bucket_rules.apply(s3, event("Update", [OURS], [CORS]))
    assert s3.writes == 0


def test_an_update_takes_away_what_the_former_version_had_and_this_has_not() -> None:
    former = {**OURS, "Sid": "edgepipe-a-list"}
    s3 = FakeS3([TLS, former], [{**CORS, "ID": "mine"}, CORS])
    old = event("Create", [former], [CORS])["ResourceProperties"]
    bucket_rules.apply(s3, event("Update", [OURS], [], OldResourceProperties=old))
    assert s3.policy == [TLS, OURS]
    assert s3.cors == [{**CORS, "ID": "mine"}]


def test_a_write_that_somebody_undid_is_made_again() -> None:
    s3 = FakeS3([TLS], [])
    s3.intrusions = 2
    bucket_rules.apply(s3, event("Create", [OURS], []))
    assert s3.policy == [TLS, OURS]


def test_an_endless_quarrel_is_told() -> None:
    s3 = FakeS3([TLS], [])
    s3.intrusions = 99
    with pytest.raises(RuntimeError, match="somebody else changed it at each of 5 tries; deploy again"):
        bucket_rules.apply(s3, event("Create", [OURS], []))


class ClosedS3(FakeS3):
    def get_bucket_policy(self, Bucket: str) -> dict[str, str]:  # noqa: N803 - as boto3 names it
        assert Bucket
        fail("AccessDenied")


def test_an_error_of_s3_is_not_taken_for_an_empty_policy() -> None:
    s3 = ClosedS3([TLS], [])
    with pytest.raises(FakeError, match="AccessDenied"):
        bucket_rules.apply(s3, event("Create", [OURS], []))
    assert s3.writes == 0
