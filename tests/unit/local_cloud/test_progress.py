"""What a history says about the steps of a run, and what a terminal shows of them."""

from __future__ import annotations

import io
import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local_cloud.progress import Terminal, plain_cause, read_steps, render_step

START = datetime(2026, 11, 21, tzinfo=UTC)
KINDS = {"label": "label", "compile": "compile"}


def entered(name: str, second: int) -> dict[str, Any]:
    return _event("TaskStateEntered", second, stateEnteredEventDetails={"name": name, "input": "{}"})


def exited(name: str, second: int, output: object) -> dict[str, Any]:
    assigned = {f"step_{name.partition(' (')[0]}": json.dumps(output)}
    details = {"name": name, "output": "{}", "assignedVariables": assigned}
    return _event("TaskStateExited", second, stateExitedEventDetails=details)


def scheduled(second: int) -> dict[str, Any]:
    return _event("TaskScheduled", second)


def _event(kind: str, second: int, **details: object) -> dict[str, Any]:
    return {"type": kind, "timestamp": START + timedelta(seconds=second), **details}


DONE = [entered("label", 1), scheduled(1), exited("label", 3, {"labels": {}})]
FANNED = [entered("compile", 4), entered("compile (target)", 4), scheduled(4), scheduled(5)]
FAILED = [*DONE[:2], _event("ExecutionFailed", 4)]
LOST = [
    *(entered("compile (judge)", 6), entered("compile (failed)", 6), scheduled(6)),
    _event("ExecutionFailed", 7),
]


@pytest.mark.parametrize(
    ("history", "statuses"),
    [
        ([], ["PENDING", "PENDING"]),
        (DONE[:2], ["RUNNING", "PENDING"]),
        (DONE, ["RUNNING", "PENDING"]),  # whether it has other states shows only in the next one
        ([*DONE, entered("compile", 4)], ["SUCCEEDED", "RUNNING"]),
        ([*DONE[:2], _event("ExecutionFailed", 4)], ["FAILED", "PENDING"]),
        ([*DONE, *FANNED, entered("compile (judge)", 6)], ["SUCCEEDED", "RUNNING"]),
        ([*DONE, *FANNED, entered("compile (judge)", 6), entered("Done", 6)], ["SUCCEEDED", "SUCCEEDED"]),
        ([*DONE, *FANNED, *LOST], ["SUCCEEDED", "FAILED"]),
        ([entered("Refused", 1), _event("ExecutionFailed", 1)], ["PENDING", "PENDING"]),
        ([entered("label (when)", 1)], ["RUNNING", "PENDING"]),
        (
            [entered("label (when)", 1), exited("label (when)", 1, {"skipped": True}), entered("compile", 1)],
            ["SKIPPED", "RUNNING"],
        ),
        ([entered("label (when)", 1), *DONE, entered("compile (when)", 4)], ["SUCCEEDED", "RUNNING"]),
        ([*DONE[:2], _event("ExecutionAborted", 2)], ["ABORTED", "PENDING"]),
        ([*DONE[:2], _event("ExecutionTimedOut", 2)], ["FAILED", "PENDING"]),
    ],
)
def test_statuses(history: list[dict[str, Any]], statuses: list[str]) -> None:
    assert [step.status for step in read_steps(history, KINDS)] == statuses


def test_a_step_carries_its_output_its_attempts_and_its_time() -> None:
    label, fanned = read_steps([*DONE, *FANNED, entered("Done", 9)], KINDS)
    assert (label.outputs, label.attempts, label.seconds(START)) == ({"labels": {}}, 1, 3.0)
    assert (fanned.attempts, fanned.seconds(START)) == (2, 5.0)


def test_a_step_in_waves_is_one_step() -> None:
    history = [
        *(entered("compile (canary)", 1), scheduled(1), entered("compile (line)", 3), scheduled(3)),
        *(exited("compile (line)", 5, {"deployment": {}}), entered("Done", 5)),
    ]
    step = read_steps(history, KINDS)[1]
    assert (step.status, step.attempts, step.outputs, step.seconds(START)) == (
        *("SUCCEEDED", 2, {"deployment": {}}),
        4.0,
    )


