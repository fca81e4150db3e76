"""Runs definitions without moto: a service is a Python function of the payload."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_cloud.clock import SystemClock
from local_cloud.engine.execution import Execution
from local_cloud.engine.replies import Tokens
from local_cloud.engine.runs import Ending, Record, Runs
from local_cloud.engine.world import World
from local_cloud.workers import Workers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local_cloud.clock import Clock
    from local_cloud.engine.world import Call, Service

Function = Callable[[Any], Any]
ACCOUNT = "123456789012"
MACHINE_ARN = f"arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:m"


def pass_(**fields: Any) -> dict[str, Any]:
    return _next({"Type": "Pass", **fields})


def task(
    function: str, *, token: bool = False, payload: Any = "{% $states.input %}", **fields: Any
) -> dict[str, Any]:
    """A Task whose result is its function's answer."""
    return _next(
        {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke" + (".waitForTaskToken" if token else ""),
            "Arguments": {"FunctionName": function, "Payload": payload},
            **({} if token else {"Output": "{% $states.result.Payload %}"}),
            **fields,
        }
    )


def waiting(function: str = "keep", **fields: Any) -> dict[str, Any]:
    """A Task that hands its token to a function and waits."""
    return task(function, token=True, payload={"token": "{% $states.context.Task.Token %}"}, **fields)


def machine(states: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **fields}


def scope(states: dict[str, Any]) -> dict[str, Any]:
    return {"StartAt": next(iter(states)), "States": states}


def _next(state: dict[str, Any]) -> dict[str, Any]:
    return state if "Next" in state else {**state, "End": True}


@dataclass
class Bench:
    """Executions of one test, with in-memory functions."""

    functions: dict[str, Function] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    runs: Runs = field(default_factory=lambda: Runs(None))
    tokens: Tokens = field(default_factory=Tokens)
    workers: Workers = field(default_factory=lambda: Workers("bench"))
    executions: list[Execution] = field(default_factory=list)
    services: dict[str, Service] = field(default_factory=dict)
    prefix: list[str] = field(default_factory=list)
    """What an earlier process kept of the execution."""

    def __post_init__(self) -> None:
        self.services.setdefault("lambda:invoke", self.invoke)

    def start(self, definition: dict[str, Any], value: Any = None, name: str = "run-1") -> Execution:
        world = World(
            clock=self.clock,
            tokens=self.tokens,
            workers=self.workers,
            services=self.services,
            region="us-east-1",
        )
        record = Record(
            arn=f"arn:aws:states:us-east-1:{ACCOUNT}:execution:m:{name}",
            name=name,
            input_text=json.dumps({} if value is None else value),
            definition=json.dumps(definition),
            role_arn=f"arn:aws:iam::{ACCOUNT}:role/r",
            started=self.clock.now(),
            machine=MACHINE_ARN,
            machine_name="m",
        )
        kept = self.runs.find(record.arn) or self.runs.add(record)
        for number, entry in enumerate(self.prefix):
            self.runs.append(kept.number, number, entry)
        execution = Execution(record=kept, world=world, runs=self.runs)
        self.executions.append(execution)
        execution.start()
        return execution

    def run(self, definition: dict[str, Any], value: Any = None) -> Ending:
        return settle(self.start(definition, value))

    def invoke(self, call: Call) -> Any:
        arguments = call.arguments
        payload = self.functions[arguments["FunctionName"]](arguments["Payload"])
        return {"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200}


def settle(execution: Execution, seconds: float = 30) -> Ending:
    """Wait for an execution's end."""
    SystemClock().wait(execution.ended, seconds)
    return execution.ending


def kinds(execution: Execution) -> list[str]:
    """The types of an execution's events, in order."""
    return [event["type"] for event in execution.history.page(limit=1000)[0]]


class Keeper:
    """A function that keeps the tokens it is given and tells who waits for one."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self._came = threading.Condition()

    def __call__(self, payload: Any) -> dict[str, Any]:
        with self._came:
            self.tokens.append(payload["token"])
            self._came.notify_all()
        return {}

    def wait_for(self, count: int) -> list[str]:
        with self._came:
            assert self._came.wait_for(lambda: len(self.tokens) >= count, timeout=120)
            return list(self.tokens)


@contextmanager
def bench(**functions: Function) -> Iterator[Bench]:
    """A bench whose threads have all ended when the block ends."""
    made = Bench(functions=functions)
    try:
        yield made
    finally:
        for execution in made.executions:
            execution.suspend()
        assert made.workers.join(30) == 0
