"""A custom step: registers a component that a test can make break, and gives it to the deployment."""

from __future__ import annotations

import json
from typing import Any

import recipes

from tasks import aws, s3
from tasks.event import parse_event


def run(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Publish the component; it breaks on the thing `break_on`, at its start or while it bakes."""
    step = parse_event(event)
    client = aws.client("greengrassv2", step.usecase, step.run)
    recipe = json.dumps(recipes.build(**event["config"])).encode()
    reply = client.create_component_version(inlineRecipe=recipe)
    location = step.folder / "recipe.json"
    digest = s3.write_bytes(
        aws.client("s3", step.usecase, step.run), location, recipe, content_type="application/json"
    )
    facts = {"name": recipes.NAME, "version": recipes.VERSION, "arn": reply["arn"]}
    component = {"type": "component", "uri": location.uri, "digest": digest, "facts": facts}
    return {"component": component, "seen": len(event["config"])}
