"""The compiler's knowledge of AWS against botocore, against the schemas, and against what handlers send."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pipelines import configs, graph, schema, source, spec
from pipelines.aws import extract
from pipelines.aws.judgement import check_request
from pipelines.aws.limits import FILE, read_member, read_shape, read_version
from pipelines.aws.members import EACH, KEYS, NEO_DEVICES, NEO_PLATFORMS, NOUNS, TABLE, Row
from pipelines.aws.patterns import translate
from pipelines.aws.uses import Use, find_uses
from pipelines.configs import Origin
from pipelines.references import OPENING
from pipelines.rules import Subject
from tasks import aws, callback, publish, train
from tasks import compile as compiling
from tasks import deploy as deploying
from tasks.event import parse_event
from tests.unit.tasks.fakes import RESULTS, RUN_ARN, Cloud, artifact, payload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.spec import Pipeline, Step

WHOLE = json.loads(FILE.read_text(encoding="utf-8"))
GOLDEN = Path(__file__).parents[1] / "golden"
NAME = "com.example.cookie-defects"
COMPONENTS = "arn:aws:greengrass:us-east-1:210987654321:components"
SERVER = "com.edgepipe.LocalServer"
SPLITS = {
    name: {"uri": f"{RESULTS}/transform/manifests/{name}.jsonl", "images": f"{RESULTS}/images/{name}.json"}
    for name in ("train", "validation")
}
INPUTS = {
    "model": artifact("model", f"{RESULTS}/train/model.tar.gz", labels=["normal", "anomaly"]),
    "manifest": artifact("manifest", f"{RESULTS}/all.jsonl", labels=["normal", "anomaly"], splits=SPLITS),
    "component": artifact(
        "component",
        f"{RESULTS}/publish/recipe.json",
        name=NAME,
        version="1.0.0",
        arn=f"{COMPONENTS}:{NAME}:versions:1.0.0",
    ),
}
ASSETS = {"source": "s3://cookie-results/assets/source.tar.gz"}


def test_the_extract_is_that_of_the_installed_botocore() -> None:
    said = "run `python -m pipelines.aws.extract` and read the difference"
    assert extract.build_services() == WHOLE["services"], said
    version, date = read_version()
    assert extract.render(WHOLE["services"], version=version, date=date) == FILE.read_text(encoding="utf-8")


def test_only_these_patterns_cannot_be_checked() -> None:
    unread = {
        f"{service}.{name}"
        for service, model in WHOLE["services"].items()
        for name, shape in model["shapes"].items()
        if "pattern" in shape and translate(shape["pattern"]) is None
    }
    # Its ranges are surrogates, which Python's text has none of; no handler sends an Athena catalog.
    assert unread == {"sagemaker.AthenaCatalog"}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.kind}.{row.key}-{row.member}")
def test_every_row_leads_from_a_key_to_a_member(row: Row) -> None:
    assert read_member(row.service, row.operation, row.member).type != "structure"
    assert row.operation in NOUNS
    assert _has_key(schema.load(f"steps/{row.kind}.schema.json"), row.key.split("."))


def _has_key(rule: Mapping[str, Any], path: list[str]) -> bool:
    if not path:
        return True
    name, *rest = path
    forms = rule.get("anyOf", [rule])
    below = [form[key] for form in forms for key in ("additionalProperties", "items") if form.get(key)]
    if name == KEYS:
        return bool(below)
    if name == EACH:
        return any(_has_key(each, rest) for each in below)
    return any(
        _has_key(form["properties"][name], rest) for form in forms if name in form.get("properties", {})
    )


def test_neo_knows_our_devices() -> None:
    devices = read_shape("sagemaker", "TargetDevice")["enum"]
    assert set(NEO_DEVICES.values()) <= set(devices)
    for platform in NEO_PLATFORMS.values():
        request = {"OutputConfig": {"S3OutputLocation": "s3://bucket/x", "TargetPlatform": platform}}
        found = check_request("sagemaker", "CreateCompilationJob", request)
        assert [problem for problem in found if "TargetPlatform" in problem] == []


@functools.cache
def pipeline(case: str) -> Pipeline:
    text = GOLDEN.joinpath(case, "pipeline.yaml").read_text(encoding="utf-8")
    root, _ = source.parse(source.normalise(text))
    assert root is not None
    found, mistakes = spec.parse(root, path="pipeline.yaml")
    assert mistakes == []
    assert found is not None
    return found


def config(case: str, step: Step) -> dict[str, Any]:
    """Return what the step's handler is given, with the parameters' defaults filled in."""
    origin = Origin(pipeline="cookie-defects", job_seconds=3600)
    defaults = {param.name: param.default for param in pipeline(case).params}
    text = json.dumps(dict(step.known_kind.configure(step.config, origin)))
    filled = re.sub(r'"\$\{\{ params\.(\w+) \}\}"', lambda found: json.dumps(defaults[found[1]]), text)
    assert OPENING not in filled
    loaded: dict[str, Any] = json.loads(filled)
    return loaded


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud()
    monkeypatch.setattr(aws, "client", cloud.client)
    monkeypatch.setattr(callback, "open_desk", cloud.desk)
    for name in configs.DEVICE_COMPONENTS.values():
        cloud.greengrassv2.register(f"{COMPONENTS}:{name}", "0.2.0")
    for device in ("local-device", "line-3-station-1", "line-3-station-2"):
        cloud.greengrassv2.devices[device] = {}
    cloud.iot.groups["line-3"] = ["line-3-station-1", "line-3-station-2"]
    cloud.stepfunctions.waiting.add("t")
    cloud.stepfunctions.executions[RUN_ARN] = "RUNNING"
    return cloud


def send(cloud: Cloud, case: str, kind: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Run the golden pipeline's handler of a kind and return the requests that it made."""
    step = pipeline(case).step(kind)
    assert step is not None
    inputs = {name: INPUTS[name] for name in step.known_kind.takes if name in INPUTS}
    event = payload(kind, config(case, step), inputs=inputs, assets=ASSETS, token="t")
    match kind:
        case "train":
            assert train.handler(event, None) == {}
        case "compile":
            for target in step.config["targets"]:
                assert compiling.handler({**event, "target": target}, None) == {}
        case "deploy":
            recipe = {"ComponentDependencies": {SERVER: {"VersionRequirement": ">=0.1.0 <1.0.0"}}}
            cloud.greengrassv2.register(f"{COMPONENTS}:{NAME}", "1.0.0", json.dumps(recipe).encode())
            for stage in step.config.get("waves", ()):
                waved = {**event["config"], "wave": configs.wave(stage)}
                assert deploying.handler({**event, "config": waved}, None) == {}
            if "targets" in step.config:
                assert deploying.handler(event, None) == {}
        case "publish":
            uri = f"{RESULTS}/package/x86_64-cpu.zip"
            zips = {"x86_64-cpu": artifact("package", uri, cloud.s3.put(uri, b"zip"))}
            desk = publish.Desk(
                s3=cloud.client("s3"), greengrass=cloud.client("greengrassv2"), sleep=lambda _: None
            )
            publish.publish(parse_event({**event, "inputs": {"package": zips}}), desk)
    return cloud.calls


