"""Bucket policies as S3 would read them: a table of statements, and what each means for a role."""

from __future__ import annotations

from typing import Any

import pytest

from operations.bucket_access import Match, Request, judge
from pipelines import usecase
from stacks.data_account import bucket_statements

ACCOUNT = "210987654321"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/edgepipe-bakery"
BUCKET = "arn:aws:s3:::images"
READ = Request(role=ROLE, action="s3:GetObject", resource=f"{BUCKET}/*")
LIST = Request(role=ROLE, action="s3:ListBucket", resource=BUCKET)
YES, NO, UNSURE = Match.YES, Match.NO, Match.UNSURE


def allow(**changes: Any) -> dict[str, Any]:
    whole = {
        "Effect": "Allow",
        "Principal": {"AWS": ROLE},
        "Action": "s3:GetObject",
        "Resource": f"{BUCKET}/*",
    }
    return {name: value for name, value in {**whole, **changes}.items() if value is not None}


def deny(**changes: Any) -> dict[str, Any]:
    return allow(**{"Effect": "Deny", "Principal": "*", **changes})


def when(operator: str, key: str, value: Any) -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


ALONE: list[tuple[dict[str, Any], Match]] = [
    (allow(), YES),
    # Who
    (allow(Principal="*"), YES),
    (allow(Principal={"AWS": "*"}), YES),
    (allow(Principal={"AWS": ["arn:aws:iam::999999999999:root", ROLE]}), YES),
    (allow(Principal={"AWS": ACCOUNT}), YES),
    (allow(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}), YES),
    (allow(Principal={"AWS": "999999999999"}), NO),
    (allow(Principal={"AWS": f"{ROLE}-jobs"}), NO),
    (allow(Principal={"Service": "sagemaker.amazonaws.com"}), NO),
    (allow(Principal={"AWS": "AROAEXAMPLEID"}), UNSURE),
    (allow(Principal={"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/edgepipe-bakery/x"}), UNSURE),
    (allow(Principal={"CanonicalUser": "79a59df900b949e5"}), UNSURE),
    (allow(Principal=None), NO),
    # What
    (allow(Action="s3:*"), YES),
    (allow(Action="*"), YES),
    (allow(Action=["s3:PutObject", "s3:Get*"]), YES),
    (allow(Action="S3:getobject"), YES),
    (allow(Action="s3:GetObjec?"), YES),
    (allow(Action="s3:GetObjectVersion"), NO),
    (allow(Action=None, NotAction="s3:Put*"), YES),
    (allow(Action=None, NotAction="s3:Get*"), NO),
    # On what
    (allow(Resource="*"), YES),
    (allow(Resource=[BUCKET, f"{BUCKET}/*"]), YES),
    (allow(Resource="arn:aws:s3:::image?/*"), YES),
    (allow(Resource=BUCKET), NO),
    (allow(Resource=f"{BUCKET}-2/*"), NO),
    (allow(Resource=f"{BUCKET}/datasets/*"), UNSURE),
    (allow(Resource=f"{BUCKET}/${{aws:userid}}/*"), UNSURE),
    (allow(Resource=None, NotResource=f"{BUCKET}-2/*"), YES),
    (allow(Resource=None, NotResource=f"{BUCKET}/secret/*"), UNSURE),
    (allow(Resource=None, NotResource=f"{BUCKET}/*"), NO),
    # When
    (allow(**when("Bool", "aws:SecureTransport", "true")), YES),
    (allow(**when("Bool", "aws:SecureTransport", True)), YES),
    (allow(**when("StringEquals", "aws:PrincipalAccount", [ACCOUNT, "1"])), YES),
    (allow(**when("StringEquals", "aws:PrincipalAccount", "999999999999")), NO),
    (allow(**when("ArnLike", "aws:PrincipalArn", f"arn:aws:iam::{ACCOUNT}:role/edgepipe-*")), YES),
    (allow(**when("ArnNotEquals", "AWS:PRINCIPALARN", ROLE)), NO),
    (allow(**when("StringNotLike", "aws:PrincipalArn", "*:role/other")), YES),
    (allow(**when("StringEquals", "aws:PrincipalOrgID", "o-1")), UNSURE),
    (allow(**when("IpAddress", "aws:SourceIp", "10.0.0.0/8")), UNSURE),
    (allow(**when("ForAnyValue:StringEquals", "aws:PrincipalArn", ROLE)), UNSURE),
    (allow(**when("StringEqualsIfExists", "aws:PrincipalAccount", ACCOUNT)), YES),
    (
        allow(
            Condition={"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:PrincipalOrgID": "o"}}
        ),
        NO,
    ),
]
BOTH: list[tuple[dict[str, Any], Match]] = [
    (deny(), NO),
    (deny(Principal={"AWS": "999999999999"}), YES),
    (deny(Action="s3:Put*"), YES),
    (deny(**when("Bool", "aws:SecureTransport", "false")), YES),
    (deny(**when("StringNotEquals", "aws:PrincipalAccount", [ACCOUNT])), YES),
    (deny(**when("StringNotEquals", "aws:SourceVpce", "vpce-1")), UNSURE),
    (deny(Resource=f"{BUCKET}/secret/*"), UNSURE),
    (deny(Resource=BUCKET), YES),
    (deny(Principal=None, NotPrincipal={"AWS": "arn:aws:iam::999999999999:root"}), NO),
    (deny(Principal=None, NotPrincipal={"AWS": ROLE}), UNSURE),
]


