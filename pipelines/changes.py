"""What differs between two definitions: states field by field, rights, and which steps would run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.machine import used_params, used_steps
from pipelines.spec import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.machine import Machine, Task
    from pipelines.policies import Policies
    from pipelines.values import Json

_IGNORED = frozenset({"Comment"})
"""A comment says where a state stands in the spec: moving a line changes nothing."""

_OF_THE_CALL = frozenset({"attempt", "timeout_seconds", "run", "usecase", "token"})
"""What an event holds besides the work: another value of it does not make another output."""

ABSENT = "(absent)"


@dataclass(frozen=True, kw_only=True)
class Field:
    """One value that differs; `path` is such as `Arguments.Payload.config.instance`."""

    path: str
    old: Json
    new: Json


@dataclass(frozen=True, kw_only=True)
class Change:
    """A state that was added, removed or changed; `fields` is empty but for a changed one."""

    state: str
    action: str
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RightsChange:
    """An action that a role gains or loses on a resource."""

    role: str
    action: str
    right: str
    resource: str


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """A step that could not take over its output from the other definition, and why."""

    step: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Version:
    """A definition and the digests of the files that go along; `digests` is None where nobody knows them."""

    machine: Machine
    digests: Mapping[str, str] | None = None


def compare_states(new: Machine, old: Machine | None) -> tuple[Change, ...]:
    """Return what became of each state, in the order of the new definition; removed ones come last."""
    before = old.states if old else {}
    head = [*_compare_state("(machine)", _head(new), _head(old))] if old else []
    found = [
        change for name in new.states for change in _compare_state(name, new.states[name], before.get(name))
    ]
    removed = [Change(state=name, action="removed") for name in before if name not in new.states]
    return (*head, *found, *removed)


def compare_rights(new: Policies, old: Policies | None) -> tuple[RightsChange, ...]:
    """Return every right that a role gains or loses."""
    after, before = new.by_role(), old.by_role() if old else {}
    found: list[RightsChange] = []
    for role in sorted({*after, *before}):
        granted = after[role].grants() if role in after else set()
        held = before[role].grants() if role in before else set()
        for action, pairs in (("added", granted - held), ("removed", held - granted)):
            found += [
                RightsChange(role=role, action=action, right=right, resource=resource)
                for right, resource in sorted(pairs)
            ]
    return tuple(found)


def find_reruns(new: Version, old: Version | None) -> tuple[Rerun, ...]:
    """Return the steps whose work differs, and all that come after them, in the order of the states."""
    before = old.machine.steps() if old else {}
    found: dict[str, str] = {}
    for step, tasks in new.machine.steps().items():
        reason = _own_reason(step, tasks, new, old) if step in before and old else "it is new"
        reason = reason or _inherited_reason(tasks, found)
        if reason:
            found[step] = reason
    return tuple(Rerun(step=step, reason=reason) for step, reason in found.items())


def flatten(value: Json, path: str = "") -> dict[str, Json]:
    """Return path → scalar for everything in a value; an empty list or object stands for itself."""
    if isinstance(value, dict | list) and value:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        found: dict[str, Json] = {}
        for key, item in items:
            if key not in _IGNORED:
                name = f"[{key}]" if isinstance(value, list) else f".{key}" if path else str(key)
                found |= flatten(item, f"{path}{name}")
        return found
    return {path: value}


def _head(machine: Machine) -> dict[str, Any]:
    return {name: item for name, item in machine.document.items() if name != "States"}


def _compare_state(name: str, new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Iterator[Change]:
    if old is None:
        yield Change(state=name, action="added")
        return
    fields = tuple(differences(_alone(new), _alone(old)))
    if fields:
        yield Change(state=name, action="changed", fields=fields)


def _alone(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return a state without the states inside it, which are compared by their own names."""
    inner = state.get("ItemProcessor")
    if not isinstance(inner, dict):
        return dict(state)
    kept = {name: item for name, item in inner.items() if name != "States"}
    return {**state, "ItemProcessor": kept}


def differences(new: Json, old: Json) -> Iterator[Field]:
    """Yield every value that differs, in the order of the new one."""
    after, before = flatten(new), flatten(old)
    for path in dict.fromkeys([*after, *before]):
        here, there = after.get(path, ABSENT), before.get(path, ABSENT)
        # 1 and true are equal to Python, but not to Step Functions.
        if here != there or type(here) is not type(there):
            yield Field(path=path, old=there, new=here)


def _own_reason(step: str, tasks: tuple[Task, ...], new: Version, old: Version) -> str:
    work, known = _work(tasks, new.machine), _work(old.machine.steps()[step], old.machine)
    for names, word in ((work.keys() - known.keys(), "new"), (known.keys() - work.keys(), "gone")):
        if names:
            return f"{', '.join(sorted(names))} {'are' if len(names) > 1 else 'is'} {word}"
    changed = [field.path for field in differences(work, known)]
    if changed:
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        return f"{changed[0]} changed{more}"
    if new.digests is None or old.digests is None:
        return ""
    moved = [name for name in _assets(tasks) if new.digests.get(name) != old.digests.get(name)]
    return f"the files of {', '.join(moved)} changed" if moved else ""


def _work(tasks: tuple[Task, ...], machine: Machine) -> dict[str, Any]:
    """Return all that decides what a step gives, but for what comes from other steps and its files."""
    params = {name: machine.params.get(name) for task in tasks for name in used_params(task.payload)}
    return {"params": params, **{_shown(task, tasks): _event(task) for task in tasks}}


def _shown(task: Task, tasks: tuple[Task, ...]) -> str:
    return task.kind if len(tasks) == 1 else task.state


def _event(task: Task) -> dict[str, Any]:
    kept = {name: item for name, item in task.payload.items() if name not in _OF_THE_CALL}
    return {**kept, "function": task.function, "items": task.items}


def _assets(tasks: tuple[Task, ...]) -> list[str]:
    markers = [str(text) for task in tasks for text in dict(task.payload.get("assets", {})).values()]
    return sorted({text.removeprefix("${").removesuffix("}") for text in markers})


def _inherited_reason(tasks: tuple[Task, ...], rerun: Mapping[str, str]) -> str:
    used = {name for task in tasks for name in used_steps(task.payload)}
    again = [step for step in rerun if identifier(step) in used]
    return f"{', '.join(again)} {'run' if len(again) > 1 else 'runs'} again" if again else ""
