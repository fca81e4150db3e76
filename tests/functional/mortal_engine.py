"""Runs one execution in a process that kills itself at a chosen write of the engine's file.

Arguments: folder, the number of the write (0: none), and `before` or `after` it. Each call of a function
adds a line to `calls`, and each token one to `tokens`, which a thread answers as a job would. Prints the
execution's description and its events' types as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from local_cloud.clock import SystemClock
from local_cloud.engine import reader
from local_cloud.engine.errors import Failure
from local_cloud.engine.execution import Execution
from local_cloud.engine.replies import Outcome, Tokens
from local_cloud.engine.runs import Record, Runs
from local_cloud.engine.world import Call, World
from local_cloud.workers import Workers
from tests.unit.local_cloud.engine.machines import machine, pass_, scope, task, waiting

ARN = "arn:aws:states:us-east-1:123456789012:execution:m:run"
RETRIES = "{% $states.context.State.RetryCount %}"
BUSY = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1}]
CATCH = [{"ErrorEquals": ["Broken"], "Next": "Wait"}]
CHILD = machine({"Inner": task("note", payload="inner", Next="Ask"), "Ask": waiting()})
DEFINITION = machine(
    {
        "First": task("note", payload="first", Assign={"id": "{% $uuid() %}"}, Next="Token"),
        "Token": waiting(Next="Retried"),
        "Retried": task("busy", payload=RETRIES, Retry=BUSY, Next="Caught"),
        "Caught": task("broken", payload="caught", Catch=CATCH, Next="Wait"),
        "Wait": {"Type": "Wait", "Seconds": 2, "Next": "Choose"},
        "Choose": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $length($id) = 36 %}", "Next": "Map"}],
            "Default": "Map",
        },
        "Map": {
            "Type": "Map",
            "Items": ["a", "b", "c"],
            "MaxConcurrency": 1,
            "ItemProcessor": scope({"Item": task("note")}),
            "Next": "Both",
        },
        "Both": {
            "Type": "Parallel",
            "Branches": [scope({"Left": task("note", payload="left")}), scope({"Right": waiting()})],
            "Next": "Child",
        },
        "Child": task("child", payload="child", Output="{% $states.result %}", Next="Last"),
        "Last": pass_(),
    }
)


class MortalRuns(Runs):
    """Kills the process before or after its n-th write."""

    def __init__(self, path: Path, fatal: int, when: str) -> None:
        super().__init__(path)
        self._fatal, self._when = fatal, when
        self._writes, self._count = 0, threading.Lock()

    def add(self, record: Record) -> Record:
        added: Record = self._write(lambda: Runs.add(self, record))
        return added

    def append(self, *row: Any) -> None:
        self._write(lambda: Runs.append(self, *row))

    def settle(self, *row: Any) -> None:
        self._write(lambda: Runs.settle(self, *row))

    def _write(self, write: Any) -> Any:
        with self._count:  # one at a time: nothing else may be kept meanwhile
            self._writes += 1
            fatal = self._writes == self._fatal
            if fatal and self._when == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            written = write()
            if fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return written


class Cloud:
    """The functions, the tokens and the executions of one folder."""

    def __init__(self, folder: Path, fatal: int, when: str) -> None:
        self.runs = MortalRuns(folder / "runs.db", fatal, when)
        self.tokens = Tokens()
        self._folder = folder
        self._lock = threading.Lock()
        self._world = World(
            clock=SystemClock(50),
            tokens=self.tokens,
            workers=Workers("mortal"),
            services={"lambda:invoke": self.invoke},
            region="us-east-1",
        )

    def run(self, arn: str, definition: dict[str, Any], parent: str | None = None) -> Execution:
        """Start an execution, or go on with it."""
        record = self.runs.find(arn) or self.runs.add(_record(arn, definition, parent))
        execution = Execution(record=record, world=self._world, runs=self.runs)
        execution.open_tokens()
        execution.start()
        return execution

    def invoke(self, call: Call) -> Any:
        name, payload = call.arguments["FunctionName"], call.arguments["Payload"]
        if name == "keep":
            self._note("calls", f"keep {call.name}")
            self._note("tokens", payload["token"])
            return {}
        if name == "child":
            child = self.run(f"{ARN}-{call.name}", CHILD, call.execution)
            call.follow(child)
            return child.ending.output
        self._note("calls", f"{payload} {call.name}")
        if name == "busy" and payload == 0:
            raise Failure(error="Busy", cause="come again")
        if name == "broken":
            raise Failure(error="Broken", cause="always")
        return {"Payload": payload}

    def answer(self) -> None:
        """Answer every token ever given, again and again."""
        tokens = self._folder / "tokens"
        while True:
            for token in tokens.read_text(encoding="utf-8").split() if tokens.exists() else ():
                self.tokens.answer(token, Outcome(value="answered"))
            threading.Event().wait(0.02)

    def _note(self, file: str, line: str) -> None:
        with self._lock, (self._folder / file).open("a", encoding="utf-8") as lines:
            lines.write(f"{line}\n")


def _record(arn: str, definition: dict[str, Any], parent: str | None) -> Record:
    text = json.dumps(definition)
    reader.read(text)
    return Record(
        arn=arn,
        name=arn.rsplit(":", 1)[1],
        input_text="{}",
        definition=text,
        role_arn="arn:aws:iam::123456789012:role/r",
        started=SystemClock().now(),
        machine="arn:aws:states:us-east-1:123456789012:stateMachine:m",
        machine_name="m",
        parent=parent,
    )


def main() -> None:
    folder, fatal, when = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    cloud = Cloud(folder, fatal, when)
    execution = cloud.run(ARN, DEFINITION)
    threading.Thread(target=cloud.answer, daemon=True).start()
    SystemClock().wait(execution.ended, 120)
    events = execution.history.page(limit=1000)[0]
    kinds = [(event["id"], event["type"]) for event in events]
    print(json.dumps({"status": execution.ending.status, "output": execution.ending.output, "kinds": kinds}))


if __name__ == "__main__":
    main()
