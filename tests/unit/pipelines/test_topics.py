"""Whom approvals tell: the topic travels to the handler, and only the use case's can be told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipelines import machine, policies, topics, usecase
from pipelines.compiler import compile_text

TOPIC = "arn:aws:sns:us-east-1:123456789012:factory"
OWN = "${{ usecase.topic }}"
SPEC = """version: 1
name: cookies
usecase: bakery
steps:
  approve: {message: "Ship?"}
"""


def parse(notify: str) -> machine.Machine:
    return machine.parse(compile_text(f"{SPEC}{notify}\n", path="pipeline.yaml").definition)


def config(found: machine.Machine) -> dict[str, Any]:
    return dict(next(task.config for task in found.tasks if task.kind == "approve"))


def rights(found: machine.Machine) -> set[str]:
    granted = policies.derive(found).own["approve"].grants()
    return {resource for action, resource in granted if action == "sns:Publish"}


def case(topic: str | None) -> usecase.UseCase:
    orchestrator = usecase.Orchestrator(account="123456789012", region="us-east-1")
    made = usecase.draft(
        "bakery",
        account="210987654321",
        region="us-east-1",
        orchestrator=orchestrator,
        external_id="x-1234567",
    )
    return replace(made, topic=topic)


@pytest.mark.parametrize("notify", ["", f'notify: {{on: [failed, succeeded], topic: "{OWN}"}}'])
def test_without_waiting_nobody_is_told_and_nothing_may_be_published(notify: str) -> None:
    found = parse(notify)
    assert config(found) == {"message": "Ship?"}
    assert rights(found) == set()
    assert "topic" not in found.document["States"]["Start"]["Assign"]["usecase"]
    assert topics.find_wrong(found, case(None)) == ""


@pytest.mark.parametrize(
    ("topic", "given", "right"),
    [(OWN, "{% $usecase.topic %}", "${usecase_topic}"), (TOPIC, TOPIC, TOPIC)],
)
def test_the_topic_goes_to_the_handler_with_the_right_to_tell_it(topic: str, given: str, right: str) -> None:
    found = parse(f'notify: {{on: [waiting], topic: "{topic}"}}')
    assert config(found) == {"message": "Ship?", "topic": given}
    assert rights(found) == {right}
    assert topics.find_wrong(found, case(TOPIC)) == ""


@pytest.mark.parametrize(
    ("topic", "known", "told"),
    [
        (OWN, None, "use case 'bakery' has none: write `topic` into usecases/bakery.yaml"),
        (TOPIC, None, f"not {TOPIC}: write it as `topic` into usecases/bakery.yaml"),
        (TOPIC, f"{TOPIC}-2", f"not {TOPIC}: write it as"),
    ],
)
def test_a_topic_that_the_platform_may_not_tell_is_refused(topic: str, known: str | None, told: str) -> None:
    found = parse(f'notify: {{on: [waiting], topic: "{topic}"}}')
    assert told in topics.find_wrong(found, case(known))


def test_a_pipeline_without_approvals_needs_no_topic_for_them() -> None:
    spec = SPEC.replace("approve: {message", "hello: {uses: custom, handler: 'm:f', config: {message")
    text = spec.replace('"Ship?"}', '"Ship?"}}') + f'notify: {{on: [waiting], topic: "{OWN}"}}\n'
    found = machine.parse(compile_text(text, path="pipeline.yaml", exists=lambda _: True).definition)
    assert topics.find_wrong(found, case(None)) == ""
    assert "topic" not in found.document["States"]["Start"]["Assign"]["usecase"]
