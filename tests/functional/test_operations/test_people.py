"""What people and CI may do in the orchestrator's account: every verb calls what its policies allow."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

import cli
from local_cloud.cloud import local_cloud
from pipelines import platform
from stacks import people
from stacks.places import Place
from tests.functional import handlers
from tests.functional.test_operations import calls as recorder
from tests.functional.test_operations.conftest import (
    HANDLER,
    ORCHESTRATOR,
    REGION,
    SPEC,
    Platform,
    deploy,
    register,
    settle,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pipelines.usecase import UseCase
    from tests.functional.test_operations.calls import Calls

HOME = Place(account=ORCHESTRATOR, region=REGION)
PATIENCE = 120
CUSTOM = '  audit: {uses: custom, handler: "audit:run", config: {}}\n'
ASKING = """version: 1
name: asks
usecase: bakery
params: {n: {type: integer, default: 1}}
steps:
  approve: {message: "Ship?"}
  audit: {uses: custom, handler: "audit:run", config: {n: "${{ params.n }}"}}
"""


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A platform whose steps are done in no time, but for approvals, which really wait."""
    with local_cloud(tmp_path / "state") as cloud:
        made = Platform(cloud=cloud, usecase=register(tmp_path / "usecases"), folder=tmp_path)
        plain = dict.fromkeys([*platform.kind_functions(), *platform.SERVICE_FUNCTIONS], HANDLER)
        deploy(made, {**plain, "approve": "tasks.approve.handler"})
        tmp_path.joinpath("train.py").write_text("print('accuracy=1')\n", encoding="utf-8")
        tmp_path.joinpath("asks.yaml").write_text(ASKING, encoding="utf-8")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr("verbs.aws.LOOK_SECONDS", 0.05)
        monkeypatch.setattr(handlers, "EVENTS", [])
        monkeypatch.setattr(handlers, "FAILURES", {})
        yield made
        settle(made)


class Person:
    """Gives commands, and notes what each verb asked of the person's own rights."""

    def __init__(self, place: Platform, calls: Calls, capsys: pytest.CaptureFixture[str]) -> None:
        self.place, self._calls, self._capsys = place, calls, capsys
        self.asked: dict[str, set[tuple[str, str]]] = {}

    def does(self, verb: str, *words: str, code: int = 0) -> str:
        """Give a command whose verb is one of the table's; return what it printed."""
        self._forget()
        self._capsys.readouterr()
        assert cli.main([*verb.split()[: 2 if verb.startswith("usecase") else 1], *words]) == code, (
            verb,
            words,
        )
        asked = {(n.action, n.resource) for n in self._calls.needs() if self._is_own(n)}
        self.asked.setdefault(verb, set()).update(asked)
        return self._capsys.readouterr().out

    def submits(self, *words: str) -> str:
        """Start a run and return its ARN."""
        return str(json.loads(self.does("submit", *words, "--output", "json"))["arn"])

    def writes(self, text: str, *, audit: int) -> None:
        """Change the spec, and the code of its custom step."""
        self.place.spec.write_text(text, encoding="utf-8")
        code = f"def run(event, context):\n    return {{'n': {audit}}}\n"
        self.place.spec.with_name("audit.py").write_text(code, encoding="utf-8")

    def _forget(self) -> None:
        with self._calls._lock:
            self._calls.made.clear()

    @staticmethod
    def _is_own(need: recorder.Need) -> bool:
        return (need.caller, need.role) == (recorder.PERSON, "")


@pytest.fixture
def person(busy: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Person:
    return Person(busy, recorder.record(monkeypatch), capsys)


def test_every_verb_does_what_its_policies_allow_and_they_allow_nothing_else(person: Person) -> None:
    release(person)
    look(person, person.submits("cookies"))
    steer(person)
    person.does("doctor", code=5)
    person.does("usecase check", "bakery", code=5)
    person.does("usecase register", "bakery")
    assert set(person.asked) == set(people.VERBS)
    for verb, asked in person.asked.items():
        policy = union(person.place.usecase, *people.VERBS[verb])
        refused = [each for each in sorted(asked) if not recorder.allows(policy, *each)]
        assert refused == [], verb
    used = {action for asked in person.asked.values() for action, _ in asked}
    everything = union(person.place.usecase, people.LOOK, people.RUN, people.RELEASE)
    assert recorder.actions(everything) == used


def release(person: Person) -> None:
    """Bring in a pipeline, change it, and go back and forth."""
    person.writes(SPEC + CUSTOM, audit=1)
    person.does("apply", "pipeline.yaml")
    person.writes((SPEC + CUSTOM).replace("default: 3", "default: 4"), audit=2)
    person.does("plan --against deployed", "pipeline.yaml", "--against", "deployed", code=4)
    person.does("apply", "pipeline.yaml")
    person.does("apply", "pipeline.yaml")
    person.does("rollback", "cookies")
    person.writes(SPEC, audit=2)
    person.does("apply", "pipeline.yaml")
    person.does("apply", "asks.yaml")


def look(person: Person, run: str) -> None:
    """Start a run, and look at it in every way."""
    person.submits("pipeline.yaml")
    person.does("submit", "cookies", "--force-new", "again", "--watch")
    person.does("watch", run)
    person.does("runs", "--aws")
    for verb in ("status", "watch", "logs"):
        person.does(verb, "last", "--aws")


def steer(person: Person) -> None:
    """Answer one run, stop another and let it go on, and say no to it."""
    first, second = person.submits("asks"), person.submits("asks", "--param", "n=2")
    for run in (first, second):
        wait_for_question(person, run)
    person.does("approve", first, "approve")
    person.does("stop", second)
    person.does("redrive", second)
    wait_for_question(person, second, times=2)
    person.does("reject", second, "approve", "--comment", "no")


def wait_for_question(person: Person, run: str, *, times: int = 1) -> None:
    """Wait until a run has asked; after a redrive it asks once more."""
    states = person.place.client("stepfunctions")
    give_up = time.monotonic() + PATIENCE
    while count(states.get_execution_history(executionArn=run)["events"]) < times:
        assert time.monotonic() < give_up, f"{run} does not ask"
        time.sleep(0.05)


def count(events: list[dict[str, Any]]) -> int:
    """Count the deliveries of a token whose function has answered."""
    return sum(event["type"] == "TaskSubmitted" for event in events)


def union(usecase: UseCase, *names: str) -> Mapping[str, Any]:
    """Return several policies as one."""
    found = people.statements(HOME, [usecase])
    return {"Statement": [statement for name in names for statement in found[name]]}
