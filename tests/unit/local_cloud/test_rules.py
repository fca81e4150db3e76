"""Events and the sweeper's schedule reach their functions, and nothing does once the rules have ended."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from local_cloud import rules
from local_cloud.context import ORCHESTRATOR_ACCOUNT, Context

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

EVENT = {"source": "aws.sagemaker", "detail-type": "SageMaker Training Job State Change"}


class InMemoryLambda:
    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.swept = threading.Event()

    def invoke(self, *, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        self.calls.append((FunctionName, json.loads(Payload)))
        if FunctionName == "edgepipe-sweeper":
            self.swept.set()
        return {"StatusCode": 200}


class InMemoryContext(Context):
    def __init__(self, state_dir: Path, functions: InMemoryLambda) -> None:
        super().__init__(state_dir=state_dir)
        self._functions = functions

    def client(self, service: str, account: str) -> Any:
        assert (service, account) == ("lambda", ORCHESTRATOR_ACCOUNT)
        return self._functions


def test_an_event_and_the_schedule_invoke_their_functions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "SWEEP_SECONDS", 0.01)
    functions = InMemoryLambda()
    context = InMemoryContext(tmp_path, functions)
    with rules.rules(context):
        context.emit(EVENT)
        assert functions.swept.wait(5)
    assert ("edgepipe-events", EVENT) in functions.calls


def test_an_event_after_the_end_is_dropped(tmp_path: Path) -> None:
    functions = InMemoryLambda()
    context = InMemoryContext(tmp_path, functions)
    with rules.rules(context):
        pass
    context.emit(EVENT)
    assert functions.calls == []
