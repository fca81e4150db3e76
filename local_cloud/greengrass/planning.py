"""What a device shall run: from a deployment and what is installed to the next installation.

Nothing that runs is touched here, so whatever fails here leaves the device as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from . import configuration, errors
from .component import Blueprint
from .interpolation import Scope, Surroundings, interpolate
from .recipe import GENERIC, Artifact, Manifest, Recipe, parse_recipe
from .resolver import Catalogue, Site, choose_manifest, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .artifacts import ArtifactStore

NUCLEUS = "aws.greengrass.Nucleus"
NUCLEUS_VERSION = "2.14.0"
"""The device itself: components may depend on it, and it reports this version."""

_NUCLEUS_RECIPE = parse_recipe(
    f"""
RecipeFormatVersion: '2020-01-25'
ComponentName: {NUCLEUS}
ComponentVersion: {NUCLEUS_VERSION}
ComponentPublisher: AWS
ComponentType: aws.greengrass.nucleus
Manifests: [{{}}]
"""
)


class Registry(Catalogue, Protocol):
    """The registry of an account: recipes, and the digests of artifacts when they were published."""

    def digest(self, name: str, version: str, artifact: Artifact) -> str:
        """Return the digest of one artifact of a known component version."""


@dataclass(frozen=True, kw_only=True)
class WantedComponent:
    """One component of a deployment: its version and the update of its configuration."""

    version: str
    reset: tuple[str, ...] = ()
    merge: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Order:
    """One deployment as a device gets it."""

    deployment_id: str
    target: str
    """The ARN of the thing or thing group; an order replaces the earlier one of the same target."""
    components: Mapping[str, WantedComponent]
    rolls_back: bool


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What a device runs: the roots of each target, and blueprints, dependencies before their dependents."""

    roots: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    blueprints: Mapping[str, Blueprint] = field(default_factory=dict)

    def is_root(self, name: str) -> bool:
        """Tell whether a deployment names the component, rather than another component needing it."""
        return any(name in components for components in self.roots.values())


@dataclass(frozen=True, kw_only=True)
class Equipment:
    """What a device plans with."""

    thing: str
    root: Path
    attributes: Mapping[str, str]
    registry: Registry
    artifacts: ArtifactStore

    def work(self, name: str) -> Path:
        """Return the work folder of a component."""
        return self.root / "work" / name


@dataclass(frozen=True, kw_only=True)
class _WithNucleus:
    """A registry in which the device itself is a component too."""

    registry: Registry

    def versions(self, name: str) -> list[str]:
        return [NUCLEUS_VERSION] if name == NUCLEUS else self.registry.versions(name)

    def recipe(self, name: str, version: str) -> Recipe:
        return _NUCLEUS_RECIPE if name == NUCLEUS else self.registry.recipe(name, version)


def plan(order: Order, before: Installation, equipment: Equipment) -> Installation:
    """Return the installation that an order asks for, its artifacts fetched; raises DeploymentError."""
    roots = {**before.roots, order.target: {name: each.version for name, each in order.components.items()}}
    recipes = {recipe.name: recipe for recipe in resolve(_requirements(roots), _site(before, equipment))}
    manifests = {name: _supported_manifest(recipe, equipment) for name, recipe in recipes.items()}
    for name, recipe in recipes.items():
        _load_artifacts(recipe, manifests[name], equipment)
    changes = {name: _changes(name, order, before) for name in recipes}
    surroundings = {name: _surroundings(recipe, changes[name], equipment) for name, recipe in recipes.items()}
    blueprints = {
        name: _blueprint(recipe, manifests[name], changes[name], surroundings, equipment)
        for name, recipe in recipes.items()
    }
    return Installation(roots=roots, blueprints=blueprints)


def changed_components(before: Mapping[str, Blueprint], after: Mapping[str, Blueprint]) -> set[str]:
    """Return who must start anew: the new, the different, and whoever hard-depends on such."""
    changed = {name for name, blueprint in after.items() if before.get(name) != blueprint}
    # Dependencies come before their dependents, so one pass sees whole chains.
    for name, blueprint in after.items():
        if blueprint.hard_dependencies & changed:
            changed.add(name)
    return changed


def _requirements(roots: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    asked: dict[str, dict[str, str]] = {}
    for target, components in roots.items():
        for name, version in components.items():
            asked.setdefault(name, {})[target.rpartition(":")[2]] = version
    return asked


def _site(before: Installation, equipment: Equipment) -> Site:
    return Site(
        catalogue=_WithNucleus(registry=equipment.registry),
        attributes=equipment.attributes,
        active={name: blueprint.version for name, blueprint in before.blueprints.items()},
    )


def _supported_manifest(recipe: Recipe, equipment: Equipment) -> Manifest:
    if recipe.kind != GENERIC and recipe is not _NUCLEUS_RECIPE:
        message = f"component {recipe.name} is of type {recipe.kind}; virtual devices run {GENERIC} only"
        raise errors.unsupported(message)
    manifest = choose_manifest(recipe, equipment.attributes)
    if manifest is None:
        message = f"no manifest of component {recipe.name} {recipe.version} is for this device"
        raise errors.wrong_platform(message)
    if "Bootstrap" in manifest.lifecycle.steps:
        message = f"component {recipe.name} has a Bootstrap step; virtual devices do not run it, use Install"
        raise errors.unsupported(message)
    return manifest


def _load_artifacts(recipe: Recipe, manifest: Manifest, equipment: Equipment) -> None:
    for artifact in manifest.artifacts:
        digest = equipment.registry.digest(recipe.name, recipe.version, artifact)
        equipment.artifacts.load(recipe.name, recipe.version, artifact, digest)


def _changes(name: str, order: Order, before: Installation) -> configuration.Document:
    earlier = before.blueprints.get(name)
    changes = {} if earlier is None else earlier.changes
    wanted = order.components.get(name)
    if wanted is None:
        return dict(changes)
    return configuration.update(changes, reset=wanted.reset, merge=wanted.merge)


def _surroundings(recipe: Recipe, changes: Mapping[str, Any], equipment: Equipment) -> Surroundings:
    return Surroundings(
        configuration=configuration.overlay(recipe.configuration, changes),
        artifacts=equipment.artifacts.folder(recipe.name, recipe.version),
        unarchived=equipment.artifacts.unarchived(recipe.name, recipe.version),
        work=equipment.work(recipe.name),
    )


def _blueprint(
    recipe: Recipe,
    manifest: Manifest,
    changes: Mapping[str, Any],
    surroundings: Mapping[str, Surroundings],
    equipment: Equipment,
) -> Blueprint:
    scope = Scope(
        own=surroundings[recipe.name],
        dependencies={each.name: surroundings[each.name] for each in recipe.dependencies},
        root=equipment.root,
        thing=equipment.thing,
    )
    return Blueprint(
        name=recipe.name,
        version=recipe.version,
        lifecycle=manifest.lifecycle.interpolated(lambda text: interpolate(text, scope)),
        configuration=scope.own.configuration,
        changes=changes,
        hard_dependencies=frozenset(each.name for each in recipe.dependencies if each.hard),
    )
