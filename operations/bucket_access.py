"""Whether a bucket's policy lets a role in: evaluated, not searched.

Only what a policy's text decides: nothing may deny it, and to a role of another account the owner must allow
it (one of the bucket's own account has its rights by its own policy). How statements
are matched: docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html and
reference_policies_elements.html. Where it depends on what only a request knows, the answer is UNSURE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Match(IntEnum):
    """Whether a part of a statement is about a request; the least of its parts is the statement's."""

    NO = 0
    UNSURE = 1
    YES = 2


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a role wants to do; a resource that ends with `*` is everything below, and all of it is meant."""

    role: str
    action: str
    resource: str

    @property
    def account(self) -> str:
        """Return the role's account."""
        return self.role.split(":")[4]

    @property
    def facts(self) -> Mapping[str, str]:
        """Return the condition keys whose values are known beforehand, in small letters."""
        return {
            "aws:principalaccount": self.account,
            "aws:principalarn": self.role,
            "aws:principalisawsservice": "false",
            "aws:securetransport": "true",
        }


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """YES it may, NO it may not, or UNSURE; `reason` says why, but for YES."""

    allowed: Match
    reason: str = ""


def judge(policy: Mapping[str, Any], request: Request, *, own_account: bool = False) -> Verdict:
    """Say whether a policy lets a role do something; `own_account` says that the bucket is of its account."""
    statements = [each for each in _listed(policy.get("Statement")) if isinstance(each, dict)]
    denied, why = _strongest(statements, "Deny", request)
    allowed, condition = _strongest(statements, "Allow", request)
    allowed = Match.YES if own_account else allowed
    if denied is Match.YES:
        return Verdict(allowed=Match.NO, reason=f"{why} denies it")
    if allowed is Match.NO:
        return Verdict(allowed=Match.NO, reason="nothing allows it")
    if allowed is Match.UNSURE:
        return Verdict(allowed=Match.UNSURE, reason=f"{condition} allows it in some cases")
    if denied is Match.UNSURE:
        return Verdict(allowed=Match.UNSURE, reason=f"{why} denies it in some cases")
    return Verdict(allowed=Match.YES)


def _strongest(statements: list[dict[str, Any]], effect: str, request: Request) -> tuple[Match, str]:
    """Return how far the statements of one effect are about a request, and which one is most."""
    found = [
        (_match(each, request), f"statement {each.get('Sid') or number}")
        for number, each in enumerate(statements, start=1)
        if each.get("Effect") == effect
    ]
    return max(found, default=(Match.NO, ""), key=lambda each: each[0])


def _match(statement: Mapping[str, Any], request: Request) -> Match:
    return min(
        _either(statement, "Principal", lambda value: _principal(value, request), unsure=True),
        _either(statement, "Action", lambda value: _action(value, request.action)),
        _either(statement, "Resource", lambda value: _resource(value, request.resource)),
        _conditions(statement.get("Condition") or {}, request),
    )


def _either(
    statement: Mapping[str, Any], name: str, match: Callable[[Any], Match], *, unsure: bool = False
) -> Match:
    """Match an element, or turn round what its opposite matches.

    Who is spared by NotPrincipal depends on the role's session too: that is never sure.
    """
    if name in statement:
        return match(statement[name])
    if f"Not{name}" not in statement:
        return Match.NO
    spared = match(statement[f"Not{name}"])
    return Match.UNSURE if spared is Match.YES and unsure else Match(Match.YES - spared)


def _principal(value: Any, request: Request) -> Match:  # noqa: ANN401 - any JSON
    named = value.get("AWS") if isinstance(value, dict) else value
    other = isinstance(value, dict) and "CanonicalUser" in value
    found = [_one_principal(str(each), request) for each in _listed(named)]
    return max([*found, Match.UNSURE if other else Match.NO])


def _one_principal(text: str, request: Request) -> Match:
    account = request.account
    if text in ("*", request.role, account) or re.fullmatch(rf"arn:[a-z-]+:iam::{account}:root", text):
        return Match.YES
    # A session of the role, or the id of a role that is gone or may be this one.
    session = f":assumed-role/{request.role.rpartition('/')[2]}/"
    return Match.UNSURE if session in text or text.startswith("AROA") else Match.NO


def _action(value: Any, action: str) -> Match:  # noqa: ANN401 - any JSON
    named = any(_fits(str(each).lower(), action.lower()) for each in _listed(value))
    return Match.YES if named else Match.NO


def _resource(value: Any, resource: str) -> Match:  # noqa: ANN401 - any JSON
    return max((_one_resource(str(each), resource) for each in _listed(value)), default=Match.NO)


def _one_resource(pattern: str, resource: str) -> Match:
    if "${" in pattern:
        return Match.UNSURE
    if _fits(pattern, resource):
        return Match.YES
    begin = re.split(r"[*?]", pattern, maxsplit=1)[0]
    part = resource.endswith("*") and begin.startswith(resource[:-1])
    return Match.UNSURE if part else Match.NO


def _conditions(conditions: Mapping[str, Any], request: Request) -> Match:
    found = [
        _condition(operator, key.lower(), [str(each) for each in _listed(values)], request.facts)
        for operator, keys in conditions.items()
        for key, values in keys.items()
    ]
    return min(found, default=Match.YES)


def _condition(operator: str, key: str, values: list[str], facts: Mapping[str, str]) -> Match:
    plain = operator.removesuffix("IfExists").lower()
    test = _TESTS.get(plain.replace("not", "", 1))
    if key not in facts or test is None:
        return Match.UNSURE
    met = any(test(value, facts[key]) for value in values)
    return Match.YES if met != ("not" in plain) else Match.NO


def _same(value: str, fact: str) -> bool:
    return value == fact


def _same_but_for_case(value: str, fact: str) -> bool:
    return value.lower() == fact.lower()


def _fits(pattern: str, text: str) -> bool:
    """Match a text by a pattern with `*` and `?`."""
    return re.fullmatch("".join(_pieces(pattern)), text, re.DOTALL) is not None


def _pieces(pattern: str) -> Iterator[str]:
    for piece in re.split(r"([*?])", pattern):
        yield {"*": ".*", "?": "."}.get(piece, re.escape(piece))


_TESTS: Mapping[str, Callable[[str, str], bool]] = {
    "arnequals": _fits,
    "arnlike": _fits,
    "bool": _same_but_for_case,
    "stringequals": _same,
    "stringequalsignorecase": _same_but_for_case,
    "stringlike": _fits,
}
"""Operator, without Not and IfExists → whether a value of it is met."""


def _listed(value: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