@pytest.mark.parametrize("case", ["cookies", "full"])
@pytest.mark.parametrize(
    ("kind", "operations"),
    [
        ("train", {"CreateTrainingJob"}),
        ("compile", {"CreateProcessingJob"}),
        ("publish", {"CreateComponentVersion", "PutObject", "CopyObject"}),
        ("deploy", {"CreateDeployment", "GetCoreDevice"}),
    ],
)
def test_aws_takes_every_request_of_a_golden_pipeline(
    cloud: Cloud, case: str, kind: str, operations: set[str]
) -> None:
    calls = send(cloud, case, kind)
    assert operations <= {operation for _, operation, _ in calls}
    for service, operation, request in calls:
        if isinstance(request.get("CopySource"), dict):  # botocore itself makes the header of it
            request["CopySource"] = "{Bucket}/{Key}".format(**request["CopySource"])
        assert check_request(service, operation, request) == []


@pytest.mark.parametrize("case", ["cookies", "full"])
@pytest.mark.parametrize("kind", ["train", "compile", "publish", "deploy"])
def test_what_the_table_says_is_sent_is_sent(cloud: Cloud, case: str, kind: str) -> None:
    found = pipeline(case)
    subject = Subject(pipeline=found, graph=graph.plan(found), exists=lambda _: True)
    uses = [use for use in find_uses(subject, lambda _: True) if use.row.kind == kind]
    calls = send(cloud, case, kind)
    assert len(uses) > 0
    for use in uses:
        sent = [request for _, operation, request in calls if operation == use.row.operation]
        assert any(_carries(use, value) for request in sent for value in _values(request, use.row.member)), (
            use
        )


def _carries(use: Use, value: object) -> bool:
    if use.limit.counts and isinstance(value, list | dict):
        return len(value) == use.sent
    # The table's ARNs are of no account in particular.
    plain, expected = (re.sub(r"\d{12}", "*", str(each)) for each in (value, use.sent))
    return value == use.sent or plain == expected


def _values(value: Any, path: str) -> list[Any]:
    """Return what lies at a member's path in a request."""
    found = [value]
    for part in re.findall(r"\w+|\[\]|\{key\}|\{\}", path):
        found = [inner for each in found for inner in _enter(each, part)]
    return found


def _enter(value: Any, part: str) -> list[Any]:
    match part:
        case "[]" | "{key}":
            return list(value)
        case "{}":
            return list(value.values())
        case _:
            return [value[part]] if part in value else []
