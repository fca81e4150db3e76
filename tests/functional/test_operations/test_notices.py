"""What a topic hears of a run that waits for a person, and the rights that it takes."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import cli
from local_cloud.cloud import local_cloud
from pipelines import machine, platform, policies, usecase
from pipelines.compiler import compile_text
from stacks import permissions
from stacks.places import Place
from tests.functional.test_operations import calls as recorder
from tests.functional.test_operations.conftest import ORCHESTRATOR, REGION, Platform, deploy, register, settle

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOPIC = f"arn:aws:sns:{REGION}:{ORCHESTRATOR}:bakery"
TABLE = f"arn:aws:dynamodb:{REGION}:{ORCHESTRATOR}:table/edgepipe-jobs"
PATIENCE = 120
SPEC = """version: 1
name: cookies
usecase: bakery
steps:
  approve: {message: "Ship to line 3?"}
notify: {on: [waiting], topic: "${{ usecase.topic }}"}
"""


@pytest.fixture
def bakery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A platform with its real handlers, and a use case that has a topic."""
    with local_cloud(tmp_path / "state") as cloud:
        case = replace(register(tmp_path / "usecases"), topic=TOPIC)
        tmp_path.joinpath("usecases", "bakery.yaml").write_text(usecase.render(case), encoding="utf-8")
        made = Platform(cloud=cloud, usecase=case, folder=tmp_path)
        deploy(made, {**platform.kind_functions(), **platform.SERVICE_FUNCTIONS})
        made.spec.write_text(SPEC, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        yield made
        settle(made)


def subscribe(made: Platform) -> str:
    """Make the topic, and a queue that hears it; return the queue's address."""
    sns, sqs = made.client("sns"), made.client("sqs")
    assert sns.create_topic(Name="bakery")["TopicArn"] == TOPIC
    url = sqs.create_queue(QueueName="people")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=arn)
    return str(url)


def hear(made: Platform, url: str) -> dict[str, Any]:
    give_up = time.monotonic() + PATIENCE
    while True:
        reply = made.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1)
        if reply.get("Messages"):
            found: dict[str, Any] = json.loads(reply["Messages"][0]["Body"])
            return found
        assert time.monotonic() < give_up, "nobody was told"


def edgepipe(*words: str) -> int:
    return cli.main(list(words))


def submitted(capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert edgepipe("submit", "pipeline.yaml", "--output", "json") == 0
    return str(json.loads(capsys.readouterr().out)["arn"])


def test_a_topic_hears_that_a_run_waits_and_the_command_it_is_told_answers(
    bakery: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = subscribe(bakery)
    calls = recorder.record(monkeypatch)
    assert edgepipe("apply", "pipeline.yaml") == 0
    arn = submitted(capsys)
    told = hear(bakery, queue)
    assert told["Subject"] == "cookies: step approve waits for an answer"
    assert "Ship to line 3?" in told["Message"]
    command = re.search(r"edgepipe (approve .+)", told["Message"])
    assert command is not None
    assert edgepipe(*command[1].split()) == 0
    assert edgepipe("watch", arn) == 0
    answered = next(call.request for call in calls.made if call.operation == "SendTaskSuccess")
    assert answered["taskToken"] not in json.dumps(told)
    needs = {need for need in calls.needs() if need.caller == "approve"}
    assert ("sns:Publish", TOPIC) in {(need.action, need.resource) for need in needs}
    for policy in (derived(bakery), deployed(bakery)):
        assert [each for each in needs if not recorder.allows(policy, each.action, each.resource)] == []
        told_of = [each["Resource"] for each in policy["Statement"] if "sns:Publish" in each["Action"]]
        assert told_of == [[TOPIC]]


def derived(made: Platform) -> dict[str, Any]:
    compiled = compile_text(SPEC, path="pipeline.yaml")
    found = policies.derive(machine.parse(compiled.definition)).own["approve"].as_json()
    markers = made.usecase.markers() | {"jobs_table_arn": TABLE, "approve_log_group_arn": "log"}
    filled: dict[str, Any] = recorder.fill(found, markers)
    return filled


def deployed(made: Platform) -> dict[str, Any]:
    home = Place(account=ORCHESTRATOR, region=REGION)
    return {"Statement": permissions.function_statements("approve", home, [made.usecase])}


def test_without_its_topic_the_step_fails_and_says_so(
    bakery: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    assert edgepipe("apply", "pipeline.yaml") == 0
    arn = submitted(capsys)
    assert edgepipe("watch", arn) == 1
    assert f"nobody can be told that step 'approve' waits: {TOPIC}" in capsys.readouterr().out


def test_a_topic_that_the_platform_may_not_tell_is_refused_before_anything_is_made(
    bakery: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    bakery.spec.write_text(SPEC.replace("${{ usecase.topic }}", f"{TOPIC}-2"), encoding="utf-8")
    assert edgepipe("apply", "pipeline.yaml") == 5
    assert "pipeline.yaml: approvals may tell the topic of their use case only" in capsys.readouterr().err
    assert bakery.live() is None