def test_a_skipped_step_has_no_output() -> None:
    history = [entered("label (when)", 1), exited("label (when)", 1, {"skipped": True}), entered("Done", 1)]
    assert read_steps(history, KINDS)[0].outputs == {}


def test_a_running_step_counts_up_to_now() -> None:
    running, pending = read_steps(DONE[:2], KINDS)
    assert running.seconds(START + timedelta(seconds=7)) == 6.0
    assert pending.seconds(START) == 0.0


def test_the_line_of_a_failed_step_claims_no_product() -> None:
    failed = read_steps(FAILED, KINDS)[0]
    assert render_step(failed, START) == "  label        FAILED        3.0 s"


def test_each_ended_step_is_printed_once_and_without_escapes_when_not_live() -> None:
    stream = io.StringIO()
    terminal = Terminal(stream, live=False)
    steps = read_steps(FAILED, KINDS)
    terminal.show(steps, START)
    terminal.show(steps, START)
    assert stream.getvalue() == "  label        FAILED        3.0 s\n"


def test_a_live_terminal_rewrites_the_running_line() -> None:
    stream = io.StringIO()
    Terminal(stream, live=True).show(read_steps(DONE[:2], KINDS), START + timedelta(seconds=2))
    assert stream.getvalue() == "\r\x1b[K  label        RUNNING       1.0 s"


def test_a_redrive_takes_up_the_step_that_a_stop_interrupted() -> None:
    stopped = [entered("label", 1), scheduled(1), _event("ExecutionAborted", 2)]
    redriven = [*stopped, _event("ExecutionRedriven", 10), scheduled(10)]
    step = read_steps(redriven, KINDS)[0]
    assert (read_steps(stopped, KINDS)[0].status, step.status, step.ended) == ("ABORTED", "RUNNING", None)
    assert step.attempts == 2
    done = [*redriven, exited("label", 12, {"labels": {}}), entered("Done", 12)]
    assert read_steps(done, KINDS)[0].status == "SUCCEEDED"


def test_a_redrive_takes_up_the_step_that_failed() -> None:
    redriven = read_steps([*FAILED, _event("ExecutionRedriven", 10), scheduled(10)], KINDS)[0]
    assert (redriven.status, redriven.ended, redriven.attempts) == ("RUNNING", None, 2)


def test_a_redrive_runs_a_fan_out_again_as_the_same_step() -> None:
    failed = [*DONE, *FANNED, *LOST]
    assert read_steps(failed, KINDS)[1].attempts == 2
    redriven = [*failed, _event("ExecutionRedriven", 10), scheduled(10), *FANNED]
    step = read_steps(redriven, KINDS)[1]
    assert (step.status, step.attempts) == ("RUNNING", 4)
    done = [*redriven, entered("compile (judge)", 12), entered("Done", 12)]
    assert [step.status for step in read_steps(done, KINDS)] == ["SUCCEEDED", "SUCCEEDED"]


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        ('{"errorMessage": "no \\"space\\"\\nleft", "errorType": "JobFailedError"}', 'no "space"\nleft'),
        ("plain text", "plain text"),
        ('{"other": 1}', '{"other": 1}'),
        ('{"errorMessage": 1}', '{"errorMessage": 1}'),
        ("[1]", "[1]"),
        ('{"errorMessage": "cut o', '{"errorMessage": "cut o'),
        ("", ""),
        (None, None),
    ],
)
def test_a_cause_is_told_in_plain_words(cause: str | None, said: str | None) -> None:
    assert plain_cause(cause) == said


def test_a_reader_that_has_gone_does_not_matter() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        terminal = Terminal(stream, live=False)
        terminal.print("first")
        terminal.print("second")
