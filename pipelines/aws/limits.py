"""What AWS's models say about one member of a request: read from limits.json, a shape at a time.

The file has a line for each shape, and only the lines that a spec needs are parsed: all of them would take as
long as compiling a small pipeline.
"""

from __future__ import annotations

import functools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).resolve().parent / "limits.json"

Shape = dict[str, Any]

_STEP = re.compile(r"(?P<name>\w+)|(?P<item>\[\])|(?P<key>\{key\})|(?P<value>\{\})|\.")


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What a member may be; the bounds are those of a number, a text's length or a number of entries."""

    type: str
    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    enum: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Say whether the bounds are about a number of entries."""
        return self.type in ("list", "map")


@functools.cache
def read_member(service: str, operation: str, path: str) -> Limit:
    """Return the limit of a member such as `InputDataConfig[].ChannelName`, `HyperParameters{key}` or `Tags`.

    Raises LookupError where the model has no such service, operation or member.
    """
    name = read_input(service, operation)
    for match in _STEP.finditer(path):
        shape = read_shape(service, name)
        if match["name"]:
            name = shape["members"][match["name"]]
        elif match.lastgroup:
            name = shape[{"item": "member", "key": "key", "value": "value"}[match.lastgroup]]
    return limit_of(read_shape(service, name))


def limit_of(shape: Shape) -> Limit:
    """Return a shape's own limit."""
    return Limit(
        type=shape["type"],
        minimum=shape.get("min"),
        maximum=shape.get("max"),
        pattern=shape.get("pattern"),
        enum=tuple(shape.get("enum", ())),
    )


def read_input(service: str, operation: str) -> str:
    """Return the name of an operation's input shape. Raises LookupError."""
    head = _line(f'\n"{service}": ', 0).removesuffix('"shapes": {') + '"shapes": {}}'
    name: str = json.loads(head)["operations"][operation]
    return name


@functools.cache
def read_shape(service: str, name: str) -> Shape:
    """Return a shape as limits.json has it. Raises LookupError."""
    begin = _text().find(f'\n"{service}": ')
    shape: Shape = json.loads(_line(f'\n"{name}": ', begin).removesuffix(","))
    return shape


def read_version() -> tuple[str, str]:
    """Return the version of botocore that the limits are from, and the date on which they were taken."""
    head = json.loads(_text().partition(', "services"')[0] + "}")
    return head["botocore"], head["date"]


def _line(opening: str, begin: int) -> str:
    """Return what follows an opening on its line."""
    found = _text().find(opening, begin) if begin >= 0 else -1
    if found < 0:
        raise LookupError(opening.strip())
    start = found + len(opening)
    return _text()[start : _text().index("\n", start)]


@functools.cache
def _text() -> str:
    return FILE.read_text(encoding="utf-8")
