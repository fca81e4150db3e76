"""Brings a component's artifacts onto a device, and refuses compiled code that this machine cannot run."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from . import errors
from .natives import find_native
from .platforms import host_attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from .equipment import Equipment
    from .recipe import Manifest, Recipe


def load_artifacts(
    recipe: Recipe, manifest: Manifest, equipment: Equipment, before_fetch: Callable[[str], None]
) -> None:
    """Fetch the artifacts of one component; raises DeploymentError."""
    for artifact in manifest.artifacts:
        equipment.artifacts.load(
            recipe.name,
            recipe.version,
            artifact,
            equipment.registry.digest(recipe.name, recipe.version, artifact),
            before_fetch=partial(before_fetch, recipe.name),
        )
    if manifest.artifacts and equipment.attributes["architecture"] != host_attributes()["architecture"]:
        _refuse_native_code(recipe, equipment)


def _refuse_native_code(recipe: Recipe, equipment: Equipment) -> None:
    store = equipment.artifacts
    folders = (store.folder(recipe.name, recipe.version), store.unarchived(recipe.name, recipe.version))
    found = find_native(folders)
    if found is None:
        return
    path, architecture = found
    wanted, host = equipment.attributes["architecture"], host_attributes()["architecture"]
    what = f"{path.name} of component {recipe.name} {recipe.version} is compiled for {architecture}"
    if architecture != wanted:
        message = f"{what}, and the device is {wanted}"
        raise errors.wrong_platform(message)
    message = (
        f"{what}; this machine is {host} and does not emulate other processors. Virtual devices of another "
        f"architecture choose their own manifests, and run scripts and Python only"
    )
    raise errors.unsupported(message)
