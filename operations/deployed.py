"""The live version of a pipeline as `plan` compares it: the markers back in the place of their values."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pipelines import machine, platform
from pipelines.changes import Version
from pipelines.definition import serialise
from pipelines.spec import identifier

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FUNCTION = re.compile(r"arn:[a-z-]+:lambda:[a-z0-9-]+:\d{12}:function:(?P<name>[A-Za-z0-9_-]+)(:\d+)?")
_ASSET = re.compile(r"s3://[^/]+/assets/(?P<digest>[0-9a-f]{64})/(?P<name>[a-z0-9_]+)\.tar\.gz")


def read_version(definition: str, pipeline: str) -> Version:
    """Return a deployed definition as a version that a spec can be compared with.

    The files that went along are known by the digests in their addresses.
    """
    document = json.loads(definition)
    facts = document["States"]["Start"]["Assign"]["usecase"]
    document["States"]["Start"]["Assign"]["usecase"] = {name: f"${{usecase_{name}}}" for name in facts}
    digests = {f"asset_{match['name']}": match["digest"] for match in _ASSET.finditer(definition)}
    return Version(machine=machine.parse(serialise(_restore(document, pipeline))), digests=digests)


def _restore(value: Any, pipeline: str) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        restored = {key: _restore(item, pipeline) for key, item in value.items()}
        return {**restored, **dict(_restore_function(value, pipeline))}
    if isinstance(value, list):
        return [_restore(item, pipeline) for item in value]
    asset = _ASSET.fullmatch(value) if isinstance(value, str) else None
    return f"${{asset_{asset['name']}}}" if asset else value


def _restore_function(value: Mapping[str, Any], pipeline: str) -> Iterator[tuple[str, str]]:
    """Yield the function's marker of a task's arguments; an ARN that the spec gives stays."""
    found = _FUNCTION.fullmatch(str(value.get("FunctionName")))
    if found is None:
        return
    known = {*platform.kind_functions(), *platform.SERVICE_FUNCTIONS}
    names = {platform.function_name(name): name for name in known}
    step = str(value.get("Payload", {}).get("step", ""))
    names[platform.custom_function_name(pipeline, step)] = f"custom_{identifier(step)}"
    if found["name"] in names:
        yield "FunctionName", f"${{{names[found['name']]}_function_arn}}"
