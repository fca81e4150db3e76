"""Runs one attempt of a Task: its call, its token, its time limits, its events."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_cloud.engine.errors import HEARTBEAT_TIMEOUT, RUNTIME, TIMEOUT, Cancelled, Expired, Failure
from local_cloud.engine.gate import earliest
from local_cloud.engine.payload import encode, too_large
from local_cloud.engine.replies import Outcome, Reply
from local_cloud.engine.world import Call, Prompt

if TYPE_CHECKING:
    from collections.abc import Callable

    from local_cloud.engine.definition import Task
    from local_cloud.engine.expression import Json
    from local_cloud.engine.gate import Gate
    from local_cloud.engine.visit import Visit
    from local_cloud.engine.world import World

_TIMEOUTS = (TIMEOUT, HEARTBEAT_TIMEOUT)


def run(world: World, visit: Visit, state: Task) -> Json:
    """Return the result of one attempt; raises Failure."""
    timeout = visit.number("TimeoutSeconds", state.timeout, least=1)
    heartbeat = visit.number("HeartbeatSeconds", state.heartbeat, least=1)
    role = visit.text("Credentials/RoleArn", state.role)
    arguments = visit.render("Arguments", state.arguments, default={})
    text = visit.bounded(arguments, "arguments")
    limits = {"timeoutInSeconds": timeout, "heartbeatInSeconds": heartbeat}
    _scheduled(visit, state, role, region=world.region, parameters=text, **limits)
    _event(visit, state, "TaskStarted")
    attempt = Attempt(world=world, visit=visit, state=state, arguments=arguments, role=role)
    known = visit.journal.recall(visit.outcome_key)
    return _finish(visit, state, attempt.run(timeout, heartbeat) if known is None else Outcome.read(known))


def _finish(visit: Visit, state: Task, outcome: Outcome) -> Json:
    if outcome.failure is not None:
        kind = "TaskTimedOut" if outcome.failure.error in _TIMEOUTS else "TaskFailed"
        _event(visit, state, kind, error=outcome.failure.error, cause=outcome.failure.cause)
        raise outcome.failure
    text = visit.bounded(outcome.value, "a task result")
    _event(visit, state, "TaskSucceeded", output=text, outputDetails={"truncated": False})
    return outcome.value


def _names(state: Task) -> tuple[str, str]:
    """Return the resource type and resource that events name, such as `lambda`, `invoke.waitForTaskToken`."""
    kind = state.service.rpartition(":")[0]
    return kind, state.resource.split(f":::{kind}:", 1)[1]


def _scheduled(visit: Visit, state: Task, role: str | None, **details: Json) -> None:
    credentials = {} if role is None else {"taskCredentials": {"roleArn": role}}
    _event(visit, state, "TaskScheduled", **details, **credentials)


def _event(visit: Visit, state: Task, kind: str, **details: Json) -> None:
    resource_type, resource = _names(state)
    visit.add(kind, resourceType=resource_type, resource=resource, **details)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One call of a service, and the wait for what it comes to."""

    world: World
    visit: Visit
    state: Task
    arguments: Json
    role: str | None

    def run(self, timeout: int | None, heartbeat: int | None) -> Outcome:
        """Return what the attempt comes to within its limits; raises Cancelled or Expired."""
        visit = self.visit
        visit.journal.keep()
        token, gate, now = visit.token, visit.frame.gate.child(), self.world.clock.now()
        key = visit.outcome_key
        reply = Reply(lambda outcome: self._keep(key, outcome), beat=now)
        if token is not None:
            reply = self.world.tokens.open(token, reply)
            reply.beat = now  # nobody could show a sign of life while no process ran
        try:
            if not reply.done.is_set():
                self._begin(reply, gate)
            return self._wait(reply, timeout, heartbeat)
        finally:
            self.visit.frame.gate.drop(gate)
            gate.close()  # a suspended one stays suspended
            if token is not None:
                self.world.tokens.close(token)

    def _keep(self, key: str, outcome: Outcome) -> None:
        """Keep what the attempt came to: now, if somebody outside is told, else before anything follows."""
        if self.visit.token is not None:
            self.visit.journal.put(key, outcome.record())
        else:
            self.visit.journal.once(key, outcome.record)

    def _begin(self, reply: Reply, gate: Gate) -> None:
        """Have the service called once; what it says is taken in the thread in which it says it."""
        key = f"{self.visit.key}/call"

        def take(outcome: Outcome) -> None:
            self._take(reply, key, outcome)

        known = self.visit.journal.recall(key)
        if known is not None:
            take(Outcome.read(known))
            return
        service, call = self.world.services[self.state.integration], self._call(gate, reply)
        if isinstance(service, Prompt):
            self._ask(lambda: service.begin(call, take), take)
        else:
            self.world.workers.start(lambda: self._ask(lambda: Outcome(value=service(call)), take))

    def _ask(self, ask: Callable[[], Outcome | None], take: Callable[[Outcome], None]) -> None:
        """Take what is answered or raised at once."""
        try:
            outcome = ask()
        except Failure as failure:
            outcome = Outcome(failure=failure)
        except (Cancelled, Expired):
            return  # the attempt has ended: nobody waits for the call any more
        except Exception as error:
            cause = f"the local engine failed to call {self.state.service}: {type(error).__name__}: {error}"
            outcome = Outcome(failure=Failure(RUNTIME, cause))
        if outcome is not None:
            take(outcome)

    def _take(self, reply: Reply, key: str, outcome: Outcome) -> None:
        """Take the answer of the call; without a token it is the task's."""
        try:
            if self.visit.token is None:
                reply.give(outcome)
                return
            value = Outcome.read(self.visit.journal.once(key, outcome.record)).get()
            reply.while_open(lambda: self._submitted(value))
            self.visit.journal.keep()
        except Failure as failure:
            reply.give(Outcome(failure=failure))
        except Cancelled:
            return  # as in `_ask`

    def _call(self, gate: Gate, reply: Reply) -> Call:
        execution = self.visit.frame.facts.id
        place = f"{execution} {self.visit.key}"
        return Call(
            arguments=self.arguments,
            role=self.role,
            machine_role=self.visit.frame.facts.role_arn,
            execution=execution,
            name=hashlib.sha256(place.encode()).hexdigest()[:32],
            once=self.visit.settle,
            gate=gate,
            submitted=lambda value: reply.while_open(lambda: self._submitted(value)),
        )

    def _submitted(self, value: Json) -> None:
        text = encode(value)
        output = {} if too_large(text) else {"output": text, "outputDetails": {"truncated": False}}
        _event(self.visit, self.state, "TaskSubmitted", **output)

    def _wait(self, reply: Reply, timeout: int | None, heartbeat: int | None) -> Outcome:
        clock, gate = self.world.clock, self.visit.frame.gate
        deadline = None if timeout is None else self.visit.started + timeout
        while True:
            silence = None if heartbeat is None else reply.beat + heartbeat
            if gate.wait(reply.done, earliest(deadline, silence)):
                return reply.get()
            now = clock.now()
            if deadline is not None and now >= deadline:
                return _late(reply, Failure(TIMEOUT, None))
            if heartbeat is not None and now >= reply.beat + heartbeat:
                return _late(reply, Failure(HEARTBEAT_TIMEOUT, None))


def _late(reply: Reply, failure: Failure) -> Outcome:
    """Settle a reply as failed, unless its answer came in this very moment."""
    if not reply.give(Outcome(failure=failure)) and not reply.done.is_set():
        raise Cancelled
    return reply.get()
