"""What steps can say beyond their config: conditions, lists, defaults, gates. One slip is one mistake."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.compiler import compile_text
from tests.unit.pipelines.specs import COMPILE, LABEL, MODEL, TRAIN, TRANSFORM, build, codes, mistakes, spec
from tests.unit.pipelines.test_expressions import evaluate, states

STAGE = "  stage: {type: string, default: test}\n  size: {type: integer, default: 3}\n"


def with_when(condition: str) -> dict[str, Any]:
    text = MODEL.replace("{script", f'{{when: "{condition}", script')
    return states(text + COMPILE + "  package:\n", STAGE)


@pytest.mark.parametrize(
    ("condition", "params", "holds"),
    [
        ("${{ params.stage }} == 'prod'", {"stage": "prod"}, True),
        ("${{ params.stage }} == 'prod'", {"stage": "test"}, False),
        ("${{ params.stage }} != 'prod'", {"stage": "test"}, True),
        ("${{ params.stage }} in ['a', 'b']", {"stage": "b"}, True),
        ("not ${{ params.stage }} in ['a', 'b']", {"stage": "b"}, False),
        ("${{ params.size }} >= 3 and ${{ params.size }} < 5", {"size": 4}, True),
        ("${{ params.size }} >= 3 and not (${{ params.size }} < 5)", {"size": 4}, False),
        ("${{ params.size }} == 1 or ${{ params.stage }} == 'x'", {"size": 2, "stage": "x"}, True),
        ("${{ params.size }} > -1.5", {"size": 0}, True),
    ],
)
def test_a_condition_is_a_choice(condition: str, params: dict[str, Any], holds: bool) -> None:
    choice = with_when(condition)["train (when)"]
    assert evaluate(choice["Choices"][0]["Condition"][2:-2], params=params) is holds
    assert choice["Choices"][0]["Next"] == "train"


def test_what_needs_a_skipped_step_is_skipped_too() -> None:
    found = with_when("${{ params.stage }} == 'prod'")
    assert found["transform"]["Next"] == "train (when)"
    assert found["train (when)"]["Default"] == "compile (when)"
    assert found["compile (when)"]["Default"] == "package (when)"
    assert found["package (when)"]["Default"] == "Done"
    asked = found["compile (when)"]["Choices"][0]["Condition"][2:-2]
    assert evaluate(asked, step_train={"skipped": True}) is False
    assert evaluate(asked, step_train={"model": {}}) is True
    assert found["train (when)"]["Assign"] == {"step_train": {"skipped": True}}


@pytest.mark.parametrize(
    "condition",
    [
        *("${{ params.stage }} = 'a'", "${{ params.stage }} == a", "${{ params.stage }} ==", "'a' ==  1"),
        *(
            "${{ params.stage }} == 3",
            "${{ params.stage }} < true",
            "${{ params.stage }}",
            "${{ params.size }} in 3",
        ),
        *(
            "(${{ params.size }} == 1",
            "${{ params.size }} == 1)",
            "${{ params.size }} == 1 2",
            "not",
            "and",
            ",",
        ),
        *("not " * 60 + "${{ params.size }} == 1", "(" * 60 + "${{ params.size }} == 1" + ")" * 60, "3 == 3"),
    ],
)
def test_what_is_no_condition_is_one_mistake(condition: str) -> None:
    text = MODEL.replace("{script", f'{{when: "{condition}", script')
    assert codes(spec(text, STAGE)) == ["P050"]


def test_a_list_is_a_map_whose_jobs_have_names_of_their_own() -> None:
    text = MODEL.replace(
        "{script",
        "{for_each: '${{ params.sizes }}', max_parallel: 2, hyperparameters: {n: '${{ item }}'}, script",
    )
    found = states(text, "  sizes: {type: list, default: [1, 2]}\n")["train"]
    one = found["ItemProcessor"]["States"]["train (item)"]
    assert (found["Type"], found["Items"], found["MaxConcurrency"]) == ("Map", "{% $params.sizes %}", 2)
    payload = one["Arguments"]["Payload"]
    assert payload["config"]["hyperparameters"] == {"n": "{% $states.input.item %}"}
    assert evaluate(payload["target"][2:-2], states={"input": {"number": 1, "item": 2}}) == "item-1"
    results = [{"model": {"uri": "a"}, "metrics": {"x": 1}, "gate": []}]
    assert evaluate(found["Assign"]["step_train"]["model"][2:-2], states={"result": results}) == [
        {"uri": "a"}
    ]


DEFAULTS = "defaults: {timeout: 2h, retry: {attempts: 1}, instance: ml.c5.large}\n"


def test_defaults_go_to_the_steps_that_take_them() -> None:
    steps = MODEL.replace("{script", "{timeout: 3h, script") + COMPILE
    found = compile_text(spec(steps) + DEFAULTS, path="x").pipeline
    times = {step.id.value: step.timeout_seconds for step in found.steps}
    assert times == {"label": 900, "transform": 900, "train": 10800, "compile": 7200}
    kept = {step.id.value: step.config.get("instance") for step in found.steps}
    assert kept == {"label": None, "transform": None, "train": "ml.c5.large", "compile": "ml.c5.large"}
    assert all(step.retry and step.retry["on"] == ["JobFailedError"] for step in found.steps)


def test_a_mistake_in_a_default_is_told_once() -> None:
    steps = MODEL + COMPILE
    assert codes(spec(steps) + "defaults: {timeout: soon}\n") == ["P013"]
    assert codes(spec(steps) + "defaults: {instance: '${{ params.no }}'}\n") == ["P027"]
    assert codes(spec(steps) + "defaults: {timeuot: 2h}\n") == ["P010"]


def test_an_own_retry_comes_first() -> None:
    text = MODEL.replace(
        "{script", "{retry: {attempts: 4, interval: 1m, on: [JobFailedError, States.Timeout]}, script"
    )
    first, *rest = states(text)["train"]["Retry"]
    assert first == {
        "ErrorEquals": ["JobFailedError", "States.Timeout"],
        "IntervalSeconds": 60,
        "MaxAttempts": 4,
        "JitterStrategy": "FULL",
    }
    assert len(rest) == 2


def test_a_pipeline_may_begin_in_the_middle() -> None:
    given = (
        '  train: {script: train.py, framework: {name: sklearn, version: "1"}, inputs: {manifest: GIVEN}}\n'
    )
    params = '  manifest: {type: s3uri, default: "s3://bucket/all.jsonl"}\n'
    short = build(given.replace("GIVEN", '"${{ params.manifest }}"'), params)
    assert (
        '"manifest":{"type":"manifest","uri":"{% $params.manifest %}","digest":"etag:unchecked"'
        in short.definition
    )
    assert [step for step, _ in short.unavailable] == ["train"]
    assert "lacks the facts labels, splits" in short.unavailable[0][1]
    full = build(given.replace("GIVEN", "{uri: s3://bucket/x, facts: {labels: [a, b], splits: {train: {}}}}"))
    assert full.unavailable == ()
    assert codes(spec(given.replace("GIVEN", '"${{ params.epochs }}"'), "  epochs: {type: integer}\n")) == [
        "P028"
    ]


APPROVE = "  approve: {message: Ship?}\n"
DEPLOY = "  package:\n  publish: {component: com.example.x}\n" + APPROVE + "  deploy: {targets: [thing/a]}\n"


def test_an_approval_stands_where_it_is_written() -> None:
    found = build(MODEL + COMPILE + DEPLOY).graph
    assert found.before["deploy"] >= {"approve"}
    assert found.before["approve"] >= {"publish"}
    moved = build(MODEL + COMPILE + DEPLOY.replace("Ship?", "Ship?, needs: [train]")).graph
    assert moved.before["approve"] == {"train"}
    below = "  deploy: {targets: [thing/a]}\n" + MODEL + APPROVE + COMPILE + DEPLOY.split(APPROVE)[0]
    assert build(below).graph.cycle == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (spec(params="  x: {typ: integer, default: 1, minimum: 0}\n"), ["P010"]),
        (spec(params="  x: {type: intger, default: 1, minimum: 0}\n"), ["P013"]),
        (spec(MODEL.replace("framework", "framwork")), ["P010"]),
        (spec(MODEL.replace("script", "scirpt")), ["P010"]),
        (spec(LABEL.replace("method", "methd")), ["P010"]),
        (spec(LABEL.replace("labels", "lables")), ["P010"]),
        (spec(MODEL + COMPILE.replace("targets", "tragets")), ["P010"]),
        (spec(MODEL + TRAIN.replace("train: {", "fast: {use: train, needs: [train], ")), ["P010"]),
        (spec(MODEL, "  e: {type: integer, default: 1}\n").replace("params:", "parms:"), ["P010"]),
        (
            spec(
                MODEL.replace("{script", "{hyperparameters: {n: '${{ params.e }}'}, script"),
                "  e: {type: integer}\n",
            ).replace("params:\n", "parms:\n"),
            ["P010"],
        ),
        (spec(MODEL).replace("steps:", "step:"), ["P010"]),
        (spec(LABEL + TRANSFORM.replace("transform", "transfrom") + TRAIN), ["P020"]),
        (spec(LABEL.replace("folders", "folder") + TRANSFORM), ["P013"]),
        (spec("  check: {uses: custom, handler: a:b, gives: manifst}\n" + TRAIN), ["P013"]),
    ],
)
def test_one_slip_is_one_mistake(text: str, expected: list[str]) -> None:
    assert [item.code for item in mistakes(text)] == expected


def test_a_custom_step_has_a_function_and_files_of_its_own() -> None:
    text = (
        LABEL
        + (
            "  check-it: {uses: custom, handler: audit:run, takes: [labels], gives: manifest, "
            "outputs: {score: number}, config: {limit: 3}}\n"
        )
        + TRAIN.replace("{script", "{hyperparameters: {s: '${{ steps.check-it.score }}'}, script")
    )
    compiled = build(text)
    assert compiled.functions["custom_check_it"] == "audit.run"
    assert "custom_check_it_function_arn" in compiled.markers
    assert ("check_it_handler", ".") in [(asset.name, asset.path) for asset in compiled.assets]
    assert compiled.graph.inputs["check-it"] == {"labels": "label"}
    assert compiled.graph.inputs["train"] == {"manifest": "check-it"}
    assert codes(spec(text.replace("audit:run", "missing:run"))) == ["P035"]


def test_a_function_that_is_there_is_called_by_its_arn() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:audit"
    compiled = build(f"  check: {{uses: custom, handler: '{arn}', waits: true}}\n")
    assert arn in compiled.definition
    assert compiled.functions == {}
    assert ".waitForTaskToken" in compiled.definition


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        (LABEL.replace("folders", "auto"), "method auto"),
        (LABEL + "  transform: {format: passthrough}\n", "format passthrough"),
        (MODEL.replace("{script", "{spot: true, script"), "spot"),
        (MODEL + "  compile: {targets: [jetson-xavier]}\n", "targets jetson-xavier"),
        (MODEL + "  compile: {targets: [x86_64-cpu], backend: neo}\n", "backend neo"),
        (MODEL + COMPILE + "  package: {layout: dda}\n", "layout dda"),
        (MODEL + "  serve: {}\n", "endpoint"),
    ],
)
def test_what_nothing_carries_out_compiles_and_says_so(steps: str, reason: str) -> None:
    ((_, said),) = build(steps).unavailable
    assert reason in said
