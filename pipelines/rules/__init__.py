"""What a spec must fulfil beyond its shape: one rule a file, every rule listed here.

A rule's code is never given to another. P001 to P006 come from reading YAML (pipelines/source.py), P010 to
P013 from the schemas (pipelines/shape.py), P040 from the finished definition (pipelines/compiler.py), P041
from check_all.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Protocol

from pipelines.diagnostics import Diagnostic
from pipelines.rules import (
    ambiguous_input,
    aws_count,
    aws_documented,
    aws_size,
    aws_value,
    component_name,
    condition,
    cycle,
    given_input,
    heartbeats,
    idle_default,
    injected_text,
    list_step,
    missing_input,
    missing_script,
    one_of_keys,
    param_default,
    reference_name,
    reference_place,
    reference_type,
    self_need,
    split_sum,
    time_limits,
    unknown_kind,
    unknown_step,
    variable_names,
    wave_names,
    wrong_input,
)
from pipelines.rules.subject import Subject

if TYPE_CHECKING:
    from collections.abc import Iterator


class Rule(Protocol):
    """A rule's module; its docstring is the rule."""

    CODE: str

    def check(self, subject: Subject) -> Iterator[Diagnostic]:
        """Yield what breaks the rule."""


ALL_RULES: tuple[Rule, ...] = (
    unknown_kind,
    unknown_step,
    self_need,
    cycle,
    missing_input,
    ambiguous_input,
    wrong_input,
    reference_name,
    reference_type,
    reference_place,
    variable_names,
    param_default,
    split_sum,
    time_limits,
    injected_text,
    missing_script,
    component_name,
    condition,
    given_input,
    list_step,
    heartbeats,
    one_of_keys,
    idle_default,
    wave_names,
    aws_value,
    aws_size,
    aws_count,
    aws_documented,
)

MAX_FINDINGS = 500
"""Nobody reads more, and each takes time to find a near miss for."""


def check_all(subject: Subject) -> list[Diagnostic]:
    """Return what the rules find, up to MAX_FINDINGS and a last one that says so."""
    findings = (diagnostic for rule in ALL_RULES for diagnostic in rule.check(subject))
    found = list(itertools.islice(findings, MAX_FINDINGS))
    if len(found) == MAX_FINDINGS:
        message = f"there are {MAX_FINDINGS} mistakes or more, and only these are shown"
        hint = "Correct some and check again: one cause often has many effects."
        found.append(Diagnostic(code="P041", message=message, hint=hint))
    return found


__all__ = ["ALL_RULES", "Rule", "Subject", "check_all"]
