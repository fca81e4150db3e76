"""The recipe of the component; a file of the same name lies beside another step's handler."""

from __future__ import annotations

from typing import Any

NAME, VERSION = "com.example.rollout", "1.0.0"

SCRIPTS = {
    "never": "exec sleep 1000",
    "start": '[ "$AWS_IOT_THING_NAME" = "{thing}" ] && exit 3; exec sleep 1000',
    "bake": '[ "$AWS_IOT_THING_NAME" = "{thing}" ] && sleep 1 && exit 3; exec sleep 1000',
}


def build(break_on: str, when: str) -> dict[str, Any]:
    """Return the recipe."""
    script = SCRIPTS[when].format(thing=break_on)
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": NAME,
        "ComponentVersion": VERSION,
        "ComponentPublisher": "edgepipe",
        "Manifests": [{"Platform": {"os": "linux"}, "Lifecycle": {"Run": script}}],
    }
