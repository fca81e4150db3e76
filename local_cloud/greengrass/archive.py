"""A device's installation and executions as plain JSON, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .configuration import Change
from .execution import Execution
from .memory import moment
from .planning import Installation, Order, WantedComponent, assemble, find_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .equipment import Equipment
    from .memory import Document


def write_installation(installation: Installation) -> Document:
    """Return an installation as the store keeps it: recipes as text, and what deployments changed."""
    components = [
        {
            "name": name,
            "recipe": installation.recipes[name].text,
            "changes": [[list(each.path), each.value, each.at] for each in blueprint.changes],
        }
        for name, blueprint in installation.blueprints.items()
    ]
    return {
        "roots": {each: dict(roots) for each, roots in installation.roots.items()},
        "components": components,
    }


def read_installation(document: Mapping[str, Any], equipment: Equipment) -> Installation:
    """Return a kept installation, its paths those of the device as it lies now."""
    components = document["components"]
    recipes = {each["name"]: find_recipe(each["name"], each["recipe"]) for each in components}
    changes = {
        each["name"]: tuple(
            Change(path=tuple(path), value=value, at=at) for path, value, at in each["changes"]
        )
        for each in components
    }
    return assemble(document["roots"], recipes, changes, equipment)


def write_execution(execution: Execution) -> Document:
    """Return an execution as the store keeps it."""
    order = execution.order
    return {
        "order": {**asdict(order), "components": {n: asdict(each) for n, each in order.components.items()}},
        "number": execution.number,
        "status": execution.status,
        "created": execution.created.isoformat(),
        "modified": execution.modified.isoformat(),
        "reason": execution.reason,
        "error_codes": list(execution.error_codes),
        "error_types": list(execution.error_types),
    }


def read_execution(document: Mapping[str, Any]) -> Execution:
    """Return a kept execution."""
    return Execution(
        order=_read_order(document["order"]),
        number=document["number"],
        status=document["status"],
        created=moment(document["created"]),
        modified=moment(document["modified"]),
        reason=document["reason"],
        error_codes=tuple(document["error_codes"]),
        error_types=tuple(document["error_types"]),
    )


def _read_order(document: Mapping[str, Any]) -> Order:
    components = {
        name: WantedComponent(version=each["version"], reset=tuple(each["reset"]), merge=each["merge"])
        for name, each in document["components"].items()
    }
    return Order(**{**document, "components": components})
