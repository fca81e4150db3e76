"""Roles: exact trust, no wildcard without a reason, and no reason without a wildcard."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines import platform
from stacks import people, reasons
from stacks.permissions import CALLERS
from stacks.places import Place
from stacks.roles import MAX_POLICY
from tests.infra.conftest import example

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.infra.conftest import Assembly

ORCHESTRATOR = "123456789012"
MAX_MANAGED_POLICY = 6_144
SECURITY = Path(__file__).parents[2] / "docs" / "security.md"


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def grants(assembly: Assembly) -> Iterator[tuple[str, str, str]]:
    """Yield (role, action, resource); a resource made of parts as JSON, with its wildcards."""
    for name, statement in assembly.statements():
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield name, action, resource if isinstance(resource, str) else json.dumps(resource)


def test_no_role_may_do_everything_of_a_service(assembly: Assembly) -> None:
    assert [found for found in grants(assembly) if "*" in found[1]] == []


def test_a_star_alone_is_allowed_for_exactly_the_actions_of_the_table(assembly: Assembly) -> None:
    assert {action for _, action, resource in grants(assembly) if resource == "*"} == set(reasons.STARS)


def test_every_prefix_has_its_reason_and_every_reason_its_prefix(assembly: Assembly) -> None:
    wide = {resource for _, _, resource in grants(assembly) if "*" in resource and resource != "*"}
    unexplained = [each for each in wide if not any(row.explains(each) for row in reasons.PREFIXES)]
    idle = [row.form for row in reasons.PREFIXES if not any(row.explains(each) for each in wide)]
    assert (unexplained, idle) == ([], [])


def test_reasons_say_something() -> None:
    told = [*reasons.STARS.values(), *reasons.FINDINGS.values(), *(row.reason for row in reasons.PREFIXES)]
    assert all(len(reason.split()) >= 4 for reason in told)


def test_roles_only_allow(assembly: Assembly) -> None:
    assert {statement["Effect"] for _, statement in assembly.statements()} == {"Allow"}


def test_a_role_is_passed_to_one_service_only(assembly: Assembly) -> None:
    """Those of jobs by handlers, and those of machines and custom steps by who releases pipelines."""
    passing = [each for _, each in assembly.statements() if "iam:PassRole" in each["Action"]]
    found = sorted(
        (each["Condition"]["StringEquals"]["iam:PassedToService"], each["Resource"][0].rpartition("/")[2])
        for each in passing
    )
    assert found == [
        ("lambda.amazonaws.com", "edgepipe-function-custom"),
        ("sagemaker.amazonaws.com", "edgepipe-cookie-factory-jobs"),
        ("sagemaker.amazonaws.com", "edgepipe-wafers-jobs"),
        ("states.amazonaws.com", "edgepipe-machine-*"),
    ]
    assert all(len(each["Resource"]) == 1 and each["Action"] == ["iam:PassRole"] for each in passing)


def test_what_people_may_do_is_in_the_template_and_in_the_documentation(assembly: Assembly) -> None:
    """That each verb keeps to it, a functional test shows."""
    policies = dict(assembly.resources("AWS::IAM::ManagedPolicy", "orchestrator")).values()
    by_name = {each["ManagedPolicyName"]: each["PolicyDocument"]["Statement"] for each in policies}
    usecases = [example(), replace(example(), operator_role_arn=None)]
    home = Place(account=ORCHESTRATOR, region="us-east-1")
    assert set(by_name) == set(people.statements(home, usecases)) == {people.LOOK, people.RUN, people.RELEASE}
    for name in (people.RUN, people.RELEASE):
        entered = next(each["Resource"] for each in by_name[name] if each["Action"] == ["sts:AssumeRole"])
        named = [arn.rpartition("/")[2] for arn in entered]
        assert named == ["edgepipe-cookie-factory-operator", "edgepipe-wafers-operator", "image-readers"]
    assert not any("sts:AssumeRole" in each["Action"] for each in by_name[people.LOOK])
    rows = re.findall(r"^\| (`[^|]+) \| (`edgepipe-[^|]+) \|$", SECURITY.read_text(encoding="utf-8"), re.M)
    documented = {
        verb: tuple(re.findall(r"`([^`]+)`", names))
        for verbs, names in rows
        for verb in re.findall(r"`([^`]+)`", verbs)
    }
    assert documented == dict(people.VERBS)


def test_no_role_has_a_managed_policy(assembly: Assembly) -> None:
    roles = dict(assembly.resources("AWS::IAM::Role"))
    assert [name for name, role in roles.items() if "ManagedPolicyArns" in role] == []


def test_policies_fit_where_iam_keeps_them(assembly: Assembly) -> None:
    for name, role in assembly.resources("AWS::IAM::Role"):
        text = json.dumps(
            [each["PolicyDocument"] for each in role.get("Policies", ())], separators=(",", ":")
        )
        assert len(text) < MAX_POLICY, name
    for name, policy in assembly.resources("AWS::IAM::ManagedPolicy"):
        assert len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) < MAX_MANAGED_POLICY, name


def role(assembly: Assembly, name: str) -> Mapping[str, Any]:
    return next(each for _, each in assembly.resources("AWS::IAM::Role") if each.get("RoleName") == name)


def test_the_use_cases_role_trusts_exactly_the_handlers_with_the_external_id(assembly: Assembly) -> None:
    for name in ("cookie-factory", "wafers"):
        (trust,) = role(assembly, f"edgepipe-{name}")["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {
            "AWS": [
                f"arn:aws:iam::{ORCHESTRATOR}:role/{platform.function_role_name(each)}" for each in CALLERS
            ]
        }
        assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "example-only-3f9d1c"}}


def test_every_role_that_is_trusted_exists_and_may_enter(assembly: Assembly) -> None:
    for name in CALLERS:
        found = role(assembly, platform.function_role_name(name))
        statements = found["Policies"][0]["PolicyDocument"]["Statement"]
        entered = next(each["Resource"] for each in statements if each["Action"] == ["sts:AssumeRole"])
        assert [arn.rpartition("/")[2] for arn in entered] == ["edgepipe-cookie-factory", "edgepipe-wafers"]


def test_every_other_role_trusts_one_service_or_an_account_with_the_external_id(assembly: Assembly) -> None:
    for name, found in assembly.resources("AWS::IAM::Role"):
        (trust,) = found["AssumeRolePolicyDocument"]["Statement"]
        principal = trust["Principal"]
        assert trust["Action"] == "sts:AssumeRole"
        if "AWS" in principal:
            assert "sts:ExternalId" in trust["Condition"]["StringEquals"], name
        else:
            assert principal["Service"].endswith(".amazonaws.com")
            lambda_role = principal["Service"] == "lambda.amazonaws.com"
            assert lambda_role or "aws:SourceAccount" in trust["Condition"]["StringEquals"], name


def test_the_reader_of_a_data_account_is_named_and_trusted_as_its_file_says(assembly: Assembly) -> None:
    (trust,) = role(assembly, "image-readers")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": [f"arn:aws:iam::{ORCHESTRATOR}:root"]}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": "readers-77"}}


def test_a_machine_calls_its_own_functions_only(assembly: Assembly) -> None:
    statements = role(assembly, "edgepipe-machine-wafer-defects")["Policies"][0]["PolicyDocument"][
        "Statement"
    ]
    called = next(each["Resource"] for each in statements if each["Action"] == ["lambda:InvokeFunction"])
    names = {arn.partition(":function:")[2] for arn in called}
    kinds = ("label", "transform", "train", "compile", "package", "publish", "deploy", "judge")
    assert names == {f"edgepipe-{kind}" for kind in kinds} | {
        "edgepipe-wafer-defects-audit",
        "edgepipe-wafer-defects-audit:*",
    }, "versions that were applied call their own version of a custom step"


def test_apply_can_rewrite_a_machines_rights_and_leave_its_log_alone(assembly: Assembly) -> None:
    policies = {
        each["PolicyName"]: each["PolicyDocument"]["Statement"]
        for each in role(assembly, "edgepipe-machine-cookie-defects")["Policies"]
    }
    assert [each["Action"] for each in policies["edgepipe"]] == [["lambda:InvokeFunction"]]
    assert "logs:CreateLogDelivery" in policies["edgepipe-telemetry"][0]["Action"]
