"""Reading one JSON object into typed values: every complaint names the field and what was found there."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from tasks.errors import TaskInputError


@dataclass(frozen=True)
class Fields:
    """A JSON object and where it stands, such as `event.usecase`.

    Every reader raises TaskInputError when the value is absent (and has no default) or has another type.
    """

    values: Mapping[str, Any]
    where: str

    def has(self, key: str) -> bool:
        """Say whether the object has a value at `key`; null counts as none."""
        return self.values.get(key) is not None

    def text(self, key: str, default: str | None = None, *, pattern: str | None = None) -> str:
        """Return the string at `key`; `pattern` must match it whole."""
        value: str = self._typed(key, str, "a string", default)
        if pattern is not None and re.fullmatch(pattern, value) is None:
            self.refuse(key, f"must match {pattern}")
        return value

    def integer(self, key: str, default: int | None = None, *, minimum: int = 0) -> int:
        """Return the whole number at `key`, `minimum` or more."""
        value: int = self._typed(key, int, "a whole number", default)
        if isinstance(value, bool) or value < minimum:
            self.refuse(key, f"must be a whole number of {minimum} or more")
        return value

    def number(self, key: str) -> float:
        """Return the finite number at `key`."""
        value = self._typed(key, (int, float), "a number", None)
        if isinstance(value, bool) or not math.isfinite(value):
            self.refuse(key, "must be a finite number")
        return float(value)

    def child(self, key: str, default: Mapping[str, Any] | None = None) -> Fields:
        """Return the object at `key`."""
        return Fields(self._typed(key, Mapping, "an object", default), f"{self.where}.{key}")

    def children(self, key: str) -> tuple[Fields, ...]:
        """Return the list of objects at `key`; empty when absent."""
        items = self._typed(key, list, "a list of objects", [])
        if not all(isinstance(item, Mapping) for item in items):
            self.refuse(key, "must be a list of objects")
        return tuple(Fields(item, f"{self.where}.{key}[{index}]") for index, item in enumerate(items))

    def texts(self, key: str, default: list[str] | None = None) -> tuple[str, ...]:
        """Return the list of distinct, non-empty strings at `key`."""
        items = self._typed(key, list, "a list of strings", default)
        if not all(isinstance(item, str) and item for item in items) or len(set(items)) != len(items):
            self.refuse(key, "must be a list of distinct, non-empty strings")
        return tuple(items)

    def refuse(self, key: str, need: str) -> NoReturn:
        """Raise the TaskInputError that says what the value at `key` must be, and what it is."""
        shown = repr(self.values.get(key))
        message = f"{self.where}.{key} {need}; it is {shown if len(shown) <= 120 else f'{shown[:117]}...'}"
        raise TaskInputError(message)

    def _typed(self, key: str, kind: Any, name: str, default: Any) -> Any:  # noqa: ANN401 - the caller names the type
        value = self.values.get(key)
        if value is None:
            value = default
        if value is None:
            message = f"{self.where} has no {key!r}, which must be {name}"
            raise TaskInputError(message)
        if not isinstance(value, kind):
            self.refuse(key, f"must be {name}")
        return value
