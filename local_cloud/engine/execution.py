"""One execution: its life from start to end, and what DescribeExecution says about it."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from local_cloud.clock import moment
from local_cloud.engine import reader
from local_cloud.engine.errors import RUNTIME, TIMEOUT, Cancelled, Expired, Failure
from local_cloud.engine.gate import Gate
from local_cloud.engine.history import History, Trail
from local_cloud.engine.interpreter import Interpreter
from local_cloud.engine.journal import Ledger
from local_cloud.engine.payload import decode, encode
from local_cloud.engine.replies import Outcome, Reply
from local_cloud.engine.runs import Ending, Record, Runs, Status
from local_cloud.engine.visit import Facts, Frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from local_cloud.engine.definition import Machine
    from local_cloud.engine.expression import Json
    from local_cloud.engine.world import World

_EVENTS: dict[Status, str] = {
    "SUCCEEDED": "ExecutionSucceeded",
    "FAILED": "ExecutionFailed",
    "TIMED_OUT": "ExecutionTimedOut",
    "ABORTED": "ExecutionAborted",
}


class Execution:
    """One run of a machine, in threads of its own; every method is safe to call from any thread."""

    def __init__(self, *, record: Record, world: World, runs: Runs) -> None:
        self.record = record
        self._world, self._runs = world, runs
        self._numbers = count()
        self._lock = threading.Lock()
        self._ending = record.ending
        self._started = False
        self._listeners: list[Callable[[], None]] = []
        self.ended = threading.Event()
        """Set once the status is final."""
        if self._ending.status != "RUNNING":
            self.ended.set()

    @cached_property
    def facts(self) -> Facts:
        """Return what the context object says about the execution."""
        return _facts(self.record)

    @cached_property
    def history(self) -> History:
        """Return the events; they are read when they are first asked for."""
        return History(self._world.clock, self._ledger)

    @cached_property
    def _ledger(self) -> Ledger:
        entries = self._runs.entries(self.record.number)
        self._numbers = count(len(entries))
        return Ledger(self._append, entries)

    @cached_property
    def _machine(self) -> Machine:
        return reader.read(self.record.definition)

    @cached_property
    def _gate(self) -> Gate:
        return Gate(self._world.clock, deadline=self._deadline())

    def keep_seen(self) -> None:
        """Keep all there is: who has read the events must find them again after this process."""
        with suppress(Cancelled):  # what has ended is kept
            self._ledger.keep()

    @property
    def input_text(self) -> str:
        """Return the input as it was given."""
        return self.record.input_text

    @property
    def definition(self) -> str:
        """Return the definition that the execution runs."""
        return self.record.definition

    @property
    def arn(self) -> str:
        """Name the execution."""
        return self.record.arn

    @property
    def ending(self) -> Ending:
        """Return how the execution stands now."""
        return self._ending

    @property
    def start_date(self) -> datetime:
        """Return when the execution started."""
        return moment(self.record.started)

    def start(self) -> None:
        """Begin to run, or go on where an earlier process stopped; nothing if it runs or has ended."""
        with self._lock:
            if self._started or self._ending.status != "RUNNING":
                return
            self._started = True
        self._world.workers.start(self._run)

    def open_tokens(self) -> None:
        """Accept answers for the tokens of an earlier process, before the run comes to wait for them."""
        for key, start in self._ledger.recalled.items():
            if key.endswith("/started") and self._is_open(key.removesuffix("/started"), start):
                self._world.tokens.open(start["token"], self._reply(key.removesuffix("/started")))

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
        """End the execution's threads and leave its status as it is; nothing is kept from now on."""
        self._ledger.close(lambda entry: None if entry is None else self._append(entry))
        self._gate.close(suspend=True)

    def _append(self, entry: str) -> None:
        self._runs.append(self.record.number, next(self._numbers), entry)

    def _deadline(self) -> float | None:
        limit, redriven = self._machine.timeout, self.record.ending.redriven
        since = self.record.started if redriven is None else redriven
        return None if limit is None else since + limit

    def _is_open(self, attempt: str, start: Json) -> bool:
        """Tell whether an attempt would wait if the execution ran: neither it nor what it is in has ended."""
        recalled, now = self._ledger.recalled, self.record.ending.redrives
        inside = [attempt[:end] for end in range(len(attempt)) if attempt.startswith("/[", end)]
        again = ["", *(f"+{number + 1}" for number in range(now))]
        ended = [f"{place}/outcome{each}" for place in inside for each in again]
        over = any(key in recalled and recalled[key]["redrive"] == now for key in ended)
        live = "token" in start and start["redrive"] == now
        return live and not over and f"{attempt}/outcome" not in recalled

    def _reply(self, attempt: str) -> Reply:
        def keep(outcome: Outcome) -> None:
            key, record = f"{attempt}/outcome", outcome.record()
            self._ledger.put(key, record)
            self._ledger.recalled[key] = record

        return Reply(keep, beat=self._world.clock.now())

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
            "input": self.record.input_text,
            "inputDetails": {"truncated": False},
            "roleArn": self.record.role_arn,
        }
        Trail(self.history).add("", "ExecutionStarted", **details)
        # The first state's event follows no other: its previousEventId is 0 on AWS too.
        frame = Frame(facts=self.facts, gate=self._gate, trail=Trail(self.history))
        interpreter = Interpreter(world=self._world, journal=self._ledger)
        return interpreter.run(self._machine, frame, self.facts.input)

    def _finish(self, ending: Ending) -> None:
        with self._lock:
            if self._ending.status != "RUNNING":
                return
            before = self.record.ending
            ending = replace(
                ending,
                stopped=self._world.clock.now(),
                redrives=before.redrives,
                redriven=before.redriven,
            )
            self.history.close(_EVENTS[ending.status], _details(ending))
            self._ledger.close(lambda entry: self._keep(ending, entry))
            self._ending = ending
            listeners, self._listeners = self._listeners, []
        self.ended.set()
        self._gate.close()
        for tell in listeners:
            tell()

    def _keep(self, ending: Ending, entry: str | None) -> None:
        self._runs.settle(self.record.number, ending, next(self._numbers), entry)


def _facts(record: Record) -> Facts:
    return Facts(
        id=record.arn,
        name=record.name,
        input=decode(record.input_text),
        role_arn=record.role_arn,
        started=record.started,
        machine_id=record.machine,
        machine_name=record.machine_name,
        redrives=record.ending.redrives,
        redriven=record.ending.redriven,
    )


def _details(ending: Ending) -> dict[str, Json]:
    if ending.status == "SUCCEEDED":
        return {"output": ending.output, "outputDetails": {"truncated": False}}
    return {"error": ending.error, "cause": ending.cause}
