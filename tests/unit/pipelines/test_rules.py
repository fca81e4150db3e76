"""Each rule against a good and a bad spec; whole messages are in the golden files."""

from __future__ import annotations

import pytest

from pipelines.diagnostics import SpecError
from pipelines.rules import ALL_RULES, Rule
from tests.unit.pipelines.specs import COMPILE, LABEL, MODEL, TRAIN, TRANSFORM, build, codes, spec

DEPLOY = (
    MODEL
    + COMPILE
    + "  package:\n  publish: {component: com.example.cookies}\n"
    + "  deploy: {targets: [thing/a], components: {NAME: {}}}\n"
)


def train(extra: str) -> str:
    return MODEL.replace("{script: train.py", f"{{{extra}, script: train.py")


HEARTBEATS = [
    ("heartbeat: 60s", "Write 2m or more, such as 15m."),
    ("heartbeat: 60s, timeout: 5m", "Write 2m, or leave it out."),
    ("heartbeat: 60s, timeout: 90s", "Leave it out: so short a timeout ends a lost step soon enough."),
    ("heartbeat: 10m, timeout: 10m", "Write 5m, or raise timeout."),
    ("heartbeat: 3m, timeout: 121s", "Write 2m, or raise timeout."),
    ("heartbeat: 2h, timeout: 1h", "Write 15m, or raise timeout."),
]


@pytest.mark.parametrize(("extra", "hint"), HEARTBEATS)
def test_a_heartbeat_that_does_not_fit_comes_with_one_that_does(extra: str, hint: str) -> None:
    with pytest.raises(SpecError) as raised:
        build(train(extra))
    assert [found.hint for found in raised.value.diagnostics] == [hint]


LONG_LABELS = MODEL.replace("anomaly", ", ".join("x" * 60 + str(n) for n in range(5)))


def hyperparameters(count: int) -> str:
    return train(f"hyperparameters: {{{', '.join(f'h{n}: 1' for n in range(count))}}}")


GIVEN = '  train: {script: train.py, framework: {name: sklearn, version: "1"}, inputs: {manifest: GIVEN}}\n'
TARGETS = "{targets: {x86_64-cpu: {uri: s3://bucket/x}}}"
PACK = "  package: {inputs: {compiled_model: GIVEN}}\n"
DRIFT = "triggers: [{drift: {metric: recall, over: 1h, %s}}]\n"
WAVES = (
    "  deploy: {inputs: {component: s3://bucket/x}, waves: "
    "[{name: canary, targets: [thing/a]}, {name: %s, targets: [thing/b]}]}\n"
)

