"""The fields of one object of a definition, taken one by one; what is left over is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, TypeVar

from local_cloud.engine import expression
from local_cloud.engine.definition import ABSENT, Absent
from local_cloud.engine.expression import Expression, Json, Template
from pipelines.diagnostics import near_miss

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

JSONPATH_FIELDS = frozenset(
    [
        "InputPath",
        "OutputPath",
        "ResultPath",
        "ResultSelector",
        "Parameters",
        "Result",
        "Variable",
        "ItemsPath",
        "SecondsPath",
        "TimestampPath",
        "TimeoutSecondsPath",
        "HeartbeatSecondsPath",
        "MaxConcurrencyPath",
        "ErrorPath",
        "CausePath",
    ]
)
UNSUPPORTED_FIELDS = {
    "Iterator": "use ItemProcessor",
    "ItemReader": "Distributed Map is not run here",
    "ItemBatcher": "Distributed Map is not run here",
    "ResultWriter": "Distributed Map is not run here",
    "ToleratedFailureCount": "Distributed Map is not run here",
    "ToleratedFailurePercentage": "Distributed Map is not run here",
    "Label": "Distributed Map is not run here",
}
MAX_SECONDS = 99_999_999
EVERYWHERE = frozenset({"input", "context"})
WITH_RESULT = EVERYWHERE | {"result"}
WITH_ERROR = EVERYWHERE | {"errorOutput"}


class ProblemError(ValueError):
    """One thing wrong with a definition: where and what."""


class Fields:
    """Takes typed fields out of a JSON object; raises ProblemError naming the place and the field."""

    def __init__(self, value: Json, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            self.refuse(None, "must be an object")
        self._left: dict[str, Json] = dict(value)

    def refuse(self, name: str | None, why: str) -> NoReturn:
        """Raise the problem of a field (or of the whole object)."""
        field = f", field '{name}'" if name else ""
        message = f"{self.where}{field}: {why}"
        raise ProblemError(message)

    def take(self, name: str) -> Json | Absent:
        """Return a field as it is, or ABSENT."""
        return self._left.pop(name, ABSENT)

    def need(self, name: str) -> Json:
        """Return a field that must be there."""
        value = self.take(name)
        if value is ABSENT:
            self.refuse(name, "is missing")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """Return a non-empty string that is no expression."""
        value = self.take(name)
        if value is ABSENT and default is not None:
            return default
        if not isinstance(value, str) or not value or value.startswith("{%"):
            self.refuse(name, "must be a constant, non-empty string")
        return str(value)

    def number(self, name: str, default: T, *, least: float, most: float = MAX_SECONDS) -> float | T:
        """Return a number within bounds, or the default."""
        value = self.take(name)
        if value is ABSENT:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            self.refuse(name, f"must be a number from {least:g} to {most:g}")
        return value

    def whole(self, name: str, default: T, *, least: int, most: int = MAX_SECONDS) -> int | T:
        """Return an integer within bounds, or the default."""
        value = self.number(name, default, least=least, most=most)
        if isinstance(value, float):
            if not value.is_integer():
                self.refuse(name, "must be a whole number")
            return int(value)
        return value

    def template(self, name: str, sees: frozenset[str] = EVERYWHERE) -> Template | Absent:
        """Return a field with its `{% %}` strings compiled; `sees` are the names of `$states` it may read."""
        value = self.take(name)
        return ABSENT if value is ABSENT else self._compile(name, value, sees)

    def seconds(self, name: str, *, least: int) -> Template | Absent:
        """Return whole seconds or an expression that gives them."""
        value = self.template(name)
        if value is ABSENT or isinstance(value, Expression):
            return value
        self._left[name] = value
        return self.whole(name, ABSENT, least=least)

    def expression(self, name: str) -> Template | Absent:
        """Return a string, constant or expression."""
        value = self.template(name)
        if value is not ABSENT and not isinstance(value, str | Expression):
            self.refuse(name, "must be a string")
        return value

    def items(self, name: str) -> list[Json]:
        """Return an array, empty if the field is missing."""
        value = self.take(name)
        if value is ABSENT:
            return []
        if not isinstance(value, list):
            self.refuse(name, "must be an array")
        return list(value)

    def mapping(self, name: str) -> Mapping[str, Json]:
        """Return an object, empty if the field is missing."""
        value = self.take(name)
        if value is ABSENT:
            return {}
        if not isinstance(value, dict):
            self.refuse(name, "must be an object")
        return dict(value)

    def finish(self, known: frozenset[str]) -> None:
        """Refuse what nobody took; `known` are the names that a near miss may have meant."""
        for name in self._left:
            self.refuse(name, _why_unknown(name, known))

    def _compile(self, name: str, value: Json, sees: frozenset[str]) -> Template:
        try:
            template = expression.parse(value)
        except expression.EvaluationError as error:
            self.refuse(name, str(error))
        for part in expression.expressions(template):
            hidden = expression.read_use(part).states_fields & (WITH_RESULT | WITH_ERROR) - sees
            for field in sorted(hidden):
                self.refuse(name, f"$states.{field} is not accessible here")
        return template


def _why_unknown(name: str, known: frozenset[str]) -> str:
    if name in JSONPATH_FIELDS:
        return "belongs to JSONPath; this engine runs JSONata only"
    if name in UNSUPPORTED_FIELDS:
        return f"is not supported: {UNSUPPORTED_FIELDS[name]}"
    near = near_miss(name, known)
    return "is not supported" + (f"; did you mean '{near}'?" if near else "")
