"""Whether a role's trust policy lets a caller assume it.

Facts: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html and
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
What it does not do: look at the caller's own policies (a trusted account's users all may), sessions that
others federate, and condition operators or keys other than the ones below: those are never fulfilled.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ACTION = "sts:AssumeRole"
_SESSION = re.compile(r"arn:(aws[a-z-]*):sts::(\d{12}):assumed-role/([^/]+)/.+")


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls STS."""

    account: str
    arn: str
    """A user's ARN, or a session's (`assumed-role/ROLE/SESSION`)."""

    @property
    def principals(self) -> frozenset[str]:
        """The names by which a policy may mean the caller."""
        session = _SESSION.fullmatch(self.arn)
        role = {f"arn:{session[1]}:iam::{session[2]}:role/{session[3]}"} if session else set()
        return frozenset({self.account, f"arn:aws:iam::{self.account}:root", self.arn, "*"} | role)


def allows(policy: str, caller: Caller, external_id: str | None) -> bool:
    """Say whether a trust policy (JSON text) allows the caller to assume its role; a Deny wins."""
    try:
        statements = _several(json.loads(policy).get("Statement", []))
    except (ValueError, AttributeError):
        return False
    values = {
        "sts:externalid": external_id,
        "aws:principalaccount": caller.account,
        "aws:principalarn": next((name for name in caller.principals if ":role/" in name), caller.arn),
    }
    effects = [one.get("Effect") for one in statements if _applies(one, caller, values)]
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], caller: Caller, values: Mapping[str, str | None]) -> bool:
    actions = _several(statement.get("Action", []))
    principal = statement.get("Principal", {})
    names = _several(principal if principal == "*" else principal.get("AWS", []))
    return (
        any(fnmatchcase(ACTION.lower(), str(action).lower()) for action in actions)
        and not caller.principals.isdisjoint(names)
        and _fulfilled(statement.get("Condition", {}), values, denies=statement.get("Effect") == "Deny")
    )


def _fulfilled(conditions: Mapping[str, Any], values: Mapping[str, str | None], *, denies: bool) -> bool:
    """Judge conditions; what is not known here must not open a role, so it fulfils a Deny only."""
    for operator, keys in conditions.items():
        test = _OPERATORS.get(operator)
        for key, wanted in keys.items():
            if test is None or key.lower() not in values:
                if not denies:
                    return False
            elif not test(values[key.lower()], [str(each) for each in _several(wanted)]):
                return False
    return True


def _equals(value: str | None, wanted: list[str]) -> bool:
    return value in wanted


def _like(value: str | None, wanted: list[str]) -> bool:
    return value is not None and any(_matches(pattern, value) for pattern in wanted)


def _matches(pattern: str, value: str) -> bool:
    # Only * and ? have a meaning in IAM.
    parts = [".*" if part == "*" else "." if part == "?" else re.escape(part) for part in pattern]
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


_OPERATORS: Mapping[str, Callable[[str | None, list[str]], bool]] = {
    "StringEquals": _equals,
    "StringNotEquals": lambda value, wanted: value not in wanted,
    "StringLike": _like,
    "StringNotLike": lambda value, wanted: not _like(value, wanted),
    "ArnEquals": _like,
    "ArnLike": _like,
    "Null": lambda value, wanted: ("true" in wanted) == (value is None),
}


def _several(value: Any) -> list[Any]:  # noqa: ANN401 - one thing or a list of them, as JSON policies have it
    return list(value) if isinstance(value, list) else [value]
