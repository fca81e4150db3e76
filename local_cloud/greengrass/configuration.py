"""A component's configuration: the recipe's defaults, and what deployments changed.

Only the changes are kept for a component. The configuration that it sees is the changes laid over the
defaults of its version, so a customised value survives an upgrade and an untouched one takes the new default.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from . import errors

Document = dict[str, Any]
"""A JSON object."""


def update(changes: Mapping[str, Any], *, reset: Sequence[str], merge: Mapping[str, Any]) -> Document:
    """Return the changes after a deployment's configuration update: first the resets, then the merge.

    Each reset is a JSON pointer to what shall return to its default; "" means everything. Objects merge
    deeply, lists and scalars replace. Raises DeploymentError for a reset that points into a list.
    """
    result: Document = copy.deepcopy(dict(changes))
    for pointer in reset:
        _reset(result, pointer)
    return overlay(result, merge)


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


def _reset(document: Document, pointer: str) -> None:
    keys = split_pointer(pointer)
    if not keys:
        document.clear()
        return
    holder: Any = document
    for key in keys[:-1]:
        holder = holder.get(key) if isinstance(holder, dict) else None
        if isinstance(holder, list):
            message = f"configuration reset {pointer!r} points into a list; reset or merge the whole list"
            raise errors.bad_configuration(message)
    if isinstance(holder, dict):
        holder.pop(keys[-1], None)
