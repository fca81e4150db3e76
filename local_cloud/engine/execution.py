"""One execution: its life from start to end, and what DescribeExecution says about it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from local_cloud.engine.clock import moment
from local_cloud.engine.errors import RUNTIME, TIMEOUT, Cancelled, Expired, Failure
from local_cloud.engine.gate import Gate
from local_cloud.engine.history import History, Trail
from local_cloud.engine.interpreter import Interpreter
from local_cloud.engine.payload import encode
from local_cloud.engine.visit import Facts, Frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from local_cloud.engine.definition import Machine
    from local_cloud.engine.expression import Json
    from local_cloud.engine.world import World

Status = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"]
_EVENTS: dict[Status, str] = {
    "SUCCEEDED": "ExecutionSucceeded",
    "FAILED": "ExecutionFailed",
    "TIMED_OUT": "ExecutionTimedOut",
    "ABORTED": "ExecutionAborted",
}


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How an execution stands; `stopped` is epoch seconds, `output` JSON text."""

    status: Status = "RUNNING"
    stopped: float | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None


class Execution:
    """One run of a machine, in threads of its own; every method is safe to call from any thread."""

    def __init__(
        self, *, facts: Facts, input_text: str, definition: str, machine: Machine, world: World
    ) -> None:
        self.facts = facts
        self.input_text = input_text
        self.definition = definition
        self.history = History(world.clock)
        self._machine = machine
        self._world = world
        deadline = None if machine.timeout is None else facts.started + machine.timeout
        self._gate = Gate(world.clock, deadline=deadline)
        self._lock = threading.Lock()
        self._ending = Ending()
        self.ended = threading.Event()
        """Set once the status is final."""
        self._listeners: list[Callable[[], None]] = []

    @property
    def arn(self) -> str:
        """Name the execution."""
        return self.facts.id

    @property
    def ending(self) -> Ending:
        """Return how the execution stands now."""
        return self._ending

    @property
    def start_date(self) -> datetime:
        """Return when the execution started."""
        return moment(self.facts.started)

    def start(self) -> None:
        """Begin to run."""
        self._world.workers.start(self._run)

    def when_ended(self, tell: Callable[[], None]) -> None:
        """Call `tell` once the status is final, at once if it is."""
        with self._lock:
            if self._ending.status == "RUNNING":
                self._listeners.append(tell)
                return
        tell()

    def stop(self, error: str | None = None, cause: str | None = None) -> None:
        """Abort, ending all waits at once; nothing if the execution has ended."""
        failure = Failure(error, cause)
        self._finish(Ending(status="ABORTED", error=failure.error, cause=failure.cause))

    def suspend(self) -> None:
        """End the execution's threads and leave its status as it is."""
        self._gate.close(suspend=True)

    def _run(self) -> None:
        try:
            self._finish(self._interpret())
        except Cancelled:
            return  # whoever cancelled has set the status

    def _interpret(self) -> Ending:
        try:
            return Ending(status="SUCCEEDED", output=encode(self._output()))
        except Failure as failure:
            return Ending(status="FAILED", error=failure.error, cause=failure.cause)
        except Expired:
            return Ending(status="TIMED_OUT", error=TIMEOUT)
        except Cancelled:
            raise
        except Exception as error:
            cause = f"Please report this bug of the local engine: {type(error).__name__}: {error}"
            return Ending(status="FAILED", error=RUNTIME, cause=cause)

    def _output(self) -> Json:
        details = {
            "input": self.input_text,
            "inputDetails": {"truncated": False},
            "roleArn": self.facts.role_arn,
        }
        trail = Trail(self.history)
        trail.add("ExecutionStarted", **details)
        frame = Frame(facts=self.facts, gate=self._gate, trail=trail)
        return Interpreter(world=self._world).run(self._machine, frame, self.facts.input)

    def _finish(self, ending: Ending) -> None:
        with self._lock:
            if self._ending.status != "RUNNING":
                return
            self.history.close(_EVENTS[ending.status], _details(ending))
            self._ending = replace(ending, stopped=self._world.clock.now())
            listeners, self._listeners = self._listeners, []
        self.ended.set()
        self._gate.close()
        for tell in listeners:
            tell()


def _details(ending: Ending) -> dict[str, Json]:
    if ending.status == "SUCCEEDED":
        return {"output": ending.output, "outputDetails": {"truncated": False}}
    return {"error": ending.error, "cause": ending.cause}
