"""P072: no list or mapping has more entries than AWS takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.aws.judgement import judge
from pipelines.aws.members import NOUNS
from pipelines.aws.uses import find_uses
from pipelines.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.aws.limits import Limit
    from pipelines.rules.subject import Subject

CODE = "P072"


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield lists and mappings with too many entries."""
    for use in find_uses(subject, _counts):
        verdict = judge(use.limit, use.sent)
        if verdict:
            row, taker = use.row, NOUNS[use.row.operation]
            message = (
                f"there are {verdict.size:,} {row.what}; {taker} takes at most {use.limit.maximum:,} "
                f"({row.operation}: {row.member})"
            )
            yield Diagnostic(code=CODE, message=message, span=use.node.span, hint=row.hint)


def _counts(limit: Limit) -> bool:
    return limit.counts
