"""Run one case on our engine, on sfnx.testing and on moto's interpreter, and say what it came to."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
import sfnx.testing

from local_cloud.clock import SystemClock
from local_cloud.engine.errors import Failure
from local_cloud.engine.replies import Outcome
from tests.unit.local_cloud.engine.cases import Case, Fails
from tests.unit.local_cloud.engine.machines import Bench, bench, kinds, settle
from tests.unit.local_cloud.engine.test_interpreter import functions

if TYPE_CHECKING:
    from collections.abc import Mapping

FAST = 1000.0
NO_FUNCTION = "Lambda.ResourceNotFoundException"


@dataclass(frozen=True)
class Result:
    """An output, or an error; comparisons look at nothing else."""

    output: Any = None
    error: str | None = None
    failed: bool = False


def expected(case: Case) -> Result:
    if isinstance(case.expected, Fails):
        return Result(error=case.expected.error, failed=True)
    return Result(output=case.expected)


def run_ours(case: Case) -> tuple[Result, list[str], str]:
    """Return what our engine makes of a case, its events, and the cause of a failure."""
    with bench(**functions(), none=_missing) as place:
        place.clock = SystemClock(FAST)
        place.functions.update(answer=_answering(place), decline=_declining(place))
        execution = place.start(case.definition, case.input)
        ending = settle(execution, 60)
        events = kinds(execution)
    if ending.status == "SUCCEEDED":
        return Result(output=json.loads(ending.output or "")), events, ""
    return Result(error=ending.error, failed=True), events, ending.cause or ""


def _missing(_: Any) -> Any:
    raise Failure(NO_FUNCTION, "Function not found")


def _answering(place: Bench) -> Any:
    return lambda payload: place.tokens.answer(payload["token"], Outcome(value={"done": True}))


def _declining(place: Bench) -> Any:
    return lambda payload: place.tokens.answer(payload["token"], Outcome(failure=Failure("Declined", "no")))


def run_sfnx(case: Case) -> Result:
    """Return what sfnx.testing makes of a case."""
    known = {**functions(), "none": _missing}

    def call(made: sfnx.testing.Call) -> object:
        arguments: Mapping[str, Any] = made.arguments  # type: ignore[assignment] # ours are objects
        name = arguments["FunctionName"]
        if name == "answer":
            return {"done": True}
        if name == "decline":
            raise sfnx.testing.Failure(error="Declined", cause="no")
        try:
            payload = known[name](arguments["Payload"])
        except Failure as failure:
            raise sfnx.testing.Failure(failure.error or "", failure.cause or "") from None
        return {"ExecutedVersion": "$LATEST", "Payload": payload, "StatusCode": 200}

    done = sfnx.testing.run(case.definition, {} if case.input is None else case.input, call)
    if done.error is not None:
        return Result(error=done.error or None, failed=True)
    return Result(output=json.loads(json.dumps(done.output)))


def run_moto(case: Case) -> Result:
    """Return what moto's interpreter, with our patches, makes of a case; moto has just been started."""
    from tests.conformance import moto_patches  # needs packages that only moto's interpreter does

    states = boto3.client("stepfunctions", region_name="us-east-1")
    role = "arn:aws:iam::123456789012:role/test"
    definition, value = json.dumps(case.definition), json.dumps({} if case.input is None else case.input)
    machine = states.create_state_machine(name="m", definition=definition, roleArn=role)["stateMachineArn"]
    arn = states.start_execution(stateMachineArn=machine, name="run-1", input=value)["executionArn"]
    for _ in range(6000):
        ending = moto_patches.ending(arn)
        if ending is not None:
            return Result(**ending)
        threading.Event().wait(0.01)
    message = f"moto's interpreter did not end {case.about!r}"
    raise AssertionError(message)