TABLE = [
    ("P020", LABEL, "  lable: {}\n"),
    ("P021", train("needs: [label]"), train("needs: [nobody]")),
    ("P021", train("inputs: {manifest: transform}"), train("inputs: {manifest: nobody}")),
    ("P022", train("needs: [transform]"), train("needs: [train]")),
    ("P023", MODEL, MODEL.replace("folders", "folders, needs: [train]")),
    ("P024", LABEL + TRANSFORM, TRANSFORM),
    ("P025", MODEL + COMPILE, MODEL + TRAIN.replace("train: {", "b: {uses: train, ", 1) + COMPILE),
    ("P026", train("inputs: {manifest: transform}"), train("inputs: {labels: label}")),
    ("P026", train("inputs: {manifest: transform}"), train("inputs: {manifest: label}")),
    ("P027", train('instance: "ml.${{ run.id }}"'), train('instance: "ml.${{ run.di }}"')),
    ("P028", train('instance: "ml.${{ run.id }}"'), train('volume_gb: "${{ run.id }}"')),
    ("P028", train('instance: "${{ run.id }}"'), train('instance: "${{ steps.label.labels }}"')),
    ("P029", train('instance: "${{ run.id }}"'), train('instance: "${{ run }}"')),
    ("P029", LABEL, LABEL.replace("normal", '"${{ run.id }}"')),
    ("P030", MODEL, MODEL + TRAIN.replace("train: {", "a-b: {uses: train, ", 1) * 2),
    ("P032", LABEL + TRANSFORM, LABEL + "  transform: {split: {train: 0.5, validation: 0.4}}\n"),
    ("P033", train("timeout: 5d"), train("timeout: 999d")),
    ("P033", train("timeout: 5d, max_runtime: 4d"), train("timeout: 5d, max_runtime: 6d")),
    (
        "P033",
        LABEL.replace("folders", "folders, timeout: 15m"),
        LABEL.replace("folders", "folders, timeout: 16m"),
    ),
    ("P034", LABEL, LABEL.replace("normal", '"${label_function_arn}"')),
    ("P034", LABEL, LABEL.replace("normal", '"{%"')),
    ("P035", MODEL, MODEL.replace("train.py", "missing.py")),
    ("P036", DEPLOY.replace("NAME", "local_server"), DEPLOY.replace("NAME", "localserver")),
    ("P036", DEPLOY.replace("NAME", "com.example.x"), DEPLOY.replace("NAME", '"a..b"')),
    ("P050", train("when: \"${{ run.id }} == 'a'\""), train("when: \"${{ run.id }} = 'a'\"")),
    ("P050", train("when: \"${{ run.id }} in ['a', 'b']\""), train('when: "${{ run.id }} < 3"')),
    ("P050", train("when: \"not (${{ run.id }} == 'a')\""), train("when: \"'a' == 'b'\"")),
    ("P051", GIVEN.replace("GIVEN", "s3://bucket/x"), GIVEN.replace("GIVEN", "{facts: {a: 1}}")),
    ("P051", GIVEN.replace("GIVEN", "{uri: s3://bucket/x}"), GIVEN.replace("GIVEN", TARGETS)),
    ("P051", PACK.replace("GIVEN", TARGETS), PACK.replace("GIVEN", "s3://bucket/x")),
    ("P052", train("for_each: [1, 2], volume_gb: '${{ item }}'"), train("volume_gb: '${{ item }}'")),
    ("P052", train("for_each: [1], max_parallel: 1"), train("max_parallel: 1")),
    ("P052", train("for_each: [1]"), train("for_each: '${{ run.id }}'")),
    ("P052", train("for_each: [1]"), train("for_each: [1]") + COMPILE),
    ("P053", train("heartbeat: 5m"), train("heartbeat: 60s")),
    ("P053", train("heartbeat: 5m, timeout: 6m"), train("heartbeat: 5m, timeout: 5m")),
    (
        "P053",
        LABEL.replace("folders", "auto, heartbeat: 5m"),
        LABEL.replace("folders", "folders, heartbeat: 5m"),
    ),
    ("P054", MODEL, train("image: x")),
    ("P054", MODEL, LABEL + TRANSFORM + "  train: {}\n"),
    ("P054", MODEL, LABEL + TRANSFORM + "  train: {script: train.py}\n"),
    ("P054", LABEL + DRIFT % "below: 1", LABEL + DRIFT % "below: 1, above: 2"),
    ("P055", MODEL + "defaults: {instance: ml.m5.large}\n", LABEL + "defaults: {instance: ml.m5.large}\n"),
    ("P055", MODEL + "defaults: {timeout: 2h}\n", LABEL + "defaults: {timeout: 2s}\n"),
    ("P056", WAVES % "line", WAVES % "canary"),
    (
        "P036",
        DEPLOY.replace("NAME", "com.x"),
        DEPLOY.replace("NAME", "com.x").replace("com.example", "AWS.x"),
    ),
    ("P070", train("instance: ml.m5.2xlarge"), train("instance: ml.m5.3xlarge")),
    ("P070", MODEL + COMPILE, MODEL + COMPILE.replace("{", "{instance: ml.trn1.2xlarge, ")),
    ("P071", MODEL + COMPILE, LONG_LABELS + COMPILE),
    ("P071", LONG_LABELS, LONG_LABELS + COMPILE),
    ("P072", hyperparameters(95), hyperparameters(96)),
    (
        "P073",
        DEPLOY.replace("NAME", "com.x").replace("cookies}", "cookies, version: 1.0.999999}"),
        DEPLOY.replace("NAME", "com.x").replace("cookies}", "cookies, version: 1.0.1000000}"),
    ),
    ("P073", LABEL.replace("/x/", f"/{'é' * 512}"), LABEL.replace("/x/", f"/{'é' * 512}/")),
]


@pytest.mark.parametrize(("code", "good", "bad"), TABLE)
def test_rule_tells_bad_from_good(code: str, good: str, bad: str) -> None:
    assert codes(spec(good)) == []
    found = codes(spec(bad.replace("a-b:", "a_b:", 1) if code == "P030" else bad))
    assert code in found


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("{type: integer, default: 1, minimum: 1}", "{type: integer, default: 0, minimum: 1}"),
        ("{type: number, default: 1, maximum: 1.5}", "{type: number, default: 2, maximum: 1.5}"),
        ("{type: integer, default: 1}", "{type: integer, default: 1.5}"),
        ("{type: string, default: 1.10}", "{type: boolean, default: 1}"),
        ("{type: s3uri, default: 's3://bucket/x'}", "{type: s3uri, default: 'x'}"),
        ("{type: s3uri, default: 's3://${{ run.id }}'}", "{type: s3uri, default: 'x${{ run.id }}'}"),
        ("{type: integer, minimum: 1}", "{type: string, minimum: 1}"),
        ("{type: integer, minimum: 1, maximum: 2}", "{type: integer, minimum: 2, maximum: 1}"),
        ("{type: integer}", "{type: integer, default: ~}"),
    ],
)
def test_parameters_make_sense(good: str, bad: str) -> None:
    assert codes(spec(params=f"  x: {good}\n")) == []
    assert set(codes(spec(params=f"  x: {bad}\n"))) & {"P031", "P012"}


@pytest.mark.parametrize("scope", ["params", "steps"])
def test_a_default_knows_no_other_parameters_and_no_steps(scope: str) -> None:
    params = f"  x: {{type: string, default: '${{{{ {scope}.label }}}}'}}\n  label: {{type: string}}\n"
    assert "P027" in codes(spec(params=params))


def test_an_unknown_kind_brings_no_complaint_about_what_it_would_give() -> None:
    assert codes(spec(LABEL + "  transfrom: {}\n" + TRAIN)) == ["P020"]


def test_codes_are_unique_and_documented() -> None:
    found = [rule.CODE for rule in ALL_RULES]
    assert sorted(set(found)) == sorted(found)
    assert [rule.__doc__ for rule in ALL_RULES if not (rule.__doc__ or "").startswith(f"{rule.CODE}: ")] == []


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.CODE)
def test_every_rule_is_tried(rule: Rule) -> None:
    assert rule.CODE in {code for code, _, _ in TABLE} | {"P031"}
