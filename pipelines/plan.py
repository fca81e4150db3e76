"""What a spec would change, and what a run of it would cost: the answer of `edgepipe plan`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from pipelines import assets, changes, cost, machine, policies
from pipelines.changes import ABSENT, Change, Rerun, RightsChange, Version
from pipelines.compiler import Compiled, compile_text
from pipelines.source import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from pipelines.cost import Estimate
    from pipelines.values import Json

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_SHOWN = 60
_SHOWN_BEFORE = 24


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would change against another version (`against` names it; empty: against nothing at all)."""

    pipeline: str
    against: str
    states: tuple[Change, ...]
    rights: tuple[RightsChange, ...]
    reruns: tuple[Rerun, ...]
    kept: tuple[str, ...]
    files_known: bool
    estimate: Estimate

    @property
    def changed(self) -> bool:
        """Say whether there is anything to apply; changed files alone are something too."""
        return bool(self.states or self.rights or self.reruns)


def read_version(path: Path) -> Version:
    """Read a spec, or a definition that `edgepipe compile` wrote, which says nothing of files that go along.

    Raises SpecError, MachineError, AssetError or OSError.
    """
    text = assets.read_spec(path)
    if machine.is_definition(text):
        return Version(machine=machine.parse(text))
    compiled = compile_text(text, path=path.as_posix(), exists=assets.exists_beside(path))
    return Version(machine=machine.parse(compiled.definition), digests=_digests(compiled, path.parent))


def make(new: Version, old: Version | None, *, against: str = "", minutes: Mapping[str, float]) -> Plan:
    """Compare two versions and estimate a run of the new one. Raises MinutesError for `minutes`."""
    before = policies.derive(old.machine) if old else None
    reruns = changes.find_reruns(new, old)
    again = {rerun.step for rerun in reruns}
    return Plan(
        pipeline=new.machine.pipeline,
        against=against,
        states=changes.compare_states(new.machine, old.machine if old else None),
        rights=changes.compare_rights(policies.derive(new.machine), before),
        reruns=reruns,
        kept=tuple(step for step in new.machine.steps() if step not in again),
        files_known=old is None or (new.digests is not None and old.digests is not None),
        estimate=cost.estimate(new.machine, minutes),
    )


def render(plan: Plan, form: str) -> str:
    """Write a plan as `text` or `json`."""
    if form == "json":
        return json.dumps(_as_json(plan), indent=2, ensure_ascii=False) + "\n"
    return (
        "\n".join([*_head(plan), *_states(plan), *_rights(plan), *_reruns(plan), *_bill(plan.estimate)])
        + "\n"
    )


def _digests(compiled: Compiled, folder: Path) -> dict[str, str]:
    return {
        asset.marker: hashlib.sha256(
            assets.read_asset(asset, spec_dir=folder, platform_dir=assets.PLATFORM)
        ).hexdigest()
        for asset in compiled.assets
    }


def _as_json(plan: Plan) -> dict[str, Any]:
    bill = asdict(plan.estimate)
    return {
        "pipeline": plan.pipeline,
        "against": plan.against or None,
        "changed": plan.changed,
        "states": [asdict(each) for each in plan.states],
        "rights": [asdict(each) for each in plan.rights],
        "reruns": [asdict(each) for each in plan.reruns],
        "kept": list(plan.kept),
        "files_known": plan.files_known,
        "cost": {**bill, "total": plan.estimate.total},
    }


def _head(plan: Plan) -> Iterator[str]:
    against = f"against {plan.against}" if plan.against else "against nothing: everything is new"
    yield f"Pipeline {plan.pipeline}, {against}"
    yield ""


def _states(plan: Plan) -> Iterator[str]:
    yield f"States: {_count(change.action for change in plan.states)}"
    for change in plan.states:
        yield f"  {_SIGNS[change.action]} {change.state}"
        for field in change.fields:
            old, new = _pair(field.old, field.new)
            yield f"      {field.path}: {old} -> {new}"
    yield ""


def _rights(plan: Plan) -> Iterator[str]:
    yield f"IAM rights: {_count(change.action for change in plan.rights)}"
    for role in dict.fromkeys(change.role for change in plan.rights):
        yield f"  {role}"
        mine = [change for change in plan.rights if change.role == role]
        yield from (f"    {_SIGNS[each.action]} {each.right} on {each.resource}" for each in mine)
    yield ""


def _reruns(plan: Plan) -> Iterator[str]:
    yield f"Steps to run again: {len(plan.reruns)} of {len(plan.reruns) + len(plan.kept)}"
    yield from _columns([(f"  {each.step}", each.reason) for each in plan.reruns])
    if not plan.files_known:
        yield "  A definition says nothing of scripts and other files: they are taken to be the same."
    yield "  Nothing is taken from a cache yet: a run runs every step. This is what a cache will go by."
    yield ""


def _bill(estimate: Estimate) -> Iterator[str]:
    where = f"{estimate.region}, prices of {estimate.date}"
    yield f"Cost of one run, about: {estimate.total:.2f} {estimate.currency} ({where})"
    rows = [
        (f"  {item.what}", item.quantity, "?" if item.cost is None else f"{item.cost:.4f}")
        for item in estimate.items
    ]
    yield from _columns(rows)
    yield f"  Assumed: {'; '.join(estimate.assumptions)}."
    yield f"  Not counted: {estimate.not_counted}."
    yield f"  Prices: {', '.join(estimate.sources.values())}"


def _count(actions: Iterable[str]) -> str:
    found = Counter(actions)
    return ", ".join(f"{found[action]} {action}" for action in _SIGNS if found[action]) or "no changes"


def _pair(old: Json, new: Json) -> tuple[str, str]:
    """Write two values; long ones without most of what both begin with."""
    before, after = (
        ABSENT if value is ABSENT else json.dumps(value, ensure_ascii=False) for value in (old, new)
    )
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    skipped = max(0, same - _SHOWN_BEFORE) if max(len(before), len(after)) > _SHOWN else 0
    head = "…" if skipped else ""
    return shorten(head + before[skipped:], _SHOWN), shorten(head + after[skipped:], _SHOWN)


def _columns(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
