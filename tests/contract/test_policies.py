"""The rights that we derive against those that handlers say they use, and what AWS knows of actions."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import Any

import cfnlint  # type: ignore[import-untyped]  # it publishes no types
import pytest

from pipelines import machine, policies, rights
from pipelines.kinds import STEP_KINDS
from pipelines.platform import SERVICE_FUNCTIONS
from tasks.event import Run
from tasks.protocol import job_name

GOLDEN = Path(__file__).parents[1] / "golden"
CASES = sorted(path.parent.name for path in GOLDEN.glob("*/asl.json"))
AWS = json.loads(
    Path(cfnlint.__file__).parent.joinpath("data", "AdditionalSpecs", "Policies.json").read_text()
)
"""What cfn-lint knows of the service authorization reference: service → actions → what each stands on."""

TAKES_NONE = {"greengrass:CreateDeployment", "greengrass:ListDeployments"}
"""cfn-lint has the first Greengrass and the second under one name: the second takes no resource here."""


def derive(case: str) -> policies.Policies:
    return policies.derive(machine.parse(GOLDEN.joinpath(case, "asl.json").read_text(encoding="utf-8")))


def handled() -> list[str]:
    return [*(name for name in STEP_KINDS if importlib.util.find_spec(f"tasks.{name}")), *SERVICE_FUNCTIONS]


def test_every_handler_has_its_row() -> None:
    assert set(rights.HANDLERS) == set(handled())


@pytest.mark.parametrize("handler", handled())
def test_a_handler_may_do_what_it_says_it_does_and_no_more(handler: str) -> None:
    assert set(rights.HANDLERS[handler]) == set(importlib.import_module(f"tasks.{handler}").ACTIONS)


def test_every_wide_scope_is_used_and_explained() -> None:
    used = {scope for table in rights.HANDLERS.values() for scopes in table.values() for scope in scopes}
    assert set(rights.WIDE) <= used
    assert all(len(reason) > 20 for reason in rights.WIDE.values())


@pytest.mark.parametrize("handler", rights.HANDLERS)
def test_actions_exist_and_stand_on_what_they_take(handler: str) -> None:
    for action, scopes in rights.HANDLERS[handler].items():
        service, _, name = action.partition(":")
        known = AWS[service]["Actions"]
        assert name.lower() in {each.lower() for each in known}, action
        takes = next(each for key, each in known.items() if key.lower() == name.lower()).get("Resources", [])
        anything = any(scope in ("any_task", "any_target") for scope in scopes)
        assert anything == (not takes or action in TAKES_NONE), action


@pytest.mark.parametrize("case", CASES)
def test_resources_are_arns_of_the_kind_that_the_service_has(case: str) -> None:
    derived = derive(case)
    for role, policy in derived.by_role().items():
        for action, resource in policy.grants():
            service = action.partition(":")[0]
            if resource != "*" and not resource.startswith("${"):
                assert resource.startswith(f"arn:aws:{service}:"), (role, action, resource)
                assert any(fits(resource, each) for each in AWS[service]["Resources"].values()), resource


def fits(resource: str, known: dict[str, Any]) -> bool:
    """Say whether a resource has a form that the service's ARNs have."""
    plain = re.sub(r"\$\{[a-z_]+\}", "x", resource)
    forms = [re.sub(r"\$\{[A-Za-z]+\}", "[^:]*", form) for form in known["ARNFormats"]]
    return any(re.fullmatch(form.replace("/.*", "[/:].*"), plain) for form in forms)


@pytest.mark.parametrize("case", CASES)
def test_a_star_alone_stands_only_where_a_reason_is_given(case: str) -> None:
    derived = derive(case)
    explained = {(each.handler, each.resource) for each in derived.wide}
    for table in (derived.own, derived.usecase):
        for handler, policy in table.items():
            stars = {resource for _, resource in policy.grants() if resource == "*"}
            assert all((handler, star) in explained for star in stars)


@pytest.mark.parametrize(
    ("step", "target"), [("train", None), ("compile", "x86_64-cpu"), ("a" * 40, "arm64-cpu"), ("a_b-", None)]
)
def test_jobs_are_named_as_their_policy_says(step: str, target: str | None) -> None:
    for pipeline in ("cookies", "c" * 40, "a-b"):
        run = Run(id="r", arn="arn:aws:states:us-east-1:123456789012:execution:p:r", pipeline=pipeline)
        name = job_name(run, step, target, "0123456789abcdef")
        assert name.startswith(policies.job_prefix(pipeline, step))


def test_policies_fit_where_iam_keeps_them() -> None:
    """A role's inline policies have at most 10,240 characters (IAM quotas)."""
    for case in CASES:
        for policy in derive(case).by_role().values():
            assert len(json.dumps(policy.as_json(), separators=(",", ":"))) < 10_240
