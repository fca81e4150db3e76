from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from local_cloud.clock import SystemClock
from local_cloud.engine.errors import Cancelled, Failure
from local_cloud.engine.replies import Outcome
from local_cloud.engine.runs import Runs
from tests.unit.local_cloud.engine.cases import CASES, Case, DefectError, Fails, caught, mapped, one, output
from tests.unit.local_cloud.engine.machines import (
    Bench,
    Keeper,
    bench,
    kinds,
    machine,
    pass_,
    scope,
    settle,
    task,
    waiting,
)

if TYPE_CHECKING:
    from pathlib import Path

    from local_cloud.engine.execution import Execution
    from local_cloud.engine.world import Call

FAST = 1000.0
"""A clock on which the seconds of retries and timeouts pass in milliseconds."""


def fail(error: Exception) -> Failure:
    return Failure(type(error).__name__, json.dumps({"errorMessage": str(error)}))


def broken(_: Any) -> Any:
    raise fail(DefectError("bad input"))


def odd(number: int) -> int:
    if number % 2:
        raise fail(DefectError(f"{number} is odd"))
    return number


def flaky() -> Any:
    """A function that fails as often as its payload says."""
    calls: list[int] = []

    def call(failures: int) -> str:
        calls.append(failures)
        if len(calls) <= failures:
            raise fail(DefectError("again"))
        return f"after {failures}"

    return call


def functions() -> dict[str, Any]:
    return {
        "double": lambda number: number * 2,
        "broken": broken,
        "odd": odd,
        "flaky": flaky(),
        "grow": lambda size: "x" * size,
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.about)
def test_a_definition_comes_to_its_end(case: Case) -> None:
    with bench(**functions()) as place:
        place.clock = SystemClock(FAST)
        ending = place.run(case.definition, case.input)
    if isinstance(case.expected, Fails):
        assert (ending.status, ending.error) == ("FAILED", case.expected.error), ending.cause
        assert (case.expected.cause or "") in (ending.cause or "")
    else:
        assert ending.status == "SUCCEEDED", ending.cause
        assert json.loads(ending.output or "") == case.expected


def test_the_table_is_long_enough_and_its_rows_have_names_of_their_own() -> None:
    assert len({case.about for case in CASES}) == len(CASES) >= 100


def test_a_path_names_each_visit_attempt_and_iteration() -> None:
    definition = machine(
        {
            "A": pass_(Next="M"),
            "M": {
                "Type": "Map",
                "Items": [7, 8],
                "MaxConcurrency": 1,
                "ItemProcessor": scope({"I": task("double")}),
                "End": True,
            },
        }
    )
    with bench(**functions()) as place:
        place.run(definition)
        entries = [json.loads(entry) for entry in place.runs.entries(1)]
    keys = [key for entry in entries for key in entry["answers"]]
    assert keys == [
        "A#0/entered",
        "M#0/entered",
        "M#0@0/started",
        "M#0@0/[0]/I#0/entered",
        "M#0@0/[0]/I#0@0/started",
        "M#0@0/[0]/I#0@0/outcome",
        "M#0@0/[1]/I#0/entered",
        "M#0@0/[1]/I#0@0/started",
        "M#0@0/[1]/I#0@0/outcome",
        "M#0@0/outcome",
    ]


