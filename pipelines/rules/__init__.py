"""What a spec must fulfil beyond its shape: one rule a file, every rule listed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipelines.diagnostics import Diagnostic
from pipelines.rules.subject import Subject

Rule = Callable[[Subject], Iterator[Diagnostic]]

ALL_RULES: tuple[Rule, ...] = ()


def check_all(subject: Subject) -> list[Diagnostic]:
    """Return what every rule found."""
    return [diagnostic for rule in ALL_RULES for diagnostic in rule(subject)]


__all__ = ["ALL_RULES", "Rule", "Subject", "check_all"]
