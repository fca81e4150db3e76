"""One visit of one state: its stable path, what its expressions see, and how it is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from local_cloud.clock import Clock, timestamp
from local_cloud.engine import expression
from local_cloud.engine.definition import ABSENT, Absent, Exit, State
from local_cloud.engine.errors import DATA_LIMIT, QUERY, Failure
from local_cloud.engine.expression import Bindings, Json, Template
from local_cloud.engine.history import Trail, exited
from local_cloud.engine.payload import MAX_DATA, encode, too_large
from local_cloud.engine.replies import new_token

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
    redrives: int = 0
    redriven: float | None = None

    @cached_property
    def context(self) -> dict[str, Json]:
        """Return the part of the context object that is the same in every state of this life."""
        return self.context_of(self.redrives, self.redriven)

    def context_of(self, redrives: int, redriven: float | None) -> dict[str, Json]:
        """Return that part as it is, or was, after so many redrives."""
        execution = {
            "Id": self.id,
            "Input": self.input,
            "Name": self.name,
            "RoleArn": self.role_arn,
            "StartTime": timestamp(self.started),
            "RedriveCount": redrives,
        }
        if redriven is not None:
            execution["RedriveTime"] = timestamp(redriven)
        return {
            "Execution": execution,
            "StateMachine": {"Id": self.machine_id, "Name": self.machine_name},
        }


def redriven_key(redrives: int) -> str:
    """Name the moment of a redrive in the journal."""
    return f"redriven/{redrives}"


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
    attempts: int = 0
    """How many there were before this one, in all redrives."""
    retries: int = 0
    """How many retries there were since the last redrive."""
    revivals: int = 0
    """How many redrives took this visit up after it had failed for good."""
    reopened: int = 0
    """How many of these took up the same attempt."""
    token: str | None = None
    started: float = 0.0
    life: int = 0
    """After how many redrives this visit is made, or was when it was made first."""
    _redrive: int | None = None
    """The redrive in which the attempt before began."""
    item: Mapping[str, Json] | None = None
    _draws: Counter[str] = field(default_factory=Counter)

    @property
    def key(self) -> str:
        """Name this attempt in the journal."""
        return f"{self.path}@{self.attempts}"

    def settle(self, name: str, effect: Callable[[], Json]) -> Json:
        """Ask the journal about something that happens outside; the answer is kept before it is returned."""
        answer = self.once(name, effect)
        self.journal.keep()
        return answer

    @property
    def outcome_key(self) -> str:
        """Name what this attempt comes to; a Map or Parallel that was taken up again comes to an end anew."""
        return f"{self.key}/outcome+{self.reopened}" if self.reopened else f"{self.key}/outcome"

    def once(self, name: str, effect: Callable[[], Json]) -> Json:
        """Ask the journal about something of this attempt."""
        return self.journal.once(f"{self.key}/{name}", effect)

    def begin(self, *, token: bool, again: bool) -> bool:
        """Begin an attempt; return True if it is the first one of a redrive.

        With `again`, an attempt that an earlier end of the execution interrupted is not taken up.
        """
        now = self.frame.facts.redrives
        while True:
            start = self.once("started", lambda: self._start(token=token))
            if start["redrive"] == now or not again or self.journal.recall(self.outcome_key) is not None:
                break
            self.attempts += 1
        before, self._redrive = self._redrive, start["redrive"]
        self.life = start["redrive"]
        self.started, self.token = start["at"], start.get("token")
        if before is None or before == self._redrive:
            return False
        self.retries = 0
        return True

    def begin_again(self) -> None:
        """Become the state's next attempt."""
        self.attempts += 1
        self.retries += 1
        self.reopened = 0
        self._draws.clear()

    def revive(self, *, same_attempt: bool) -> bool:
        """Take up a visit that failed for good before a redrive; return False if it failed after it."""
        now = self.frame.facts.redrives
        if self.journal.once(f"{self.path}/failed/{self.revivals}", lambda: now) == now:
            return False
        self.life = self.journal.once(f"{self.path}/revived/{self.revivals}", lambda: now)
        self.revivals += 1
        self.reopened += same_attempt
        self.attempts += not same_attempt
        self.retries = 0
        self._redrive = None
        self._draws.clear()
        return True

    def add(self, kind: str, **details: Json) -> None:
        """Record an event of this attempt."""
        mark = f"{self.key}+{self.reopened}" if self.reopened else self.key
        self.frame.trail.add(mark, kind, **details)

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
        self.add("EvaluationFailed", **details)
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
        kind = f"{type(self.state).__name__}StateExited"
        self.frame.trail.add(self.path, kind, **exited(self.state.name, text, assigned))
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
        state = {"Name": self.state.name, "EnteredTime": self._entered, "RetryCount": self.retries}
        context: dict[str, Json] = {**self._execution(), "State": state}
        item = self.item or self.frame.item
        context.update({"Map": {"Item": item}} if item is not None else {})
        context.update({"Task": {"Token": self.token}} if self.token is not None else {})
        return context

    @cached_property
    def _entered(self) -> str:
        return timestamp(self.entered)

    def _execution(self) -> dict[str, Json]:
        """Return what the context object said of the execution when this was first asked."""
        facts = self.frame.facts
        if self.life == facts.redrives:
            return facts.context
        return facts.context_of(self.life, self.journal.recall(redriven_key(self.life)))

    def _bindings(self, sees: Sees | None) -> Bindings:
        states = {"input": self.input, "context": self.context(), **(sees or {})}
        return Bindings(variables=self.frame.variables, states=states, draws=self._draw, now=self._now)

    def _start(self, *, token: bool) -> Json:
        start = {"at": self.clock.now(), "redrive": self.frame.facts.redrives}
        return {**start, "token": new_token()} if token else start

    def _draw(self, kind: str, make: Callable[[], Json]) -> Json:
        self._draws[kind] += 1
        return self.once(f"{kind}/{self._draws[kind]}", make)

    def _now(self) -> float:
        return float(self._draw("now", self.clock.now))
