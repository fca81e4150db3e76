"""Which manifest of a recipe is meant for a device."""

from __future__ import annotations

import platform
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

# The names that the nucleus gives to what the operating system reports.
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "arm64": "aarch64", "aarch64": "aarch64"}


def host_attributes() -> dict[str, str]:
    """Return the platform attributes of a device that runs on this machine."""
    machine = platform.machine().lower()
    return {"os": platform.system().lower(), "architecture": _ARCHITECTURES.get(machine, machine)}


def matches(wanted: Mapping[str, str], attributes: Mapping[str, str]) -> bool:
    """Tell whether a device with these attributes fits a manifest's `Platform`.

    A value is exact, `*` (anything, also an absent attribute) or `/regular expression/`; see the recipe
    reference of the AWS IoT Greengrass V2 guide.
    """
    return all(_fits(rule, attributes.get(name)) for name, rule in wanted.items())


def check_rule(rule: str) -> None:
    """Raise ValueError when a platform value is a regular expression that cannot be read."""
    if _is_pattern(rule):
        try:
            re.compile(rule[1:-1])
        except re.error as error:
            msg = f"platform value {rule!r} is not a regular expression: {error}"
            raise ValueError(msg) from error


def _fits(rule: str, value: str | None) -> bool:
    if rule == "*":
        return True
    if value is None:
        return False
    if _is_pattern(rule):
        return re.fullmatch(rule[1:-1], value) is not None
    return rule == value


def _is_pattern(rule: str) -> bool:
    return len(rule) > 2 and rule.startswith("/") and rule.endswith("/")
