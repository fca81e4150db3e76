"""Greengrass components: their ARNs, their versions and which of them satisfies a requirement."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks import aws
from tasks.errors import TaskInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tasks.aws import Client
    from tasks.event import UseCase

COMPONENT_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
VERSION = r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})"
"""A release's semantic version; Greengrass takes numbers up to 999999."""

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "": operator.eq,
}
_COMPARATOR = re.compile(rf"(>=|<=|>|<|=|\^|~|)({VERSION})")


@dataclass(frozen=True, order=True)
class Version:
    """A release version."""

    major: int
    minor: int
    patch: int

    def __str__(self) -> str:
        """Return the version as it is written."""
        return f"{self.major}.{self.minor}.{self.patch}"


def parse_version(text: str) -> Version | None:
    """Return a release version; None for a pre-release or anything else."""
    found = re.fullmatch(VERSION, text)
    return Version(*map(int, found.groups())) if found else None


def satisfies(version: Version, requirement: str) -> bool:
    """Say whether a version meets a requirement in npm's syntax; raises TaskInputError for an unknown form.

    Understood are *, exact versions, comparisons, ^ and ~, joined by spaces (all must hold) and || (any may).
    """
    ranges = [part.split() for part in re.sub(r"(>=|<=|>|<|=|\^|~)\s+", r"\1", requirement).split("||")]
    return any(all(_meets(version, part, requirement) for part in parts) for parts in ranges)


def component_arn(usecase: UseCase, name: str) -> str:
    """Return the ARN of a component of the use case's account, or of AWS for the names AWS keeps."""
    partition = usecase.role_arn.split(":")[1]
    owner = "aws" if name.startswith("aws.greengrass.") else usecase.account
    return f"arn:{partition}:greengrass:{usecase.region}:{owner}:components:{name}"


def list_versions(greengrass: Client, arn: str) -> Iterator[Version]:
    """Yield a component's release versions; none for a component that does not exist."""
    request: dict[str, Any] = {"arn": arn}
    while True:
        reply = aws.ask(greengrass.list_component_versions, request, unless=("ResourceNotFoundException",))
        if reply is None:
            return
        versions = (parse_version(item["componentVersion"]) for item in reply.get("componentVersions", []))
        yield from (version for version in versions if version is not None)
        if not reply.get("nextToken"):
            return
        request["nextToken"] = reply["nextToken"]


def latest_version(greengrass: Client, usecase: UseCase, name: str, requirement: str) -> Version:
    """Return the highest registered version that satisfies; raises TaskInputError when there is none."""
    known = sorted(list_versions(greengrass, component_arn(usecase, name)))
    fitting = [version for version in known if satisfies(version, requirement)]
    if not fitting:
        have = f"its versions are {', '.join(map(str, known))}" if known else "it has no version there"
        message = (
            f"no version of component {name} satisfies {requirement!r} in account {usecase.account}: {have}; "
            "register one that does"
        )
        raise TaskInputError(message)
    return fitting[-1]


def _meets(version: Version, part: str, requirement: str) -> bool:
    if part == "*":
        return True
    found = _COMPARATOR.fullmatch(part)
    bound = parse_version(found.group(2)) if found else None
    if found is None or bound is None:
        message = f"cannot read {part!r} in the version requirement {requirement!r}; write >=1.0.0 <2.0.0"
        raise TaskInputError(message)
    sign = found.group(1)
    if sign in _COMPARISONS:
        return _COMPARISONS[sign](version, bound)
    return bound <= version < (_next_tilde(bound) if sign == "~" else _next_caret(bound))


def _next_tilde(bound: Version) -> Version:
    return Version(bound.major, bound.minor + 1, 0)


def _next_caret(bound: Version) -> Version:
    if bound.major:
        return Version(bound.major + 1, 0, 0)
    return Version(0, bound.minor + 1, 0) if bound.minor else Version(0, 0, bound.patch + 1)