class Mortal(Runs):
    """Dies before an execution's end is kept."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.dead = threading.Event()

    def settle(self, *_: Any) -> None:
        self.dead.set()
        raise Cancelled


def test_a_second_run_with_the_same_journal_asks_nothing_again(tmp_path: Path) -> None:
    calls: list[Any] = []

    def count(item: Any) -> Any:
        calls.append(item)
        return item

    definition = machine(
        {
            "A": pass_(Assign={"id": "{% $uuid() %}"}, Next="M"),
            "M": {
                "Type": "Map",
                "Items": [1, 2, 3],
                "ItemProcessor": scope({"I": task("count")}),
                "Output": {
                    "id": "{% $id %}",
                    "r": "{% $states.result %}",
                    "x": "{% $random() %}",
                    "t": "{% $now() %}",
                },
                "End": True,
            },
        }
    )
    with bench(count=count) as place:
        place.runs = mortal = Mortal(tmp_path / "runs.db")
        place.start(definition)
        assert mortal.dead.wait(60)
    with bench(count=count) as place:
        place.runs = Runs(tmp_path / "runs.db")
        drawn = json.loads(place.run(definition).output or "")
        entries = [json.loads(entry)["answers"] for entry in place.runs.entries(1)]
    kept = {key: value for entry in entries for key, value in entry.items()}
    assert (drawn["id"], drawn["r"]) == (kept["A#0@0/uuid/1"], [1, 2, 3])
    assert sorted(calls) == [1, 2, 3]


def test_any_prefix_of_a_journal_comes_to_the_same_end() -> None:
    retry = [{"ErrorEquals": ["Defect"], "IntervalSeconds": 1}]
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "M"}]
    each = task("double", Retry=retry, Output="{% $states.result.Payload + $states.context.Map.Item.Index %}")
    loop = {"Type": "Map", "Items": [1, 2, 3], "MaxConcurrency": 1, "ItemProcessor": scope({"I": each})}
    definition = machine(
        {
            "A": pass_(Assign={"chance": "{% $random() %}"}, Next="B"),
            "B": task("broken", Catch=catch, Next="M"),
            "M": {**loop, "Next": "W"},
            "W": {"Type": "Wait", "Seconds": 1, "Output": "{% [$states.input, $chance < 2] %}", "End": True},
        }
    )
    with bench(**functions()) as place:
        place.clock = SystemClock(FAST)
        execution = place.start(definition)
        whole = settle(execution)
        entries, shape = place.runs.entries(1), kinds(execution)
    assert (whole.status, whole.output) == ("SUCCEEDED", "[2,5,8,true]")
    assert len(entries) > 7
    for count in range(len(entries)):
        with bench(**functions()) as place:
            place.clock = SystemClock(FAST)
            place.prefix = entries[:count]
            again = place.start(definition)
            assert settle(again).output == whole.output
            assert kinds(again) == shape


def test_a_wait_goes_on_with_its_token_in_another_run(tmp_path: Path) -> None:
    keeper = Keeper()
    definition = machine({"W": waiting()})
    with bench(keep=keeper) as place:
        place.runs = Runs(tmp_path / "runs.db")
        place.start(definition)
        (token,) = keeper.wait_for(1)
    with bench(keep=keeper) as place:
        place.runs = Runs(tmp_path / "runs.db")
        execution = place.start(definition)
        answer(place, token, 5)
        assert settle(execution).output == "5"
    assert keeper.tokens == [token]


def answer(place: Bench, token: str, value: Any) -> None:
    """Answer a token as soon as its task is open."""
    for _ in range(3000):
        if place.tokens.answer(token, Outcome(value=value)):
            return
        threading.Event().wait(0.01)
    pytest.fail("nobody waits for the token")


def test_history_of_a_task() -> None:
    with bench(**functions()) as place:
        execution = place.start(one(task("double")), 2)
        settle(execution)
    events, following = execution.history.page()
    assert following is None
    assert [event["type"] for event in events] == [
        "ExecutionStarted",
        "TaskStateEntered",
        "TaskScheduled",
        "TaskStarted",
        "TaskSucceeded",
        "TaskStateExited",
        "ExecutionSucceeded",
    ]
    assert [event["id"] for event in events] == list(range(1, 8))
    assert [event["previousEventId"] for event in events] == [0, 0, 2, 3, 4, 5, 6]
    assert events[1]["stateEnteredEventDetails"] == {
        "name": "S",
        "input": "2",
        "inputDetails": {"truncated": False},
    }
    scheduled = events[2]["taskScheduledEventDetails"]
    assert (scheduled["resourceType"], scheduled["resource"]) == ("lambda", "invoke")
    assert json.loads(scheduled["parameters"]) == {"FunctionName": "double", "Payload": 2}
    assert events[6]["executionSucceededEventDetails"]["output"] == "4"


def test_history_of_a_failed_iteration_names_those_it_ended() -> None:
    keeper = Keeper()

    def fail_when_the_other_waits(_: Any) -> None:
        keeper.wait_for(1)
        raise fail(DefectError("no"))

    definition = mapped(
        {
            "C": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input = 1 %}", "Next": "W"}],
                "Default": "T",
            },
            "W": waiting(),
            "T": task("fail"),
        }
    )
    with bench(keep=keeper, fail=fail_when_the_other_waits) as place:
        execution = place.start(definition, [1, 2])
        ending = settle(execution)
    assert (ending.status, ending.error) == ("FAILED", "DefectError")
    assert {"MapIterationFailed", "MapStateFailed", "TaskFailed"} <= set(kinds(execution))


def test_history_of_a_query_error_says_where() -> None:
    with bench() as place:
        execution = place.start(output({"a": "{% $no %}"}))
        settle(execution)
    (event,) = [e for e in execution.history.page()[0] if e["type"] == "EvaluationFailed"]
    details = event["evaluationFailedEventDetails"]
    assert (details["state"], details["location"], details["error"]) == (
        "S",
        "Output",
        "States.QueryEvaluationError",
    )
    assert kinds(execution)[-1] == "ExecutionFailed"


def test_history_shows_assigned_variables() -> None:
    with bench() as place:
        execution = place.start(one(pass_(Assign={"x": {"a": 1}})))
        settle(execution)
    exited = execution.history.page()[0][2]["stateExitedEventDetails"]
    assert exited["assignedVariables"] == {"x": '{"a":1}'}


def test_too_many_events_end_an_execution() -> None:
    loop = machine(
        {
            "A": pass_(Next="C"),
            "C": {"Type": "Choice", "Choices": [{"Condition": False, "Next": "Z"}], "Default": "A"},
            "Z": pass_(),
        }
    )
    with bench() as place:
        execution = place.start(loop)
        ending = settle(execution, 120)
    assert (ending.status, ending.error) == ("FAILED", "States.Runtime")
    assert execution.history.page(start=24_999)[0][0]["type"] == "ExecutionFailed"


def test_stop_ends_a_token_wait_at_once() -> None:
    keeper = Keeper()
    with bench(keep=keeper) as place:
        execution = place.start(one(waiting()))
        keeper.wait_for(1)
        execution.stop("Enough", "said so")
        assert place.workers.join(30) == 0
    ending = execution.ending
    assert (ending.status, ending.error, ending.cause) == ("ABORTED", "Enough", "said so")
    assert kinds(execution)[-1] == "ExecutionAborted"


def test_stop_ends_waits_inside_a_map_and_a_parallel() -> None:
    keeper = Keeper()
    inner = {"Type": "Parallel", "Branches": [scope({"W": waiting()}), scope({"V": waiting()})], "End": True}
    with bench(keep=keeper) as place:
        execution = place.start(mapped({"P": inner}), [1, 2, 3])
        keeper.wait_for(6)
        execution.stop()
        assert place.workers.join(30) == 0
    assert execution.ending.status == "ABORTED"


@pytest.mark.parametrize(
    "state",
    [
        {"Type": "Wait", "Seconds": 86_400, "End": True},
        task("broken", Retry=[{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 86_400}]),
    ],
    ids=["Wait", "Retry"],
)
def test_stop_ends_a_long_sleep(state: dict[str, Any]) -> None:
    with bench(**functions()) as place:
        execution = place.start(one(state))
        wait_for_event(execution, "WaitStateEntered" if state["Type"] == "Wait" else "TaskFailed")
        execution.stop()
        assert place.workers.join(30) == 0
    assert execution.ending.status == "ABORTED"


def wait_for_event(execution: Any, kind: str) -> None:
    for _ in range(3000):
        if kind in kinds(execution):
            return
        threading.Event().wait(0.01)
    pytest.fail(f"no {kind} came")


def test_nothing_changes_an_execution_that_has_ended() -> None:
    with bench() as place:
        execution = place.start(one(pass_()), 1)
        settle(execution)
        execution.stop("late")
    assert execution.ending.status == "SUCCEEDED"
    assert kinds(execution)[-1] == "ExecutionSucceeded"


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"TimeoutSeconds": 20}, "States.Timeout"),
        ({"HeartbeatSeconds": 20}, "States.HeartbeatTimeout"),
        ({"TimeoutSeconds": 5000, "HeartbeatSeconds": 20}, "States.HeartbeatTimeout"),
        ({"TimeoutSeconds": "{% 20 %}", "HeartbeatSeconds": 5000}, "States.Timeout"),
    ],
)
def test_a_wait_without_answer_times_out(fields: dict[str, Any], error: str) -> None:
    with bench(keep=Keeper()) as place:
        place.clock = SystemClock(FAST)
        execution = place.start(one(waiting(**fields)))
        ending = settle(execution)
    assert (ending.status, ending.error) == ("FAILED", error)
    assert "TaskTimedOut" in kinds(execution)


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        (["States.Timeout"], "SUCCEEDED"),
        (["States.HeartbeatTimeout"], "SUCCEEDED"),
        (["States.ALL"], "SUCCEEDED"),
        (["States.TaskFailed"], "FAILED"),
    ],
)
def test_who_catches_a_missing_heartbeat(errors: list[str], expected: str) -> None:
    with bench(keep=Keeper()) as place:
        place.clock = SystemClock(FAST)
        assert place.run(caught(waiting(HeartbeatSeconds=20), errors)).status == expected


def test_a_task_that_hangs_times_out() -> None:
    release = threading.Event()
    with bench(hang=lambda _: release.wait(30)) as place:
        place.clock = SystemClock(FAST)
        ending = place.run(one(task("hang", TimeoutSeconds=50)))
        release.set()
    assert (ending.status, ending.error) == ("FAILED", "States.Timeout")


def test_heartbeats_keep_a_wait_alive() -> None:
    class Hand:
        """A clock that only the test moves."""

        def __init__(self) -> None:
            self.time = 1000.0
            self.waiting: list[Any] = []

        def now(self) -> float:
            return self.time

        def wait(self, event: Any, seconds: float | None) -> None:
            self.waiting.append(seconds)
            if seconds is None or seconds > 10:
                event.wait(0.01)

    keeper, hand = Keeper(), Hand()
    with bench(keep=keeper) as place:
        place.clock = hand
        execution = place.start(one(waiting(HeartbeatSeconds=100)))
        (token,) = keeper.wait_for(1)
        for _ in range(5):
            hand.time += 80
            assert place.tokens.beat(token, hand.time)
        assert execution.ending.status == "RUNNING"
        hand.time += 101
        ending = settle(execution)
        assert not place.tokens.beat(token, hand.time)
    assert ending.error == "States.HeartbeatTimeout"


def test_the_machines_own_timeout_is_beyond_catch() -> None:
    definition = {**caught(waiting(TimeoutSeconds=50_000), ["States.ALL"]), "TimeoutSeconds": 30}
    with bench(keep=Keeper()) as place:
        place.clock = SystemClock(FAST)
        execution = place.start(definition)
        ending = settle(execution)
    assert (ending.status, ending.error) == ("TIMED_OUT", "States.Timeout")
    assert kinds(execution)[-1] == "ExecutionTimedOut"


def test_an_answer_before_the_call_returns_counts() -> None:
    with bench() as place:
        place.functions["quick"] = lambda payload: place.tokens.answer(payload["token"], Outcome(value=3))
        execution = place.start(one(waiting("quick")))
        assert settle(execution).output == "3"


def test_a_failed_call_ends_a_wait() -> None:
    with bench(**functions()) as place:
        ending = place.run(one(waiting("broken")))
    assert ending.error == "DefectError"


def test_each_attempt_has_a_token_of_its_own() -> None:
    keeper = Keeper()
    retry = [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1}]
    with bench(keep=keeper) as place:
        place.clock = SystemClock(FAST)
        execution = place.start(one(waiting(Retry=retry)))
        (first,) = keeper.wait_for(1)
        assert place.tokens.answer(first, Outcome(failure=Failure("Busy")))
        second = keeper.wait_for(2)[1]
        assert not place.tokens.answer(first, Outcome(value="late"))
        assert place.tokens.answer(second, Outcome(value="now"))
        assert settle(execution).output == '"now"'
    assert "TaskSubmitted" in kinds(execution)


def test_errors_and_causes_are_cut_to_what_aws_keeps() -> None:
    with bench() as place:
        ending = place.run(one({"Type": "Fail", "Error": "e" * 300, "Cause": "c" * 40_000}))
    assert (len(ending.error or ""), len(ending.cause or "")) == (256, 32_768)


def test_a_bug_of_ours_ends_the_run_and_asks_for_a_report() -> None:
    with bench() as place:
        ending = place.run(one(task("unknown")))
    assert ending.status == "FAILED"
    assert "KeyError" in (ending.cause or "")


@pytest.mark.parametrize(
    ("how", "expected"),
    [("stopped", "ABORTED"), ("late", "ABORTED"), ("closed", "RUNNING"), ("answered", "SUCCEEDED")],
)
def test_a_child_ends_with_the_call_that_waits_for_it(how: str, expected: str) -> None:
    keeper = Keeper()
    children: list[Execution] = []
    with bench(keep=keeper) as place:

        def nest(call: Call) -> Any:
            if call.arguments["FunctionName"] != "child":
                return place.invoke(call)
            children.append(place.start(one(waiting()), name=call.name))
            call.follow(children[0])
            return json.loads(children[0].ending.output or "")

        place.services["lambda:invoke"] = nest
        limit: dict[str, Any] = {"TimeoutSeconds": 2} if how == "late" else {}
        states = {"S": task("child", Output="{% $states.result %}", Next="T", **limit), "T": pass_()}
        execution = place.start(machine(states))
        (token,) = keeper.wait_for(1)
        if how == "stopped":
            execution.stop()
        elif how == "closed":
            execution.suspend()
        elif how == "answered":
            assert place.tokens.answer(token, Outcome(value=7))
        settle(execution, 0.1 if how == "closed" else 60)
        if expected != "RUNNING":
            settle(children[0], 60)
        assert children[0].ending.status == expected
        assert execution.ending.output == ("7" if how == "answered" else None)
