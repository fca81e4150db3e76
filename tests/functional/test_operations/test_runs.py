"""submit, status, watch, runs, logs and stop against the local cloud."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import boto3
import pytest

import cli
from operations import runs, versions
from tests.functional import handlers
from tests.functional.test_operations.conftest import ORCHESTRATOR, REGION, SPEC, Platform
from verbs import aws as aws_verbs

if TYPE_CHECKING:
    from pathlib import Path


def edgepipe(*words: str) -> int:
    return cli.main(list(words))


@pytest.fixture
def live(deployed: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Platform:
    monkeypatch.setattr(aws_verbs, "LOOK_SECONDS", 0.05)
    assert edgepipe("apply", "pipeline.yaml") == 0
    capsys.readouterr()
    return deployed


def submitted(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    capsys.readouterr()
    assert edgepipe("submit", *words, "--output", "json") == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def commit(folder: Path) -> str:
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=folder, check=True)
    found = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True
    )
    return found.stdout.strip()


def test_the_same_again_is_the_same_run(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert edgepipe("submit", "pipeline.yaml", "--watch", "--param", "epochs=5") == 0
    out = capsys.readouterr().out
    assert "started cookies-" in out
    assert (
        f"https://{REGION}.console.aws.amazon.com/states/home?region={REGION}#/v2/executions/details/arn:"
        in out
    )
    first = submitted(capsys, "pipeline.yaml", "--param", "epochs=5")
    assert (first["started"], first["status"]) == (False, "SUCCEEDED")
    assert first["run"] in out
    other = submitted(capsys, "pipeline.yaml")
    again = submitted(capsys, "pipeline.yaml", "--param", "epochs=5", "--force-new", "second")
    assert [other["started"], again["started"]] == [True, True]
    assert len({first["run"], other["run"], again["run"]}) == 3
    assert again["run"].endswith("-second")
    trained = [event for event in handlers.EVENTS if event.get("step") == "train"]
    assert {event["config"]["hyperparameters"]["n"] for event in trained[:1]} == {5}


def test_a_pipeline_is_started_by_its_name(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    assert edgepipe("submit", "cookies", "--param", "epochs=many") == 2
    assert "the parameter 'epochs' must be of type integer" in capsys.readouterr().err
    assert edgepipe("submit", "cookies", "--param", "epoch=3") == 2
    assert "Did you mean 'epochs'?" in capsys.readouterr().err
    assert handlers.EVENTS == []
    found = submitted(capsys, "cookies", "--param", "epochs=4")
    assert submitted(capsys, "pipeline.yaml", "--param", "epochs=4") == {
        **found,
        "started": False,
        "status": runs.read(machines(live), found["arn"]).status,
    }


def test_the_commit_is_part_of_the_run(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    outside = submitted(capsys, "pipeline.yaml")
    sha = commit(live.folder)
    inside = submitted(capsys, "pipeline.yaml")
    assert outside["run"].startswith("cookies-")
    assert sha[:8] not in outside["run"]
    assert inside["run"].startswith(f"cookies-{sha[:8]}-")


def test_only_the_live_spec_is_started(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    live.spec.write_text(SPEC.replace("default: 3", "default: 4"), encoding="utf-8")
    assert edgepipe("submit", "pipeline.yaml") == 5
    assert (
        "is not what pipeline.yaml says: run `edgepipe apply pipeline.yaml` first" in capsys.readouterr().err
    )
    assert edgepipe("submit", "biscuits") == 5
    assert edgepipe("submit", "pipeline.yaml", "--force-new", "a b") == 5
    assert handlers.EVENTS == []


def test_a_run_is_shown_as_it_stands(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    handlers.FAILURES["train"] = ("QualityGateError", "recall 0.5 is below 0.9", 1)
    run = submitted(capsys, "pipeline.yaml")
    assert edgepipe("watch", run["arn"]) == 1
    out = capsys.readouterr().out
    assert "QualityGateError: recall 0.5 is below 0.9" in out
    assert edgepipe("status", run["run"], "--aws", "--output", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["status"] == "FAILED"
    assert {name: step["status"] for name, step in found["steps"].items()} == {
        "label": "SUCCEEDED",
        "transform": "SUCCEEDED",
        "train": "FAILED",
    }
    assert found["failure"] == {"error": "QualityGateError", "message": "recall 0.5 is below 0.9"}
    assert edgepipe("status", "last", "--aws") == 0
    assert edgepipe("status", "cookies-nothing", "--aws") == 5
    assert "there is no run 'cookies-nothing'" in capsys.readouterr().err


def test_runs_are_listed_newest_first(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    made = [submitted(capsys, "pipeline.yaml", "--param", f"epochs={n}")["run"] for n in (1, 2)]
    capsys.readouterr()
    assert edgepipe("runs", "--aws", "--output", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {each["run_id"] for each in found} == set(made)
    assert [each["started"] for each in found] == sorted((each["started"] for each in found), reverse=True)
    assert edgepipe("runs", "--aws", "--pipeline", "biscuits") == 0
    assert capsys.readouterr().out == "no runs\n"
    assert edgepipe("runs", "--aws", "--status", "INTERRUPTED") == 2


def test_a_run_is_named_by_how_its_name_begins(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [submitted(capsys, "pipeline.yaml", "--param", f"epochs={n}")["run"] for n in (1, 2)]
    capsys.readouterr()
    assert edgepipe("watch", runs[0][:-2], "--aws", "--output", "json") == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == runs[0]
    assert edgepipe("status", "cookies-", "--aws") == 5
    said = capsys.readouterr().err
    assert "'cookies-' begins the names of 2 runs" in said
    assert all(run in said for run in runs)


def test_a_waiting_run_is_stopped_once(
    live: Platform, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handlers, "_answer", lambda *_: None)
    run = submitted(capsys, "pipeline.yaml")
    assert edgepipe("stop", run["arn"]) == 0
    assert "stopped" in capsys.readouterr().err
    execution = live.client("stepfunctions").describe_execution(executionArn=run["arn"])
    assert (execution["status"], execution["error"]) == ("ABORTED", "Stopped")
    assert edgepipe("stop", run["arn"]) == 0
    assert "has ended already: ABORTED" in capsys.readouterr().err


def test_a_run_elsewhere_is_left_alone(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    arn = f"arn:aws:states:{REGION}:999999999999:execution:edgepipe-cookies:x"
    assert edgepipe("stop", arn) == 5
    assert "use its --profile and --region" in capsys.readouterr().err


def test_nothing_waits_for_an_answer(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    run = submitted(capsys, "pipeline.yaml")
    assert edgepipe("approve", run["arn"], "train") == 5
    assert "does not wait for an answer to 'train': it waits for nobody" in capsys.readouterr().err


def machines(live: Platform) -> versions.Machines:
    return versions.Machines(client=live.client("stepfunctions"), account=ORCHESTRATOR, region=REGION)


def test_logs_come_from_cloudwatch(live: Platform, capsys: pytest.CaptureFixture[str]) -> None:
    run = submitted(capsys, "pipeline.yaml")
    assert edgepipe("watch", run["arn"]) == 0
    logs = boto3.client("logs", region_name=REGION)
    logs.create_log_group(logGroupName="/aws/lambda/edgepipe-label")
    logs.create_log_stream(logGroupName="/aws/lambda/edgepipe-label", logStreamName="one")
    read = runs.read(machines(live), run["arn"])
    started = next(step.started for step in read.steps if step.id == "label")
    assert started is not None
    event = {"timestamp": int(started.timestamp() * 1000) + 1, "message": "400 images\n"}
    logs.put_log_events(logGroupName="/aws/lambda/edgepipe-label", logStreamName="one", logEvents=[event])
    capsys.readouterr()
    assert edgepipe("logs", run["arn"], "label") == 0
    assert capsys.readouterr().out.endswith(" label: 400 images\n")
    assert edgepipe("logs", run["arn"], "train") == 0
    assert capsys.readouterr().out == ""
