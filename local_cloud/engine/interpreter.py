"""Runs a machine: one thread walks the states of a scope, and Map and Parallel start more.

Everything that differs from one run to the next comes through the `World`; see `journal`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, assert_never

from local_cloud.engine import retry, task
from local_cloud.engine.definition import (
    ABSENT,
    Choice,
    Fail,
    Guarded,
    Machine,
    Map,
    Parallel,
    Pass,
    Scope,
    State,
    Succeed,
    Task,
    Wait,
)
from local_cloud.engine.errors import NO_CHOICE, Failure
from local_cloud.engine.fanout import Branch, run_branches
from local_cloud.engine.history import entered
from local_cloud.engine.payload import encode
from local_cloud.engine.replies import Outcome
from local_cloud.engine.visit import Frame, Step, Visit

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.engine.expression import Json
    from local_cloud.engine.journal import Journal
    from local_cloud.engine.world import World

MAX_INLINE_CONCURRENCY = 40
"""Iterations that AWS runs at once for an inline Map without a limit of its own."""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """Runs scopes of one execution."""

    world: World
    journal: Journal

    def run(self, machine: Machine, frame: Frame, value: Json) -> Json:
        """Return a machine's output; raises Failure, Cancelled or Expired."""
        return self._run_scope(machine.scope, frame, value)

    def _run_scope(self, scope: Scope, frame: Frame, value: Json) -> Json:
        name: str | None = scope.start_at
        while name is not None:
            frame.gate.check()
            visit = self._enter(scope.states[name], frame, value)
            step = self._live(visit, scope.states[name])
            name, value = step.next, step.output
        return value

    def _enter(self, state: State, frame: Frame, value: Json) -> Visit:
        path = frame.name_visit(state.name)
        now, life = self._entry(path, frame.facts.redrives)
        frame.trail.add(path, f"{type(state).__name__}StateEntered", **entered(state.name, encode(value)))
        return Visit(
            state=state,
            path=path,
            frame=frame,
            input=value,
            clock=self.world.clock,
            journal=self.journal,
            entered=now,
            life=life,
        )

    def _entry(self, path: str, redrives: int) -> tuple[float, int]:
        """Return when a visit was entered, and after how many redrives; without any, that is not kept."""

        def entry() -> Json:
            now = self.world.clock.now()
            return [now, redrives] if redrives else now

        kept = self.journal.once(f"{path}/entered", entry)
        return (kept[0], kept[1]) if isinstance(kept, list) else (kept, 0)

    def _live(self, visit: Visit, state: State) -> Step:
        """Run a state until it is left, or fails for good after the last redrive."""
        while True:
            try:
                return self._run_state(visit, state)
            except Failure:
                if not visit.revive(same_attempt=isinstance(state, Map | Parallel)):
                    raise

    def _run_state(self, visit: Visit, state: State) -> Step:
        match state:
            case Pass() | Succeed():
                return visit.leave(state.exit, visit.input)
            case Choice():
                return self._choose(visit, state)
            case Wait():
                return self._wait(visit, state)
            case Fail():
                raise Failure(visit.text("Error", state.error), visit.text("Cause", state.cause))
            case Task():
                return self._guard(visit, state, lambda: task.run(self.world, visit, state))
            case Parallel():
                return self._guard(visit, state, lambda: self._run_parallel(visit, state))
            case Map():
                return self._guard(visit, state, lambda: self._run_map(visit, state))
            case _:
                assert_never(state)

    def _choose(self, visit: Visit, state: Choice) -> Step:
        for position, rule in enumerate(state.rules):
            where = f"Choices[{position}]/"
            holds = visit.render(f"{where}Condition", rule.condition)
            if not isinstance(holds, bool):
                msg = f"{where}Condition"
                raise visit.query_failure(msg, "the condition is not a boolean")
            if holds:
                return visit.leave(rule.exit, visit.input, within=where)
        if state.default is None:
            raise Failure(NO_CHOICE, f"No rule of the state '{state.name}' holds and it has no Default.")
        return visit.leave(state.default, visit.input)

    def _wait(self, visit: Visit, state: Wait) -> Step:
        until = visit.once("until", lambda: self._wake_time(visit, state))
        self._sleep(visit, until)
        return visit.leave(state.exit, visit.input)

    def _wake_time(self, visit: Visit, state: Wait) -> float:
        seconds = visit.number("Seconds", state.seconds)
        if seconds is not None:
            return self.world.clock.now() + seconds
        text = visit.text("Timestamp", state.timestamp) or ""
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            msg = "Timestamp"
            raise visit.query_failure(msg, f"'{text}' is not an RFC 3339 time") from None
        if moment.tzinfo is None:
            msg = "Timestamp"
            raise visit.query_failure(msg, f"'{text}' has no time zone")
        return moment.timestamp()

    def _guard(self, visit: Visit, state: Guarded, attempt: Callable[[], Json]) -> Step:
        """Attempt a state's work until it succeeds, is caught, or fails for good."""
        used = [0] * len(state.retry)
        waits = isinstance(state, Task) and state.waits_for_token
        while True:
            if visit.begin(token=waits, again=isinstance(state, Task)):
                used = [0] * len(state.retry)
            try:
                result = attempt()
                return visit.leave(state.exit, result, {"result": result})
            except Failure as failure:
                position = retry.choose(state.retry, used, failure.error)
                if position is None:
                    return self._catch(visit, state, failure)
                self._back_off(visit, state, position, used[position])
                used[position] += 1
                visit.begin_again()

    def _back_off(self, visit: Visit, state: Guarded, position: int, used: int) -> None:
        redrives = visit.frame.facts.redrives

        def wake_time() -> Json:
            wait = retry.delay(state.retry[position], used, random.random)
            return {"until": self.world.clock.now() + wait, "redrive": redrives}

        wake = visit.once("retry", wake_time)
        if wake["redrive"] == redrives:
            self._sleep(visit, wake["until"])

    def _sleep(self, visit: Visit, until: float) -> None:
        if until > self.world.clock.now():
            self.journal.keep()
        visit.frame.gate.sleep(until)

    def _catch(self, visit: Visit, state: Guarded, failure: Failure) -> Step:
        for position, catcher in enumerate(state.catch):
            if retry.matches(catcher.errors, failure.error):
                within = f"Catch[{position}]/"
                output = failure.output()
                return visit.leave(catcher.exit, output, {"errorOutput": output}, within=within)
        raise failure

    def _run_parallel(self, visit: Visit, state: Parallel) -> Json:
        value = visit.render("Arguments", state.arguments, default=visit.input)
        visit.frame.trail.add(visit.key, "ParallelStateStarted")
        branches = [
            Branch(place=f"{visit.key}/[{position}]", run=self._branch(scope, value))
            for position, scope in enumerate(state.branches)
        ]
        return self._run_branches(visit, branches, len(branches), "Parallel")

    def _run_map(self, visit: Visit, state: Map) -> Json:
        items = visit.render("Items", state.items, default=visit.input)
        if not isinstance(items, list):
            msg = "Items"
            raise visit.query_failure(msg, "a Map runs over an array only")
        limit = visit.number("MaxConcurrency", state.max_concurrency) or MAX_INLINE_CONCURRENCY
        visit.frame.trail.add(visit.key, "MapStateStarted", length=len(items))
        branches = [self._iteration(visit, state, index, item) for index, item in enumerate(items)]
        return self._run_branches(visit, branches, limit, "Map")

    def _run_branches(
        self, visit: Visit, branches: list[Branch], limit: int, kind: Literal["Map", "Parallel"]
    ) -> Json:
        """Return the branches' results, or those that were kept when they ended."""
        known = self.journal.recall(visit.outcome_key)
        if known is not None:
            visit.life = known["redrive"]
            return Outcome.read(known).get()
        visit.life = visit.frame.facts.redrives
        try:
            results = run_branches(self.world.workers, visit, branches, limit, kind)
        except Failure as failure:
            self._end(visit, Outcome(failure=failure))
            raise
        self._end(visit, Outcome(value=results))
        return results

    def _end(self, visit: Visit, outcome: Outcome) -> None:
        record = {**outcome.record(), "redrive": visit.frame.facts.redrives}
        self.journal.put(visit.outcome_key, record)

    def _iteration(self, visit: Visit, state: Map, index: int, item: Json) -> Branch:
        context, chosen = {"Index": index, "Value": item}, item
        if state.selector is not ABSENT:
            chosen = visit.with_item(context).render("ItemSelector", state.selector)
        run = self._branch(state.processor, chosen)
        return Branch(place=f"{visit.key}/[{index}]", run=run, item=context, name=state.name)

    def _branch(self, scope: Scope, value: Json) -> Callable[[Frame], Json]:
        return lambda frame: self._run_scope(scope, frame, value)
