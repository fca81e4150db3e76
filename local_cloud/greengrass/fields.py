"""Checked access to a recipe's objects, whose own keys AWS reads in any case."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pipelines.diagnostics import near_miss

from .errors import RecipeError


class Fields:
    """One object of a recipe: its members by name, each checked for its type, unknown ones refused."""

    def __init__(self, document: Any, *, where: str, allowed: Collection[str]) -> None:  # noqa: ANN401 - any JSON
        self.where = where
        self._members = _by_lower_name(document, where, {name.lower(): name for name in allowed})

    def text(self, name: str, default: str | None = None) -> str:
        """Return a member that must be text; without default it must be there."""
        value = self._members.get(name.lower(), default)
        if value is None:
            msg = f"{self.where}: {name} is missing"
            raise RecipeError(msg)
        if not isinstance(value, str):
            msg = f"{self.where}.{name}: must be text, not {value!r}"
            raise RecipeError(msg)
        return value

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """Return a member that must be one of the choices, in any case; the result is upper case."""
        value = self.text(name, default).upper()
        if value not in choices:
            msg = f"{self.where}.{name}: must be one of {', '.join(choices)}, not {value!r}"
            raise RecipeError(msg)
        return value

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a member that must be an object; absent and null mean empty."""
        value = self._members.get(name.lower())
        if value is None:
            return {}
        return check_mapping(value, f"{self.where}.{name}")

    def items(self, name: str) -> list[Any]:
        """Return a member that must be a list; absent and null mean empty."""
        value = self._members.get(name.lower())
        if value is None:
            return []
        if not isinstance(value, list):
            msg = f"{self.where}.{name}: must be a list, not {value!r}"
            raise RecipeError(msg)
        return value

    def raw(self, name: str) -> Any:  # noqa: ANN401 - any JSON value
        """Return a member as it is, None when absent."""
        return self._members.get(name.lower())


def check_mapping(value: Any, where: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Return the value if it is an object with text keys; raises RecipeError otherwise."""
    if not isinstance(value, Mapping):
        msg = f"{where}: must be an object, not {value!r}"
        raise RecipeError(msg)
    for key in value:
        if not isinstance(key, str):
            msg = f"{where}: the key {key!r} must be text; put it in quotes"
            raise RecipeError(msg)
    return dict(value)


def _by_lower_name(document: Any, where: str, allowed: Mapping[str, str]) -> dict[str, Any]:  # noqa: ANN401
    members: dict[str, Any] = {}
    for key, value in check_mapping(document, where).items():
        if key.lower() not in allowed:
            near = near_miss(key.lower(), allowed)
            hint = (
                f"; did you mean {allowed[near]}?" if near else f"; known are {', '.join(allowed.values())}"
            )
            msg = f"{where}: unknown key {key!r}{hint}"
            raise RecipeError(msg)
        if key.lower() in members:
            msg = f"{where}: the key {key!r} is there twice"
            raise RecipeError(msg)
        members[key.lower()] = value
    return members
