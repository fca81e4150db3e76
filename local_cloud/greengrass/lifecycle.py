"""A component's lifecycle: which scripts run when, in what environment, for how long."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import RecipeError
from .fields import Fields

STEPS = ("Bootstrap", "Install", "Startup", "Run", "Shutdown", "Recover")
DEFAULT_TIMEOUTS = {"Bootstrap": 120.0, "Install": 120.0, "Startup": 120.0, "Shutdown": 15.0, "Recover": 60.0}
"""Seconds, from the recipe reference of the AWS IoT Greengrass V2 guide; Run has no limit."""

_STEP_KEYS = ("Script", "Timeout", "Setenv", "Skipif", "RequiresPrivilege")
_OWN_KEYS = frozenset(name.lower() for name in ("Setenv", *STEPS, *_STEP_KEYS))
_SKIP_RULE = re.compile(r"(?P<negated>!\s*)?(?P<test>onpath|exists)\s+(?P<subject>\S.*)")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One lifecycle step; `timeout` is text because it may hold a recipe variable."""

    name: str
    script: str
    timeout: str | None = None
    setenv: Mapping[str, str] = field(default_factory=dict)
    skip_if: str | None = None

    @property
    def seconds(self) -> float | None:
        """The time limit; None means no limit. Raises RecipeError when an interpolated limit is no number."""
        if self.timeout is None:
            return DEFAULT_TIMEOUTS.get(self.name)
        return _seconds(self.timeout, f"Lifecycle.{self.name}.Timeout")


@dataclass(frozen=True, kw_only=True)
class Lifecycle:
    """The steps of a component by name, and the environment that all of them get."""

    setenv: Mapping[str, str] = field(default_factory=dict)
    steps: Mapping[str, Step] = field(default_factory=dict)

    def interpolated(self, substitute: Callable[[str], str]) -> Lifecycle:
        """Return this lifecycle with `substitute` applied to every text that may hold a variable."""
        steps = {name: _interpolated(step, substitute) for name, step in self.steps.items()}
        return Lifecycle(setenv=_substituted(self.setenv, substitute), steps=steps)


def parse_lifecycle(document: Any, where: str) -> Lifecycle:  # noqa: ANN401 - any JSON value
    """Read a lifecycle without selection keys; raises RecipeError naming the place."""
    fields = Fields(document, where=where, allowed=("Setenv", *STEPS))
    present = [name for name in STEPS if fields.raw(name) is not None]
    if "Startup" in present and "Run" in present:
        msg = f"{where}: has both Startup and Run; a component has one of them"
        raise RecipeError(msg)
    return Lifecycle(
        setenv=_parse_setenv(fields),
        steps={name: _parse_step(fields.raw(name), name, f"{where}.{name}") for name in present},
    )


def select(document: Any, selections: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON value
    """Reduce a global lifecycle to what the selection keys of a manifest pick; `all` is picked last.

    Selection keys may stand around the lifecycle, inside a step or inside its script.
    """
    if not isinstance(document, Mapping):
        return document
    for key in (*selections, "all"):
        if key in document:
            return select(document[key], selections)
    kept = {key: value for key, value in document.items() if str(key).lower() in _OWN_KEYS}
    reduced = {key: _select_member(key, value, selections) for key, value in kept.items()}
    return {key: value for key, value in reduced.items() if value is not None}


def is_skipped(step: Step, path: str) -> bool:
    """Tell whether a step's Skipif holds: `onpath PROGRAM` or `exists FILE`, `!` in front negates."""
    if step.skip_if is None:
        return False
    rule = _parse_skip_rule(step.skip_if, f"Lifecycle.{step.name}.Skipif")
    subject = rule["subject"].strip()
    if rule["test"] == "onpath":
        holds = shutil.which(subject, path=path) is not None
    else:
        holds = Path(subject).expanduser().exists()
    return holds != bool(rule["negated"])


def _select_member(key: str, value: Any, selections: Sequence[str]) -> Any:  # noqa: ANN401 - any JSON value
    if str(key).lower() == "setenv":
        return value
    reduced = select(value, selections)
    # A step that had only selection keys, none of them picked, is not there.
    return None if isinstance(value, Mapping) and value and not reduced else reduced


def _parse_step(document: Any, name: str, where: str) -> Step:  # noqa: ANN401 - any JSON value
    if isinstance(document, str):
        return Step(name=name, script=document)
    fields = Fields(document, where=where, allowed=_STEP_KEYS)
    _check_privilege(fields)
    return Step(
        name=name,
        script=fields.text("Script"),
        timeout=_parse_timeout(fields.raw("Timeout"), f"{where}.Timeout"),
        setenv=_parse_setenv(fields),
        skip_if=_parse_skip_if(fields),
    )


def _parse_timeout(value: Any, where: str) -> str | None:  # noqa: ANN401 - any JSON value
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        msg = f"{where}: must be a number of seconds, not {value!r}"
        raise RecipeError(msg)
    text = str(value)
    if "{" not in text:
        _seconds(text, where)
    return text


def _seconds(text: str, where: str) -> float:
    try:
        seconds = float(text)
    except ValueError as error:
        msg = f"{where}: must be a number of seconds, not {text!r}"
        raise RecipeError(msg) from error
    if not 0 < seconds < float("inf"):
        msg = f"{where}: must be more than 0 seconds, not {text!r}"
        raise RecipeError(msg)
    return seconds


def _parse_setenv(fields: Fields) -> dict[str, str]:
    values = fields.mapping("Setenv")
    return {name: _environment_value(name, value, fields.where) for name, value in values.items()}


def _environment_value(name: str, value: Any, where: str) -> str:  # noqa: ANN401 - any JSON value
    if not name or "=" in name or "\0" in name:
        msg = f"{where}.Setenv: {name!r} cannot be the name of an environment variable"
        raise RecipeError(msg)
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        msg = f"{where}.Setenv.{name}: must be text or a number, not {value!r}"
        raise RecipeError(msg)
    return str(value)


def _parse_skip_if(fields: Fields) -> str | None:
    text = fields.text("Skipif", "").strip()
    if not text:
        return None
    _parse_skip_rule(text, f"{fields.where}.Skipif")
    return text


def _parse_skip_rule(text: str, where: str) -> re.Match[str]:
    rule = _SKIP_RULE.fullmatch(text)
    if rule is None:
        msg = f"{where}: must be 'onpath PROGRAM' or 'exists FILE', not {text!r}"
        raise RecipeError(msg)
    return rule


def _check_privilege(fields: Fields) -> None:
    if str(fields.raw("RequiresPrivilege")).lower() not in ("none", "true", "false"):
        msg = f"{fields.where}.RequiresPrivilege: must be true or false"
        raise RecipeError(msg)


def _interpolated(step: Step, substitute: Callable[[str], str]) -> Step:
    return dataclasses.replace(
        step,
        script=substitute(step.script),
        timeout=None if step.timeout is None else substitute(step.timeout),
        setenv=_substituted(step.setenv, substitute),
        skip_if=None if step.skip_if is None else substitute(step.skip_if),
    )


def _substituted(values: Mapping[str, str], substitute: Callable[[str], str]) -> dict[str, str]:
    return {name: substitute(value) for name, value in values.items()}
