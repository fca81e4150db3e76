"""One part of `bench.engine`, in a process of its own: prints its figures as JSON."""

from __future__ import annotations

import gc
import importlib.util
import io
import json
import resource
import statistics
import sys
import tempfile
import threading
import time
import uuid
import zipfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from moto import mock_aws

from local_cloud import engine, functions
from local_cloud.context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHAIN, ITEMS, RUNS = 200, 1000, 1000
REGION, ROLE = "us-east-1", "arn:aws:iam::123456789012:role/bench"
INVOKE = "arn:aws:states:::lambda:invoke"
PAYLOAD = {"token": "{% $states.context.Task.Token %}", "execution": "{% $states.context.Execution.Id %}"}
_LAST_SECONDS = 120
_LOOK_SECONDS = 0.2
"""Asking takes milliseconds of this process's time, which would count as the engine's."""
TOKENS: dict[str, str] = {}
"""What waits: by token, the execution it belongs to."""
_CAME = threading.Condition()


def echo(event: Any, _context: Any) -> Any:  # noqa: ANN401 - a Lambda handler
    """Return the event."""
    return event


def keep(event: Any, _context: Any) -> dict[str, Any]:  # noqa: ANN401 - a Lambda handler
    """Remember a token."""
    with _CAME:
        TOKENS[event["token"]] = event["execution"]
        _CAME.notify_all()
    return {}


@dataclass(frozen=True, kw_only=True)
class Place:
    """A cloud to measure in."""

    states: Any = field(default_factory=lambda: boto3.client("stepfunctions", region_name=REGION))

    def create(self, definition: dict[str, Any]) -> str:
        """Create a machine and return its ARN."""
        text = json.dumps(definition)
        return str(
            self.states.create_state_machine(name="m", definition=text, roleArn=ROLE)["stateMachineArn"]
        )

    def run(self, machine: str, value: object) -> float:
        """Return the seconds from an execution's startDate to its stopDate."""
        request = {"stateMachineArn": machine, "name": str(uuid.uuid4()), "input": json.dumps(value)}
        arn = self.states.start_execution(**request)["executionArn"]
        while (found := self.states.describe_execution(executionArn=arn))["status"] == "RUNNING":
            time.sleep(_LOOK_SECONDS)
        if found["status"] != "SUCCEEDED":
            raise RuntimeError(found.get("cause", found["status"]))
        return float((found["stopDate"] - found["startDate"]).total_seconds())


@contextmanager
def place(*, ours: bool) -> Iterator[Place]:
    """Run Lambda in process, and our engine with its journal in a file, or moto's interpreter."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgepipe-bench-")))
        context = Context(state_dir=folder)
        if ours:
            stack.callback(engine.install(context, path=folder / "runs.db").close)
        stack.callback(functions.install(context).close)
        config: Any = {"stepfunctions": {"execute_state_machine": True}, "lambda": {"use_docker": False}}
        stack.enter_context(mock_aws(config=config))
        boto3.client("iam", REGION).create_role(RoleName="bench", AssumeRolePolicyDocument="{}")
        for name in ("echo", "keep"):
            _create_function(name)
        here = Place()
        stack.callback(gc.unfreeze)
        gc.freeze()  # as the local cloud does, for both sides
        yield here


def _create_function(name: str) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("empty.txt", "")
    boto3.client("lambda", REGION).create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=ROLE,
        Handler=f"bench.engine_parts.{name}",
        Code={"ZipFile": buffer.getvalue()},
    )


def measure_ours() -> dict[str, Any]:
    """Measure a chain of tasks on our engine."""
    with place(ours=True) as here:
        fields = {"Arguments": _payload("{% $states.input %}"), "Output": "{% $states.result.Payload %}"}
        machine = here.create(_chain(fields))
        here.run(machine, {"a": 1})
        return _task_ms(here, machine)


def measure_moto() -> dict[str, Any]:
    """Measure the same chain on moto's interpreter, in JSONPath."""
    if importlib.util.find_spec("antlr4") is None:
        return {"missing": "moto's interpreter needs moto[stepfunctions]"}
    with place(ours=False) as here:
        parameters = {"FunctionName": "echo", "Payload.$": "$"}
        definition = _chain({"Parameters": parameters, "OutputPath": "$.Payload"})
        machine = here.create({**definition, "QueryLanguage": "JSONPath"})
        here.run(machine, {"a": 1})
        return _task_ms(here, machine)