@pytest.mark.parametrize(("statement", "expected"), ALONE)
def test_a_statement_that_allows(statement: dict[str, Any], expected: Match) -> None:
    verdict = judge({"Statement": [statement]}, READ)
    assert verdict.allowed is expected
    assert bool(verdict.reason) is (expected is not YES)
    assert judge({"Statement": statement}, READ).allowed is expected, "one statement need not be a list"


@pytest.mark.parametrize(("statement", "expected"), BOTH)
def test_a_statement_that_denies_beside_one_that_allows(statement: dict[str, Any], expected: Match) -> None:
    for statements in ([allow(), statement], [statement, allow()]):
        assert judge({"Statement": statements}, READ).allowed is expected


@pytest.mark.parametrize("policy", [{}, {"Statement": []}, {"Statement": [{"Effect": "Allow"}]}])
def test_nothing_said_lets_nobody_in(policy: dict[str, Any]) -> None:
    verdict = judge(policy, READ)
    assert (verdict.allowed, verdict.reason) == (NO, "nothing allows it")


def test_the_reason_names_the_statement() -> None:
    assert judge({"Statement": [allow(), deny(Sid="Lock")]}, READ).reason == "statement Lock denies it"
    unsure = allow(**when("IpAddress", "aws:SourceIp", "10.0.0.0/8"))
    assert judge({"Statement": [unsure]}, READ).reason == "statement 1 allows it in some cases"


def test_our_own_statements_let_our_roles_in() -> None:
    home = usecase.Orchestrator(account="123456789012", region="us-east-1")
    case = usecase.draft(
        "bakery",
        account=ACCOUNT,
        region="us-east-1",
        orchestrator=home,
        external_id="id-12345",
        data_account="345678901234",
    )
    policy = {"Statement": bucket_statements(case)}
    bucket = f"arn:aws:s3:::{case.data_bucket}"
    for role in (case.role_arn, case.execution_role_arn):
        for action, resource in (("s3:GetObject", f"{bucket}/*"), ("s3:ListBucket", bucket)):
            assert judge(policy, Request(role=role, action=action, resource=resource)).allowed is YES
    stranger = Request(role=f"{ROLE}-2", action="s3:GetObject", resource=f"{bucket}/*")
    assert judge(policy, stranger).allowed is NO


def test_listing_is_asked_of_the_bucket_itself() -> None:
    assert judge({"Statement": [allow(Action="s3:ListBucket", Resource=BUCKET)]}, LIST).allowed is YES
    assert judge({"Statement": [allow(Action="s3:ListBucket")]}, LIST).allowed is NO
