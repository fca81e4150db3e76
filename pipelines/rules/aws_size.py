"""P071: no text is longer and no number greater or less than AWS takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.aws.judgement import Verdict, judge
from pipelines.aws.members import NOUNS
from pipelines.aws.uses import Use, find_uses
from pipelines.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.aws.limits import Limit
    from pipelines.rules.subject import Subject

CODE = "P071"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield values that are out of a member's bounds."""
    # A parameter that several steps refer to is one mistake.
    yield from dict.fromkeys(_judge_all(subject))


def _judge_all(subject: Subject) -> Iterator[Diagnostic]:
    for use in find_uses(subject, _has_bounds):
        verdict = judge(use.limit, use.sent)
        if verdict and verdict.fault in ("least", "most"):
            yield Diagnostic(code=CODE, message=_tell(use, verdict), span=use.node.span, hint=use.row.hint)


def _has_bounds(limit: Limit) -> bool:
    return not limit.counts and (limit.minimum, limit.maximum) != (None, None)


def _tell(use: Use, verdict: Verdict) -> str:
    least, most = use.limit.minimum, use.limit.maximum
    bound = f"at least {least:,}" if verdict.fault == "least" else f"at most {most:,}"
    taker, place = NOUNS[use.row.operation], f"({use.row.operation}: {use.row.member})"
    if isinstance(use.sent, str):
        return f"this {use.row.what} has {verdict.size:,} characters; {taker} takes {bound} {place}"
    return f"this {use.row.what} is {verdict.size:,}; {taker} takes {bound} {place}"
