"""JSON text as Step Functions carries it, and how much of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local_cloud.engine.expression import Json

MAX_DATA = 262_144
"""Bytes of UTF-8 that an input, output, result or set of variables may have (256 KiB)."""


_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def encode(value: Json) -> str:
    """Return JSON text as Step Functions stores it."""
    return _ENCODER.encode(value)


def decode(text: str) -> Json:
    """Return JSON text's value; raises ValueError, also for the NaN that Python would accept."""
    return json.loads(text, parse_constant=_refuse_constant)


def too_large(text: str) -> bool:
    """Tell whether a text is over the limit."""
    # A character has at most 4 bytes of UTF-8: short texts need no encoding to know.
    return len(text) > MAX_DATA // 4 and len(text.encode(errors="surrogatepass")) > MAX_DATA


def _refuse_constant(name: str) -> Json:
    message = f"{name} is not JSON"
    raise ValueError(message)
