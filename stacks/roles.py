"""Roles with nothing hidden: one trust, one inline policy, and a reason for every wildcard in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks import reasons

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from constructs import Construct

Document = dict[str, Any]

MAX_POLICY = 10_240
"""The characters that a role's inline policies may have together (IAM quotas)."""


def add_role(
    scope: Construct,
    construct_id: str,
    *,
    name: str | None,
    trust: Sequence[Document],
    statements: Sequence[Mapping[str, Any]],
    telemetry: Sequence[Mapping[str, Any]] = (),
) -> iam.CfnRole:
    """Add a role. Raises UnexplainedError for a wildcard without a reason.

    `telemetry` is a policy of its own: `edgepipe apply` rewrites the other one.
    """
    policies = {"edgepipe": statements, "edgepipe-telemetry": telemetry}
    role = iam.CfnRole(
        scope,
        construct_id,
        role_name=name,
        assume_role_policy_document={"Version": "2012-10-17", "Statement": list(trust)},
        policies=[
            iam.CfnRole.PolicyProperty(policy_name=policy, policy_document=document(allowed))
            for policy, allowed in policies.items()
            if allowed
        ]
        or None,
    )
    acknowledge_wildcards(role, [*statements, *telemetry])
    return role


def document(statements: Sequence[Mapping[str, Any]]) -> Document:
    """Return the policy document of some statements."""
    return {"Version": "2012-10-17", "Statement": [dict(each) for each in statements]}


def allow(actions: Sequence[str], resources: Sequence[str], **conditions: Mapping[str, Any]) -> Document:
    """Return a statement that allows actions on resources."""
    return {
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": list(resources),
        **({"Condition": conditions} if conditions else {}),
    }


def trust_service(service: str, *, account: str | None = None) -> Document:
    """Return the trust of an AWS service; `account` holds it to what that account asks it to do."""
    return {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **({"Condition": {"StringEquals": {"aws:SourceAccount": account}}} if account else {}),
    }


def trust_roles(arns: Sequence[str], *, external_id: str) -> Document:
    """Return the trust of exactly these roles, if they say the ExternalId."""
    return {
        "Effect": "Allow",
        "Principal": {"AWS": list(arns)},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }


def trust_account(account: str, *, external_id: str) -> Document:
    """Return the trust of an account, whose own IAM says who of it may enter, with the ExternalId."""
    return trust_roles([f"arn:aws:iam::{account}:root"], external_id=external_id)


def acknowledge_wildcards(construct: Construct, statements: Sequence[Mapping[str, Any]]) -> None:
    """Tell cdk-nag the reason for every wildcard."""
    found = {resource: reason for _, resource, reason in wildcards(statements)}
    for resource, reason in found.items():
        acknowledge(construct, f"AwsSolutions-IAM5[Resource::{resource}]", reason)


def acknowledge(construct: Construct, finding: str, reason: str = "") -> None:
    """Tell cdk-nag why a finding stands; without a reason given, that of the table."""
    _tell(construct, finding, reason or reasons.FINDINGS[finding])


def wildcards(statements: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """Yield (action, resource, reason) for every resource with a wildcard."""
    for statement in statements:
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                if "*" in resource:
                    yield action, resource, reasons.explain(action, resource)


def _tell(construct: Construct, finding: str, reason: str) -> None:
    cdk.Validations.of(construct).acknowledge(cdk.Acknowledgment(id=finding, reason=reason))
