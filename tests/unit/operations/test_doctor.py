"""doctor: what is judged without AWS: trust policies, and which quotas a pipeline needs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from operations import doctor
from operations.session import Aws, Settings
from pipelines import machine, usecase
from pipelines.compiler import compile_text

SPEC = """version: 1
name: cookies
usecase: bakery
params: {machine: {type: string, default: ml.m5.xlarge}}
steps:
  label: {method: folders, dataset: "s3://bucket/x/", labels: [a, b]}
  transform: {}
  train: {script: t.py, framework: {name: sklearn, version: "1"}, instance: INSTANCE}
"""
HOME = usecase.Orchestrator(account="123456789012", region="eu-west-1")
CASE = usecase.draft(
    "bakery", account="210987654321", region="eu-west-1", orchestrator=HOME, external_id="id-1"
)
ROLE = "arn:aws:iam::123456789012:role/a"


def trust(principal: Any, external_id: Any = "id-1", effect: str = "Allow") -> dict[str, Any]:
    condition = {"StringEquals": {"sts:ExternalId": external_id}} if external_id else {}
    return {"Statement": [{"Effect": effect, "Principal": principal, "Condition": condition}]}


@pytest.mark.parametrize(
    ("document", "fine"),
    [
        (trust({"AWS": ROLE}), True),
        (trust({"AWS": [ROLE, "x"]}, ["id-0", "id-1"]), True),
        (trust({"AWS": ROLE}, "id-2"), False),
        (trust({"AWS": ROLE}, None), False),
        (trust({"AWS": ROLE}, effect="Deny"), False),
        (trust({"Service": "lambda.amazonaws.com"}), False),
        ({}, False),
    ],
)
def test_trust(document: dict[str, Any], fine: bool) -> None:
    assert (doctor.judge_trust(document, [ROLE], "id-1") == "") is fine


def described(instance: str) -> machine.Machine:
    return machine.parse(compile_text(SPEC.replace("INSTANCE", instance), path="p.yaml").definition)


@pytest.mark.parametrize("instance", ["ml.m5.xlarge", '"${{ params.machine }}"'])
def test_quotas_are_those_of_the_jobs(instance: str) -> None:
    quota = ("ml.m5.xlarge", "ml.m5.xlarge for training job usage")
    assert doctor.instance_types(described(instance)) == {quota}


QUOTA = "ml.m5.xlarge for training job usage"


def listed(*quotas: tuple[str, float]) -> dict[str, Any]:
    return {"Quotas": [{"QuotaName": name, "QuotaCode": "L-1", "Value": value} for name, value in quotas]}


def quotas(*pages: tuple[str, dict[str, Any]]) -> list[doctor.Check]:
    """Check the quotas of a pipeline against these answers, which botocore's own model has to take."""
    client = boto3.client(
        "service-quotas", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stubber:
        token = None
        for operation, page in pages:
            expected = {"ServiceCode": "sagemaker", **({"NextToken": token} if token else {})}
            stubber.add_response(operation, page, expected)
            token = page.get("NextToken")
        there = Aws(session=None, region="eu-west-1", endpoint_url=None, _clients={"service-quotas": client})
        found = list(doctor._check_quotas(there, described("ml.m5.xlarge"), CASE))
        stubber.assert_no_pending_responses()
    return found


@pytest.mark.parametrize(("value", "ok"), [(0.0, False), (2.0, True)])
def test_a_quota_of_nothing_names_the_request(value: float, ok: bool) -> None:
    (check,) = quotas(("list_service_quotas", listed((QUOTA, value))))
    assert (check.ok, check.sure) == (ok, True)
    assert check.message == f"{QUOTA}: {value:g}"
    assert ("--quota-code L-1 --desired-value 1 --region eu-west-1" in check.remedy) is not ok


def test_a_quota_may_stand_on_a_later_page() -> None:
    first = {**listed(("ml.m5.large for training job usage", 0.0)), "NextToken": "more"}
    pages = (("list_service_quotas", first), ("list_service_quotas", listed((QUOTA, 3.0))))
    assert [check.message for check in quotas(*pages)] == [f"{QUOTA}: 3"]


@pytest.mark.parametrize(("value", "ok"), [(0.0, False), (1.0, True)])
def test_a_quota_that_was_never_set_is_aws_default(value: float, ok: bool) -> None:
    default = ("list_aws_default_service_quotas", listed((QUOTA, value)))
    (check,) = quotas(("list_service_quotas", listed()), default)
    assert check.ok is ok


def test_a_quota_that_aws_does_not_list_is_left_open() -> None:
    (check,) = quotas(("list_service_quotas", listed()), ("list_aws_default_service_quotas", listed()))
    assert (check.ok, check.sure) == (True, False)
    assert "aws service-quotas list-service-quotas" in check.remedy


ELSEWHERE = usecase.draft(
    "bakery",
    account="210987654321",
    region="eu-west-1",
    orchestrator=HOME,
    external_id="id-1",
    data_account="345678901234",
)


def read_by(*roles: str) -> dict[str, Any]:
    bucket = f"arn:aws:s3:::{ELSEWHERE.data_bucket}"
    actions = ["s3:GetObject", "s3:ListBucket"]
    principal = {"AWS": list(roles)}
    return {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": [bucket, f"{bucket}/*"]}


ROLES = (CASE.role_arn, CASE.execution_role_arn)
LOCK = {**read_by(*ROLES), "Effect": "Deny", "Sid": "Lock"}
SOMETIMES = {**LOCK, "Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}}


@pytest.mark.parametrize(
    ("statements", "ok", "sure", "said", "remedy"),
    [
        ([read_by(*ROLES)], True, True, "lets the use case's roles list and read", ""),
        (
            [read_by(ROLES[0])],
            False,
            True,
            f"refuses s3:GetObject by {ROLES[1]}: nothing allows it",
            "register",
        ),
        (
            [read_by(*ROLES), LOCK],
            False,
            True,
            f"s3:ListBucket by {ROLES[0]}: statement Lock denies it",
            "owner",
        ),
        ([read_by(*ROLES), SOMETIMES], True, False, "statement Lock denies it in some cases", "aws s3api"),
        ([], False, True, "nothing allows it", "edgepipe usecase register bakery"),
    ],
)
def test_a_data_buckets_policy(statements: list[Any], ok: bool, sure: bool, said: str, remedy: str) -> None:
    check = doctor.judge_images({"Statement": statements}, ELSEWHERE)
    assert (check.ok, check.sure) == (ok, sure)
    assert said in check.message
    assert remedy in check.remedy


@pytest.mark.parametrize(("lock", "ok"), [((), True), ((LOCK,), False)])
def test_a_bucket_of_the_same_account_needs_no_policy_but_may_have_one(
    lock: tuple[Any, ...], ok: bool
) -> None:
    local = [
        {**each, "Resource": [f"arn:aws:s3:::{CASE.data_bucket}", f"arn:aws:s3:::{CASE.data_bucket}/*"]}
        for each in lock
    ]
    assert doctor.judge_images({"Statement": local}, CASE).ok is ok


def test_a_data_account_without_a_role_for_people_is_left_open() -> None:
    assert ELSEWHERE.data is not None
    closed = replace(ELSEWHERE, data=replace(ELSEWHERE.data, role_arn=None))
    nobody = Aws(session=None, region="eu-west-1", endpoint_url=None)
    bootstrap, images = doctor._check_images(nobody, nobody, closed)
    assert [(each.ok, each.sure) for each in (bootstrap, images)] == [(True, False)] * 2
    assert "a profile of 345678901234" in bootstrap.remedy
    assert "aws s3api get-bucket-policy" in images.remedy


def test_without_credentials_nothing_else_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import NoCredentialsError

    def ask() -> None:
        raise NoCredentialsError

    sts = SimpleNamespace(get_caller_identity=ask)
    aws = Aws(session=None, region="eu-west-1", endpoint_url=None, _clients={"sts": sts})
    (check,) = doctor.examine(doctor.Visit(aws=aws, settings=Settings(), usecases=[CASE]))
    assert (check.name, check.ok) == ("credentials", False)
    assert "Sign in with `aws sso login`" in check.message
