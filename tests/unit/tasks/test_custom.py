"""custom: the author's function gets the event, and returns what the step declares or is refused."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tasks import custom
from tasks.errors import JobFailedError, TaskInputError
from tests.unit.tasks.fakes import artifact, payload

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tasks.event import Output

MODEL = artifact("model", "s3://bucket/model.tar.gz")
SCORE = {"outputs": {"score": "number"}}


def call(
    tmp_path: Path, function: Callable[[Any, Any], Any], declared: dict[str, Any], **event: Any
) -> Output:
    declaration = {"module": "audit", "function": "run", "gives": "", "outputs": {}, **declared}
    (tmp_path / custom.DECLARATION).write_text(json.dumps(declaration))
    modules = {"audit": SimpleNamespace(run=function)}
    handler = custom.open_handler(tmp_path, modules.__getitem__)
    return handler(payload("custom", {"limit": 3}, step="check", **event), "context")


def test_the_function_gets_event_and_context_and_its_output_goes_on(tmp_path: Path) -> None:
    seen: list[Any] = []

    def run(event: Any, context: Any) -> Any:
        seen.append((event["config"], event["inputs"]["model"]["uri"], context))
        return {"score": 0.5}

    assert call(tmp_path, run, SCORE, inputs={"model": MODEL}) == {"score": 0.5}
    assert seen == [({"limit": 3}, MODEL["uri"], "context")]


GOOD = [
    ({"outputs": {}}, {}),
    ({"outputs": {"a": "string", "b": "boolean"}}, {"a": "x", "b": False}),
    ({"outputs": {"a": "integer", "b": "array", "c": "object"}}, {"a": 1, "b": [1], "c": {}}),
    ({"outputs": {"a": "number"}}, {"a": 1}),
    ({"gives": "model"}, {"model": MODEL}),
    ({"gives": "package"}, {"package": {"x86_64-cpu": artifact("package", "s3://bucket/a.zip")}}),
]


@pytest.mark.parametrize(("declared", "result"), GOOD)
def test_what_is_declared_is_accepted(tmp_path: Path, declared: dict[str, Any], result: Any) -> None:
    assert call(tmp_path, lambda *_: result, declared) == result


BAD = [
    (
        SCORE,
        None,
        "audit:run of step 'check' must return an object of its outputs (it declares score), not None",
    ),
    (SCORE, [1], "not [1]"),
    (SCORE, {}, "has no 'score', which the spec declares as number"),
    (SCORE, {"score": "high"}, "score must be of type number; it is 'high'"),
    (SCORE, {"score": True}, "score must be of type number; it is True"),
    (SCORE, {"score": None}, "score must be of type number; it is None"),
    (SCORE, {"score": 1, "extra": 2}, "returned extra, which the spec does not declare (it declares score)"),
    (SCORE, {"score": float("nan")}, "is no JSON"),
    ({"outputs": {"a": "object"}}, {"a": {"b": {1, 2}}}, "is no JSON"),
    ({"outputs": {"a": "string"}}, {"a": "x" * 300_000}, "Step Functions takes 262144: put it in S3"),
    ({}, {"a": 1}, "it declares none"),
    ({"gives": "model"}, {}, "has no 'model'"),
    ({"gives": "model"}, {"model": artifact("labels", "s3://bucket/x")}, "type must be 'model'"),
    ({"gives": "model"}, {"model": {**MODEL, "uri": "model.tar.gz"}}, "is not an s3:// address"),
    ({"gives": "package"}, {"package": {"x": MODEL}}, "package.x.type must be 'package'"),
]


@pytest.mark.parametrize(("declared", "result", "told"), BAD)
def test_what_is_not_declared_is_refused(
    tmp_path: Path, declared: dict[str, Any], result: Any, told: str
) -> None:
    with pytest.raises(TaskInputError, match=re.escape(told)):
        call(tmp_path, lambda *_: result, declared)


def test_a_missing_function_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskInputError, match=r"audit\.py has no function 'check'"):
        call(tmp_path, lambda *_: {}, {"function": "check"})


def test_a_wrong_event_does_not_reach_the_function(tmp_path: Path) -> None:
    with pytest.raises(TaskInputError, match=r"event\.inputs\.model"):
        call(tmp_path, lambda *_: pytest.fail("called"), {}, inputs={"model": {"uri": "nowhere"}})


def test_the_functions_own_errors_keep_their_names(tmp_path: Path) -> None:
    def fail(*_: Any) -> Any:
        message = "the audit found a leak"
        raise JobFailedError(message)

    with pytest.raises(JobFailedError, match="the audit found a leak"):
        call(tmp_path, fail, {})


def test_a_step_that_waits_gives_its_output_by_the_token(tmp_path: Path) -> None:
    assert call(tmp_path, lambda *_: "started", SCORE, token="t") == {}


@pytest.mark.parametrize(
    "declared", [{"module": "a.b"}, {"function": "x()"}, {"outputs": {"a": "text"}}, {"outputs": []}]
)
def test_a_declaration_that_no_deployment_writes_is_refused(tmp_path: Path, declared: dict[str, Any]) -> None:
    with pytest.raises(TaskInputError, match=re.escape(custom.DECLARATION)):
        call(tmp_path, lambda *_: {}, declared)


def test_on_lambda_the_files_lie_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "edgepipe_test_audit.py").write_text("def run(event, context): return {'score': 1}")
    declaration = {"module": "edgepipe_test_audit", "function": "run", "gives": "", **SCORE}
    (tmp_path / custom.DECLARATION).write_text(json.dumps(declaration))
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    assert custom.handler(payload("custom", {}), None) == {"score": 1}
