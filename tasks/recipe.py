"""The Greengrass recipe of a packaged model: data only, no value is ever written into a script.

Scripts are constants; what varies reaches them as environment variables, because a shell runs a recipe's
scripts. Format: "AWS IoT Greengrass component recipe reference".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.errors import TaskInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tasks.locations import Location

MAX_BYTES = 16_000
"""The longest recipe CreateComponentVersion takes (Greengrass quotas)."""

LOCAL_SERVER = "com.edgepipe.LocalServer"
ARCHITECTURES = {
    "x86_64-cpu": "amd64",
    "arm64-cpu": "aarch64",
    "arm64-gpu": "aarch64",
    "jetson-xavier": "aarch64",
}
LOAD = 'python3 "$EDGEPIPE_ARTIFACT/loader.py" load'
UNLOAD = 'python3 "$EDGEPIPE_ARTIFACT/loader.py" unload'
LOAD_SECONDS = 900
"""The loader waits up to 600 s for the server to answer; Greengrass's own limit is 120 s."""
UNLOAD_SECONDS = 60


@dataclass(frozen=True, kw_only=True)
class Component:
    """What is published: name, version, the model's name, and what it depends on (name → requirement)."""

    name: str
    version: str
    model: str
    dependencies: Mapping[str, str]


def build_recipe(component: Component, zips: Mapping[str, Location]) -> dict[str, Any]:
    """Return the recipe with one manifest for each target's zip; raises TaskInputError if two would clash."""
    dependencies = {
        name: {"VersionRequirement": requirement, "DependencyType": "HARD"}
        for name, requirement in sorted(component.dependencies.items())
    }
    return {
        "RecipeFormatVersion": "2020-01-25",
        "ComponentName": component.name,
        "ComponentVersion": component.version,
        "ComponentDescription": f"The model {component.model}, made by edgepipe",
        "ComponentPublisher": "edgepipe",
        "ComponentConfiguration": {"DefaultConfiguration": {"model": component.model}},
        "ComponentDependencies": dependencies,
        "Manifests": [
            _build_manifest(component, target, architecture, zips[target])
            for architecture, target in _by_architecture(zips).items()
        ],
    }


def render_recipe(recipe: Mapping[str, Any]) -> bytes:
    """Return the recipe as JSON text; raises TaskInputError when Greengrass would not take that much."""
    text = json.dumps(recipe, indent=1, ensure_ascii=False).encode()
    if len(text) > MAX_BYTES:
        message = (
            f"the recipe has {len(text)} bytes, Greengrass takes {MAX_BYTES}; publish fewer targets at once"
        )
        raise TaskInputError(message)
    return text


def _by_architecture(zips: Mapping[str, Location]) -> dict[str, str]:
    found: dict[str, str] = {}
    for target in sorted(zips):
        if target not in ARCHITECTURES:
            message = (
                f"no device's architecture is known for target {target!r}; known: {', '.join(ARCHITECTURES)}"
            )
            raise TaskInputError(message)
        other = found.setdefault(ARCHITECTURES[target], target)
        if other != target:
            message = (
                f"targets {other} and {target} both run on {ARCHITECTURES[target]} devices, which take the "
                "first manifest that matches; publish them as two components"
            )
            raise TaskInputError(message)
    return found


def _build_manifest(
    component: Component, target: str, architecture: str, zip_file: Location
) -> dict[str, Any]:
    # Greengrass unpacks an archive into a folder named as the archive is, without its ending.
    stem = zip_file.key.rpartition("/")[2].removesuffix(".zip")
    environment = {
        "EDGEPIPE_ARTIFACT": f"{{artifacts:decompressedPath}}/{stem}",
        "EDGEPIPE_SERVER_WORK": f"{{{LOCAL_SERVER}:work:path}}",
        "EDGEPIPE_MODEL": "{configuration:/model}",
        "EDGEPIPE_MODEL_VERSION": component.version,
    }
    return {
        "Name": target,
        "Platform": {"os": "linux", "architecture": architecture},
        "Lifecycle": {
            "Setenv": environment,
            "Startup": {"Script": LOAD, "Timeout": LOAD_SECONDS},
            "Shutdown": {"Script": UNLOAD, "Timeout": UNLOAD_SECONDS},
        },
        "Artifacts": [{"URI": zip_file.uri, "Unarchive": "ZIP", "Permission": {"Read": "ALL"}}],
    }
