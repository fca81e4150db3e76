"""P070: names and words that AWS has lists or patterns of are among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pipelines.aws.judgement import judge
from pipelines.aws.limits import read_version
from pipelines.aws.members import NOUNS
from pipelines.aws.uses import Use, find_uses
from pipelines.diagnostics import Diagnostic, did_you_mean
from pipelines.source import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.aws.limits import Limit
    from pipelines.rules.subject import Subject

CODE = "P070"

_SHOWN = 40

_INSTANCE = re.compile(r"(?P<family>ml\.[a-z][a-z0-9-]*\.)[a-z0-9]+")


def check(subject: Subject) -> Iterator[Diagnostic]:
    """Yield values that are none of a list, or not of the form, that a request's member takes."""
    # A parameter that several steps refer to is one mistake.
    yield from dict.fromkeys(_judge_all(subject))


def _judge_all(subject: Subject) -> Iterator[Diagnostic]:
    for use in find_uses(subject, _has_values):
        # A value of another type is told of where its type is.
        verdict = judge(use.limit, use.sent) if isinstance(use.sent, str) else None
        if verdict and verdict.fault in ("enum", "pattern"):
            place = f"({use.row.operation}: {use.row.member})"
            taker = NOUNS[use.row.operation]
            message = f"'{shorten(str(use.written))}' is no {use.row.what} that {taker} takes {place}"
            yield Diagnostic(code=CODE, message=message, span=use.node.span, hint=_advise(use))


def _has_values(limit: Limit) -> bool:
    return bool(limit.enum or limit.pattern)


def _advise(use: Use) -> str:
    if not use.limit.enum:
        return f"It must match {use.limit.pattern}."
    near = did_you_mean(str(use.sent), use.limit.enum)
    if _is_new_family(str(use.sent), use.limit.enum):
        return " ".join([*([near] if near else []), _advise_new()])
    if near:
        return near
    if len(use.limit.enum) <= _SHOWN:
        return f"It takes {', '.join(use.limit.enum)}."
    version, date = read_version()
    examples = ", ".join(use.limit.enum[:3])
    return f"As of {date}, botocore {version} knows {len(use.limit.enum)}, among them {examples}."


def _is_new_family(word: str, known: Sequence[str]) -> bool:
    """Say whether a word has the form of an instance type, of a family that none of the known ones is of."""
    found = _INSTANCE.fullmatch(word)
    return found is not None and not any(each.startswith(found["family"]) for each in known)


def _advise_new() -> str:
    version, date = read_version()
    return (
        f"If it is newer than botocore {version} of {date}, which this was checked against, take it from a "
        "parameter without a default, whose value is known only to the run."
    )
