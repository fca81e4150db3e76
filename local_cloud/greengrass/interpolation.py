"""Recipe variables: `{configuration:/port}` and its kin inside lifecycle steps.

Known variables, each also with a component's name in front (`{com.example.Server:work:path}`) when that
component is a direct dependency: `configuration:<JSON pointer>`, `artifacts:path`,
`artifacts:decompressedPath` and `work:path`; and `kernel:rootPath`, `iot:thingName`. What cannot be resolved
stays as it is written, as on a real device. Values are put in once: a value that looks like a variable is
not looked up again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .configuration import look_up

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_VARIABLE = re.compile(
    r"\{(?:(?P<component>[\w.-]+):)?(?P<space>configuration|artifacts|work|kernel|iot):(?P<key>[^{}:]*)\}"
)


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What one component's variables stand for."""

    configuration: Mapping[str, Any]
    artifacts: Path
    unarchived: Path
    work: Path


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What a component may refer to: itself, its direct dependencies by name, and the device."""

    own: Surroundings
    dependencies: Mapping[str, Surroundings]
    root: Path
    thing: str


def interpolate(text: str, scope: Scope) -> str:
    """Return the text with every variable that `scope` knows replaced by its value."""
    return _VARIABLE.sub(lambda match: _value(match, scope), text)


def interpolate_document(document: Any, scope: Scope) -> Any:  # noqa: ANN401 - any JSON value
    """Return a configuration with the variables in all its texts replaced."""
    if isinstance(document, str):
        return interpolate(document, scope)
    if isinstance(document, list):
        return [interpolate_document(each, scope) for each in document]
    if isinstance(document, dict):
        return {key: interpolate_document(value, scope) for key, value in document.items()}
    return document


def _value(match: re.Match[str], scope: Scope) -> str:
    component, space, key = match.group("component", "space", "key")
    surroundings = scope.own if component is None else scope.dependencies.get(component)
    if surroundings is None:
        return match.group(0)
    if space == "configuration":
        return _configured(surroundings.configuration, key, unknown=match.group(0))
    known = {
        ("artifacts", "path"): str(surroundings.artifacts),
        ("artifacts", "decompressedPath"): str(surroundings.unarchived),
        ("work", "path"): str(surroundings.work),
    }
    if component is None:
        known |= {("kernel", "rootPath"): str(scope.root), ("iot", "thingName"): scope.thing}
    return known.get((space, key), match.group(0))


def _configured(configuration: Mapping[str, Any], pointer: str, *, unknown: str) -> str:
    try:
        value = look_up(configuration, pointer)
    except KeyError:
        return unknown
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))
