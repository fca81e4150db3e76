"""trust: whom a role's trust policy lets in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_cloud.trust import Caller, allows

USER = Caller(account="111111111111", arn="arn:aws:iam::111111111111:user/ann")
SESSION = Caller(account="111111111111", arn="arn:aws:sts::111111111111:assumed-role/work/now")


def policy(principal: Any, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.mark.parametrize(
    ("principal", "caller", "allowed"),
    [
        ("*", USER, True),
        ({"AWS": "*"}, USER, True),
        ({"AWS": "111111111111"}, USER, True),
        ({"AWS": "arn:aws:iam::111111111111:root"}, SESSION, True),
        ({"AWS": ["arn:aws:iam::222222222222:root", USER.arn]}, USER, True),
        ({"AWS": "arn:aws:iam::111111111111:role/work"}, SESSION, True),
        ({"AWS": SESSION.arn}, SESSION, True),
        ({"AWS": "arn:aws:iam::111111111111:role/work"}, USER, False),
        ({"AWS": "arn:aws:iam::222222222222:root"}, USER, False),
        ({"AWS": "arn:aws:iam::111111111111:role/*"}, SESSION, False),
        ({"Service": "lambda.amazonaws.com"}, USER, False),
    ],
)
def test_principals(principal: Any, caller: Caller, allowed: bool) -> None:
    assert allows(policy(principal), caller, None) is allowed


@pytest.mark.parametrize(
    ("condition", "external_id", "allowed"),
    [
        ({"StringEquals": {"sts:ExternalId": "a"}}, "a", True),
        ({"StringEquals": {"sts:externalid": ["b", "a"]}}, "a", True),
        ({"StringEquals": {"sts:ExternalId": "a"}}, "b", False),
        ({"StringEquals": {"sts:ExternalId": "a"}}, None, False),
        ({"StringLike": {"sts:ExternalId": "team-?[*"}}, "team-1[x", True),
        ({"StringLike": {"sts:ExternalId": "team-*"}}, None, False),
        ({"Null": {"sts:ExternalId": "false"}}, None, False),
        ({"StringEquals": {"aws:PrincipalAccount": "111111111111"}}, None, True),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:user/ann"}}, None, True),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, "a", False),
        ({"StringEquals": {"aws:SourceVpc": "x"}}, "a", False),
    ],
)
def test_conditions(condition: Any, external_id: str | None, allowed: bool) -> None:
    assert allows(policy("*", Condition=condition), USER, external_id) is allowed


def test_a_deny_wins_and_other_actions_do_not_count() -> None:
    deny = {"Effect": "Deny", "Principal": "*", "Action": "sts:*"}
    both = json.loads(policy("*"))
    both["Statement"].append(deny)
    assert not allows(json.dumps(both), USER, None)
    assert not allows(policy("*", Action="sts:TagSession"), USER, None)
    assert allows(policy("*", Action=["sts:TagSession", "sts:Assume*"]), USER, None)


def test_what_is_not_known_fulfils_a_deny_and_no_allow() -> None:
    unknown = {"Bool": {"aws:MultiFactorAuthPresent": "false"}}
    both = json.loads(policy("*"))
    both["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "*", "Condition": unknown})
    assert not allows(json.dumps(both), USER, None)


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json"])
def test_a_broken_policy_lets_nobody_in(text: str) -> None:
    assert not allows(text, USER, None)
