"""A component's configuration: the recipe's defaults, and what deployments changed.

Only the changes are kept for a component, each with the time of its deployment. The configuration that it
sees is the changes laid over the defaults of its version, so a customised value survives an upgrade and an
untouched one takes the new default. What an older deployment asks for never replaces what a later one asked
for (nucleus source: values carry the time of their deployment, defaults the time 1).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Document = dict[str, Any]
"""A JSON object."""

Path = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One value that a deployment set: anything but an object that has members."""

    path: Path
    value: Any
    at: float
    """When the deployment was made, in seconds since the epoch."""


Changes = tuple[Change, ...]


def update(changes: Changes, *, reset: Sequence[str], merge: Mapping[str, Any], at: float) -> Changes:
    """Return the changes after a deployment's configuration update: first the resets, then the merge.

    Each reset is a JSON pointer to what shall return to its default; "" means everything. Objects merge
    deeply, lists and scalars replace. Raises DeploymentError for a reset that points into a list.
    """
    for pointer in reset:
        changes = _reset(changes, pointer, at)
    for path, value in _leaves(merge):
        changes = _put(changes, Change(path=path, value=value, at=at))
    return changes


def configure(defaults: Mapping[str, Any], changes: Iterable[Change]) -> Document:
    """Return the configuration that a component sees: its defaults with the changes laid over them."""
    result: Document = copy.deepcopy(dict(defaults))
    for change in changes:
        nested = change.value
        for key in reversed(change.path):
            nested = {key: nested}
        result = overlay(result, nested)
    return result


def overlay(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> Document:
    """Return `lower` with `upper` laid over it: objects merge deeply, everything else replaces."""
    result: Document = copy.deepcopy(dict(lower))
    for key, value in upper.items():
        below = result.get(key)
        both_objects = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[key] = overlay(below or {}, value) if both_objects else copy.deepcopy(value)
    return result


def split_pointer(pointer: str) -> list[str]:
    """Return the keys of a JSON pointer (RFC 6901); `""` and `"/"` mean the whole document."""
    if pointer in ("", "/"):
        return []
    return [key.replace("~1", "/").replace("~0", "~") for key in pointer.removeprefix("/").split("/")]


def look_up(document: Any, pointer: str) -> Any:  # noqa: ANN401 - any JSON value
    """Return what a JSON pointer points to; raises KeyError when there is nothing."""
    value = document
    for key in split_pointer(pointer):
        if isinstance(value, Mapping):
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            raise KeyError(pointer)
    return value


def _reset(changes: Changes, pointer: str, at: float) -> Changes:
    path = tuple(split_pointer(pointer))
    for change in changes:
        if isinstance(change.value, list) and _is_above(change.path, path) and change.path != path:
            message = f"configuration reset {pointer!r} points into a list; reset or merge the whole list"
            raise errors.bad_configuration(message)
    return tuple(each for each in changes if not _is_above(path, each.path) or each.at > at)


def _put(changes: Changes, new: Change) -> Changes:
    touched = [each for each in changes if _is_above(each.path, new.path) or _is_above(new.path, each.path)]
    if any(each.at > new.at for each in touched):
        return changes
    if new.value == {} and any(each.path != new.path and _is_above(new.path, each.path) for each in touched):
        return changes  # an object without members adds nothing to one that has some
    return (*(each for each in changes if each not in touched), new)


def _is_above(upper: Path, lower: Path) -> bool:
    return lower[: len(upper)] == upper


def _leaves(document: Mapping[str, Any], path: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value