def measure_map() -> dict[str, Any]:
    """Measure a Map at concurrency 8."""
    task = {"Type": "Task", "Resource": INVOKE, "Arguments": _payload("{% $states.input %}"), "End": True}
    inner = {"StartAt": "T", "States": {"T": {**task, "Output": "{% $states.result.Payload %}"}}}
    each = {"Type": "Map", "MaxConcurrency": 8, "ItemProcessor": inner, "End": True}
    with place(ours=True) as here:
        machine = here.create({"QueryLanguage": "JSONata", "StartAt": "M", "States": {"M": each}})
        here.run(machine, list(range(50)))
        begin = time.process_time()
        wall = statistics.median(here.run(machine, list(range(ITEMS))) for _ in range(3))
        return {"map_s": wall, "cpu_s": (time.process_time() - begin) / 3}


def measure_runs() -> dict[str, Any]:
    """Measure a thousand executions that wait at once, and how soon each goes on once it is answered."""
    waits = {
        "Type": "Task",
        "Resource": f"{INVOKE}.waitForTaskToken",
        "Arguments": {"FunctionName": "keep", "Payload": PAYLOAD},
    }
    states = {"W": {**waits, "Next": "V"}, "V": {**waits, "End": True}}
    with place(ours=True) as here:
        machine = here.create({"QueryLanguage": "JSONata", "StartAt": "W", "States": states})
        before, begin = _resident_mb(), time.perf_counter()
        for _ in range(RUNS):
            here.states.start_execution(stateMachineArn=machine, input="{}")
        first = _tokens(RUNS)
        figures = {
            "start_s": time.perf_counter() - begin,
            "before_mb": before,
            "waiting_mb": _resident_mb(),
            "threads": threading.active_count(),
        }
        sent = {execution: _answer(here, token) for token, execution in first.items()}
        _tokens(2 * RUNS)
        waited = sorted((_second_entry(here, arn) - at) * 1000 for arn, at in sent.items())
        return {**figures, "p50_ms": waited[RUNS // 2], "p99_ms": waited[RUNS * 99 // 100]}


def _answer(here: Place, token: str) -> float:
    sent = time.time()
    here.states.send_task_success(taskToken=token, output="{}")
    return sent


def _second_entry(here: Place, arn: str) -> float:
    events = here.states.get_execution_history(executionArn=arn)["events"]
    entries = [event["timestamp"].timestamp() for event in events if event["type"] == "TaskStateEntered"]
    return float(entries[1])


def _tokens(count: int) -> dict[str, str]:
    with _CAME:
        if not _CAME.wait_for(lambda: len(TOKENS) >= count, timeout=_LAST_SECONDS):
            message = f"only {len(TOKENS)} of {count} tasks came"
            raise RuntimeError(message)
        return dict(TOKENS)


def _chain(fields: dict[str, Any]) -> dict[str, Any]:
    states = {
        f"S{number}": {
            "Type": "Task",
            "Resource": INVOKE,
            **fields,
            **({"Next": f"S{number + 1}"} if number < CHAIN - 1 else {"End": True}),
        }
        for number in range(CHAIN)
    }
    return {"QueryLanguage": "JSONata", "StartAt": "S0", "States": states}


def _payload(value: object) -> dict[str, Any]:
    return {"FunctionName": "echo", "Payload": value}


def _task_ms(here: Place, machine: str) -> dict[str, float]:
    begin = time.process_time()
    wall = statistics.median(here.run(machine, {"a": 1}) for _ in range(3))
    cpu = (time.process_time() - begin) / 3
    return {"task_ms": wall * 1000 / CHAIN, "cpu_ms": cpu * 1000 / CHAIN}


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "ours": measure_ours,
    "moto": measure_moto,
    "map": measure_map,
    "runs": measure_runs,
}

if __name__ == "__main__":
    # The functions are imported by their dotted names: let that be this module, with these tokens.
    sys.modules["bench.engine_parts"] = sys.modules["__main__"]
    print(json.dumps(PARTS[sys.argv[1]]()))
