"""doctor: what is judged without AWS: trust policies, and which quotas a pipeline needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

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


@pytest.mark.parametrize(("value", "ok"), [(0.0, False), (2.0, True)])
def test_a_quota_of_nothing_names_the_request(value: float, ok: bool) -> None:
    entry = {"QuotaName": "ml.m5.xlarge for training job usage", "QuotaCode": "L-1", "Value": value}
    pages = SimpleNamespace(paginate=lambda **_: [{"Quotas": [entry]}])
    quotas = SimpleNamespace(get_paginator=lambda _: pages)
    there = Aws(session=None, region="eu-west-1", endpoint_url=None, _clients={"service-quotas": quotas})
    (check,) = doctor._check_quotas(there, described("ml.m5.xlarge"), CASE)
    assert check.ok is ok
    assert ("--quota-code L-1 --desired-value 1 --region eu-west-1" in check.remedy) is not ok


def test_without_credentials_nothing_else_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import NoCredentialsError

    def ask() -> None:
        raise NoCredentialsError

    sts = SimpleNamespace(get_caller_identity=ask)
    aws = Aws(session=None, region="eu-west-1", endpoint_url=None, _clients={"sts": sts})
    (check,) = doctor.examine(doctor.Visit(aws=aws, settings=Settings(), usecases=[CASE]))
    assert (check.name, check.ok) == ("credentials", False)
    assert "Sign in with `aws sso login`" in check.message
