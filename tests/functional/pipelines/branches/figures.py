"""Custom steps without AWS: one for each entry of a list, one over its outputs, one that may be skipped."""

from __future__ import annotations

from typing import Any


def measure(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return the area of a square."""
    edge = event["config"]["edge"]
    return {"area": edge * edge, "name": f"square {edge}"}


def total(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Add areas."""
    return {"sum": sum(event["config"]["areas"])}


def ship(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Return what the spec does not declare."""
    return {"note": "shipped", "secret": event["config"]["sum"]}
