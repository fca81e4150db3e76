"""redrive against the local cloud: a run goes on where it ended, and nothing before that runs again."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from operations import runs
from tasks.jobs import JobTable
from tests.functional import handlers
from tests.functional.test_operations.test_runs import edgepipe, live, machines, submitted
from tests.unit.tasks.test_protocol import JOB

if TYPE_CHECKING:
    from tests.functional.test_operations.conftest import Platform

__all__ = ["live"]

COMPILE = "  compile: {targets: [x86_64-cpu, arm64-cpu]}\n"


def called() -> list[str]:
    steps = (event for event in handlers.EVENTS if "step" in event)
    return ["/".join(filter(None, [event["step"], event.get("target")])) for event in steps]


def failed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """Submit what fails, and see that it does."""
    run = submitted(capsys, "pipeline.yaml", *words)
    assert edgepipe("watch", run["arn"]) == 1
    capsys.readouterr()
    return run


def redriven(run: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    """Redrive a run, and see that it succeeds; return what was said."""
    assert edgepipe("redrive", run["arn"]) == 0
    said = capsys.readouterr().err
    assert edgepipe("watch", run["arn"]) == 0
    return said


@pytest.mark.parametrize("step", ["label", "train"])
def test_a_run_that_failed_in_a_step_goes_on_there(
    live: Platform, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    handlers.FAILURES[step] = ("QualityGateError", "recall 0.5 is below 0.9", 1)
    run = failed(capsys)
    assert edgepipe("status", run["arn"]) == 0
    assert "QualityGateError: recall 0.5 is below 0.9\n" in capsys.readouterr().out
    before = called()
    assert f"goes on at step '{step}'" in redriven(run, capsys)
    assert called() == [*before, *["label", "transform", "train"][len(before) - 1 :]]
    assert [each.status for each in runs.read(machines(live), run["arn"]).steps] == ["SUCCEEDED"] * 3


def test_a_fan_out_that_failed_runs_again(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    live.spec.write_text(live.spec.read_text(encoding="utf-8") + COMPILE, encoding="utf-8")
    assert edgepipe("apply", "pipeline.yaml") == 0
    handlers.FAILURES["compile/arm64-cpu"] = ("JobFailedError", "no space", 1)
    run = failed(capsys)
    assert edgepipe("status", run["arn"], "--output", "json") == 0
    found = json.loads(capsys.readouterr().out)
    cause = "1 of 2 targets failed: arm64-cpu: no space"
    assert found["failure"] == {"error": "JobFailedError", "message": cause}
    assert found["steps"]["compile"]["status"] == "FAILED"
    before = called()
    assert "goes on at step 'compile'" in redriven(run, capsys)
    assert sorted(called()[len(before) :]) == ["compile/arm64-cpu", "compile/x86_64-cpu"]
    assert [called().count(each) for each in ("label", "transform", "train")] == [1, 1, 1]


def test_a_stopped_run_goes_on_where_it_stood(
    live: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as silent:
        silent.setattr(handlers, "_answer", lambda *_: None)
        run = submitted(capsys, "pipeline.yaml")
        give_up = time.monotonic() + 120
        while "train" not in called():
            assert time.monotonic() < give_up, "the run never came to train"
            time.sleep(0.05)
        assert edgepipe("redrive", run["arn"]) == 5
        assert "is RUNNING: `edgepipe watch" in capsys.readouterr().err
        assert edgepipe("stop", run["arn"]) == 0
    assert "goes on at step 'train'" in redriven(run, capsys)
    assert called() == ["label", "transform", "train", "train"]


def test_what_cannot_be_redriven_is_refused_in_one_line(
    live: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = submitted(capsys, "pipeline.yaml")
    assert edgepipe("watch", run["arn"]) == 0
    assert refusal(run, capsys).endswith("has succeeded: there is nothing to redrive\n")
    handlers.FAILURES["label"] = ("TaskInputError", "no images", 99)
    run = failed(capsys, "--force-new", "2")
    clock = live.cloud.context.clock
    later = clock.now() + 15 * 86_400
    with monkeypatch.context() as late:
        late.setattr(clock, "now", lambda: later)
        said = refusal(run, capsys)
    assert "cannot be redriven: Execution redrivable period exceeded" in said
    assert "`edgepipe submit PIPELINE --force-new NAME`" in said


def test_wrong_parameters_are_nothing_to_redrive(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    states = live.client("stepfunctions")
    machine = states.list_state_machines()["stateMachines"][0]["stateMachineArn"]
    given = json.dumps({"params": {"epochs": 0}})
    arn = states.start_execution(stateMachineArn=machine, name="cookies-wrong", input=given)["executionArn"]
    assert edgepipe("watch", arn) == 1
    said = refusal({"arn": arn}, capsys)
    assert "was refused ('epochs' must be" in said
    assert said.endswith("submit it with other parameters\n")


def test_a_run_whose_jobs_are_being_ended_is_redriven_later(
    live: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    handlers.FAILURES["train"] = ("JobFailedError", "exit code 1", 1)
    run = failed(capsys)
    table = JobTable(dynamodb=live.client("dynamodb"), table="edgepipe-jobs")
    job = replace(JOB, run=replace(JOB.run, arn=run["arn"]))
    assert table.record(job)
    assert "waits for 1 of its jobs to end: redrive it again in a minute or two" in refusal(run, capsys)
    live.client("dynamodb").delete_item(TableName="edgepipe-jobs", Key={"job_key": {"S": job.job_key}})
    redriven(run, capsys)


def refusal(run: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert edgepipe("redrive", run["arn"]) == 5
    _where, said = capsys.readouterr().err.splitlines(keepends=True)
    return str(said)
