"""One visit of one state: its stable path, what its expressions see, and how it is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from local_cloud.engine import expression
from local_cloud.engine.clock import Clock, timestamp
from local_cloud.engine.definition import ABSENT, Absent, Exit, State
from local_cloud.engine.errors import DATA_LIMIT, QUERY, Failure
from local_cloud.engine.expression import Bindings, Json, Template
from local_cloud.engine.history import Trail, exited
from local_cloud.engine.payload import MAX_DATA, encode, too_large

if TYPE_CHECKING:
    from local_cloud.engine.gate import Gate
    from local_cloud.engine.journal import Journal


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the context object says about an execution."""

    id: str
    name: str
    input: Json
    role_arn: str
    started: float
    machine_id: str
    machine_name: str


Sees: TypeAlias = Mapping[str, Json]
"""What `$states` has beyond input and context: `result` or `errorOutput`."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """How a state was left: the next state (None ends the scope) and the data handed on."""

    next: str | None
    output: Json


@dataclass(kw_only=True)
class Frame:
    """A scope being run: its variables, its place, and what it shares with its execution."""

    facts: Facts
    gate: Gate
    trail: Trail
    path: str = ""
    """Empty at the top; `compile#0/[1]/` inside the second iteration of a Map."""
    variables: dict[str, Json] = field(default_factory=dict)
    item: Mapping[str, Json] | None = None
    visits: Counter[str] = field(default_factory=Counter)

    def inner(self, place: str, gate: Gate, item: Mapping[str, Json] | None = None) -> Frame:
        """Return the frame of a branch or iteration, which reads our variables and sets its own."""
        return Frame(
            facts=self.facts,
            gate=gate,
            trail=self.trail.fork(),
            path=f"{place}/",
            variables=dict(self.variables),
            item=item if item is not None else self.item,
        )

    def name_visit(self, state: str) -> str:
        """Return the path of the next visit of a state: the same in every run of the same execution."""
        self.visits[state] += 1
        return f"{self.path}{state}#{self.visits[state] - 1}"


@dataclass(kw_only=True)
class Visit:
    """One state being run."""

    state: State
    path: str
    frame: Frame
    input: Json
    clock: Clock
    journal: Journal
    entered: float
    retries: int = 0
    token: str | None = None
    item: Mapping[str, Json] | None = None
    _draws: Counter[str] = field(default_factory=Counter)

    @property
    def key(self) -> str:
        """Name this attempt in the journal."""
        return f"{self.path}@{self.retries}"

    def once(self, name: str, effect: Callable[[], Json]) -> Json:
        """Ask the journal about something of this attempt."""
        return self.journal.once(f"{self.key}/{name}", effect)

    def begin_again(self) -> None:
        """Become the state's next attempt."""
        self.retries += 1
        self.token = None
        self._draws.clear()

    def with_item(self, item: Mapping[str, Json]) -> Visit:
        """Return this visit as an `ItemSelector` sees it for one item."""
        return replace(self, path=f"{self.path}[{item['Index']}]", item=item, _draws=Counter())

    def render(
        self, where: str, template: Template | Absent, sees: Sees | None = None, *, default: Json = None
    ) -> Json:
        """Return a template's value, or the default if the field is absent.

        Raises Failure States.QueryEvaluationError, after leaving its event in the history.
        """
        if template is ABSENT:
            return default
        try:
            return expression.render(template, self._bindings(sees))
        except expression.EvaluationError as error:
            raise self.query_failure(where, str(error)) from None

    def query_failure(self, where: str, why: str) -> Failure:
        """Record that a field gave no usable value and return the failure."""
        cause = f"An error occurred while executing the state '{self.state.name}', field '{where}': {why}"
        failure = Failure(QUERY, cause)
        details = {
            "error": failure.error,
            "cause": failure.cause,
            "location": where,
            "state": self.state.name,
        }
        self.frame.trail.add("EvaluationFailed", **details)
        return failure

    def number(self, where: str, template: Template | Absent, *, least: int = 0) -> int | None:
        """Return a field's whole number, or None if the field is absent."""
        if template is ABSENT:
            return None
        value = self.render(where, template)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise self.query_failure(where, f"{encode(value)[:80]} is not a whole number of at least {least}")
        return value

    def text(self, where: str, template: Template | Absent) -> str | None:
        """Return a field's string, or None if the field is absent."""
        if template is ABSENT:
            return None
        value = self.render(where, template)
        if not isinstance(value, str):
            raise self.query_failure(where, f"{encode(value)[:80]} is not a string")
        return value

    def leave(self, exit_: Exit, default: Json, sees: Sees | None = None, *, within: str = "") -> Step:
        """Evaluate an exit's Assign and Output, both seeing the old variables, then set the variables."""
        assigned = {
            name: self.render(f"{within}Assign/{name}", value, sees) for name, value in exit_.assign.items()
        }
        output = self.render(f"{within}Output", exit_.output, sees, default=default)
        if assigned:
            self.bounded(assigned, "variables")
        text = self.bounded(output, "output")
        self.frame.variables.update(assigned)
        self.frame.trail.add(
            f"{type(self.state).__name__}StateExited", **exited(self.state.name, text, assigned)
        )
        return Step(next=exit_.next, output=output)

    def bounded(self, value: Json, what: str) -> str:
        """Return the value's JSON text; raises Failure States.DataLimitExceeded."""
        text = encode(value)
        if too_large(text):
            cause = (
                f"The state '{self.state.name}' has {what} larger than {MAX_DATA} bytes; pass a URI instead."
            )
            raise Failure(DATA_LIMIT, cause)
        return text

    def context(self) -> dict[str, Json]:
        """Return the context object.

        Facts: https://docs.aws.amazon.com/step-functions/latest/dg/input-output-contextobject.html
        """
        facts = self.frame.facts
        execution = {
            "Id": facts.id,
            "Input": facts.input,
            "Name": facts.name,
            "RoleArn": facts.role_arn,
            "StartTime": timestamp(facts.started),
            "RedriveCount": 0,
        }
        state = {"Name": self.state.name, "EnteredTime": timestamp(self.entered), "RetryCount": self.retries}
        context: dict[str, Json] = {
            "Execution": execution,
            "StateMachine": {"Id": facts.machine_id, "Name": facts.machine_name},
            "State": state,
        }
        item = self.item or self.frame.item
        context.update({"Map": {"Item": item}} if item is not None else {})
        context.update({"Task": {"Token": self.token}} if self.token is not None else {})
        return context

    def _bindings(self, sees: Sees | None) -> Bindings:
        states = {"input": self.input, "context": self.context(), **(sees or {})}
        return Bindings(variables=self.frame.variables, states=states, draws=self._draw, now=self._now)

    def _draw(self, kind: str, make: Callable[[], Json]) -> Json:
        self._draws[kind] += 1
        return self.once(f"{kind}/{self._draws[kind]}", make)

    def _now(self) -> float:
        return float(self._draw("now", self.clock.now))
