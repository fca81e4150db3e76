"""Component versions and version requirements: semantic versions and npm ranges.

One known difference from npm, in the library used: `>=2.0.0-rc.1 <2.0.0` also admits 2.0.0 itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from semantic_version import NpmSpec, Version

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_LENGTH = 64
MAX_NUMBER = 999_999


def parse_version(text: str) -> Version:
    """Read a version as AWS accepts it: strict semver, at most 64 characters, numbers up to 999,999.

    Raises ValueError naming the rule.
    """
    if len(text) > MAX_LENGTH:
        msg = f"version {text[:MAX_LENGTH]!r}... is longer than {MAX_LENGTH} characters"
        raise ValueError(msg)
    try:
        version = Version(text)
    except ValueError as error:
        msg = f"version {text!r} is not a semantic version such as 1.0.0"
        raise ValueError(msg) from error
    if max(version.major, version.minor, version.patch) > MAX_NUMBER:
        msg = f"version {text!r} has a number above {MAX_NUMBER}"
        raise ValueError(msg)
    return version


def parse_requirement(text: str) -> NpmSpec:
    """Read a version requirement, an npm range such as `^1.0.0`, `>=1.0.0 <2.0.0` or `1.x || 3.x`.

    Raises ValueError when it is not one.
    """
    # npm allows a space after an operator, which NpmSpec does not.
    compact = re.sub(r"([<>=^~]+)\s+", r"\1", text.strip())
    try:
        return NpmSpec(compact or "*")
    except ValueError as error:
        msg = f"version requirement {text!r} is not an npm range such as ^1.0.0"
        raise ValueError(msg) from error


def satisfying(versions: Iterable[str], requirements: Iterable[str]) -> list[str]:
    """Return the versions that satisfy all requirements, newest first."""
    ranges = [parse_requirement(requirement) for requirement in requirements]
    fitting = [version for version in map(Version, versions) if all(version in each for each in ranges)]
    return [str(version) for version in sorted(fitting, reverse=True)]
