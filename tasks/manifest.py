"""Lines of a Ground Truth style manifest (JSON Lines), read strictly: complaints have line and JSON pointer.

What counts is the class name in `<attribute>-metadata`: the number beside it may disagree, be a string or be
absent. Objects that Ground Truth failed to label carry a `failure-reason` and no label; they are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, NoReturn, TypeAlias

from tasks.errors import TaskInputError
from tasks.locations import Location, parse_location

METADATA = "-metadata"
MAX_PROBLEMS = 20
"""So many problems are told at once; more would not fit an error message that somebody reads."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with one line, and where in it (a JSON pointer; empty for the whole line)."""

    line: int
    pointer: str
    text: str

    def __str__(self) -> str:
        """Return the problem as one line of a message."""
        return f"line {self.line}{f' at {self.pointer}' if self.pointer else ''}: {self.text}"


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """One image with its class; `metadata` is the attribute's, as it stands in the line."""

    line: int
    source: Location
    class_name: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Unlabelled:
    """One image that the labelling job failed to label."""

    line: int
    reason: str


Entry: TypeAlias = Labelled | Unlabelled | Problem


@dataclass(kw_only=True)
class Problems:
    """Problems collected from one file until there are enough of them."""

    uri: str
    found: list[Problem] = field(default_factory=list)

    def add(self, problem: Problem) -> None:
        """Note a problem; raises TaskInputError when there are as many as one message tells."""
        self.found.append(problem)
        if len(self.found) >= MAX_PROBLEMS:
            self._refuse(f"{len(self.found)} problems or more")

    def check(self) -> None:
        """Raise TaskInputError if there was any problem."""
        if self.found:
            self._refuse("1 problem" if len(self.found) == 1 else f"{len(self.found)} problems")

    def _refuse(self, count: str) -> NoReturn:
        lines = "\n".join(f"  {problem}" for problem in self.found)
        message = f"{self.uri} has {count}; correct the manifest and start again:\n{lines}"
        raise TaskInputError(message)


def parse_object(number: int, raw: bytes) -> Mapping[str, Any] | Problem | None:
    """Return a line's JSON object, the problem with it, or None for a blank line."""
    try:
        text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        value = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique) if text else None
    except UnicodeDecodeError as error:
        return Problem(line=number, pointer="", text=f"byte {error.start + 1} is not UTF-8")
    except (ValueError, RecursionError) as error:
        return Problem(line=number, pointer="", text=f"is not JSON: {_reason(error)}")
    if value is None and not text:
        return None
    if not isinstance(value, Mapping):
        return Problem(line=number, pointer="", text="is not a JSON object")
    return value


def parse_entry(number: int, record: Mapping[str, Any], attribute: str, labels: tuple[str, ...]) -> Entry:
    """Return what a line says about its image under `attribute`; the class must be one of `labels`."""
    metadata = record.get(attribute + METADATA)
    key = attribute + METADATA
    if not isinstance(metadata, Mapping):
        return Problem(line=number, pointer=pointer(key), text="is missing; it should hold the class name")
    if "failure-reason" in metadata:
        return Unlabelled(line=number, reason=str(metadata["failure-reason"]))
    source = _source(number, record.get("source-ref"))
    if isinstance(source, Problem):
        return source
    name = metadata.get("class-name")
    if not isinstance(name, str):
        return Problem(line=number, pointer=pointer(key, "class-name"), text=_no_class_name(metadata))
    if name not in labels:
        text = f"{name!r} is none of the labels {', '.join(labels)}{_near_miss(name, labels)}"
        return Problem(line=number, pointer=pointer(key, "class-name"), text=text)
    return Labelled(line=number, source=source, class_name=name, metadata=metadata)


def class_attributes(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (attribute, class name) for every single-class label of a line."""
    for key, value in record.items():
        if key.endswith(METADATA) and isinstance(value, Mapping) and isinstance(value.get("class-name"), str):
            yield key.removesuffix(METADATA), value["class-name"]


def pointer(*parts: str) -> str:
    """Return the JSON pointer (RFC 6901) of nested keys."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in parts)


def _source(number: int, value: object) -> Location | Problem:
    if not isinstance(value, str):
        text = "is missing; it should be the image's s3:// address"
        return Problem(line=number, pointer="/source-ref", text=text)
    try:
        location = parse_location(value, what="the address")
    except TaskInputError as error:
        return Problem(line=number, pointer="/source-ref", text=str(error))
    if not location.key or location.key.endswith("/"):
        return Problem(line=number, pointer="/source-ref", text=f"{value!r} names a folder, not an image")
    return location


def _no_class_name(metadata: Mapping[str, Any]) -> str:
    if "objects" in metadata:
        return "is missing; the label is a set of boxes, and `format: defect` takes one class for each image"
    if "class-map" in metadata:
        return "is missing; the label has several classes, and `format: defect` takes one for each image"
    return "is missing; it should name the image's class"


def _near_miss(name: str, labels: tuple[str, ...]) -> str:
    near = get_close_matches(name.lower(), labels, n=1)
    return f". Did you mean {near[0]!r}?" if near else ""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        message = f"the key {next(key for key in keys if keys.count(key) > 1)!r} is there twice"
        raise ValueError(message)
    return found


def _refuse_constant(name: str) -> NoReturn:
    message = f"{name} is no JSON number"
    raise ValueError(message)


def _reason(error: ValueError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
