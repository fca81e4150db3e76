"""What a device shall run: from a deployment and what is installed to the next installation.

Nothing that runs is touched here, so whatever fails here leaves the device as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from . import configuration, errors
from .blueprint import Blueprint
from .fetching import load_artifacts
from .interpolation import Scope, Surroundings, interpolate, interpolate_document
from .recipe import GENERIC, Manifest, Recipe, parse_recipe
from .resolver import Site, choose_manifest, resolve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .equipment import Equipment, Registry


NUCLEUS = "aws.greengrass.Nucleus"
NUCLEUS_VERSION = "2.14.0"
"""The device itself: components may depend on it, and it reports this version."""

_INTERPOLATE = "interpolateComponentConfiguration"
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
    """The ARN of the thing or thing group."""
    source: str
    """Whose roots the order replaces: the target, or for a subdeployment the target of its parent."""
    components: Mapping[str, WantedComponent]
    rolls_back: bool
    name: str = ""
    at: float = 0.0
    """When the deployment was made, in seconds since the epoch."""


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What a device runs: the roots of each target, and blueprints, dependencies before their dependents."""

    roots: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    blueprints: Mapping[str, Blueprint] = field(default_factory=dict)
    recipes: Mapping[str, Recipe] = field(default_factory=dict)

    def is_root(self, name: str) -> bool:
        """Tell whether a deployment names the component, rather than another component needing it."""
        return any(name in components for components in self.roots.values())


@dataclass(frozen=True, kw_only=True)
class _WithNucleus:
    """A registry in which the device itself is a component too."""

    registry: Registry

    def versions(self, name: str) -> list[str]:
        return [NUCLEUS_VERSION] if name == NUCLEUS else self.registry.versions(name)

    def recipe(self, name: str, version: str) -> Recipe:
        return _NUCLEUS_RECIPE if name == NUCLEUS else self.registry.recipe(name, version)


def plan(
    order: Order, before: Installation, equipment: Equipment, *, before_fetch: Callable[[str], None]
) -> Installation:
    """Return the installation that an order asks for, its artifacts fetched; raises DeploymentError.

    `before_fetch` is called with a component's name before one of its artifacts is downloaded.
    """
    wanted = {name: each.version for name, each in order.components.items()}
    roots = {**_remaining_roots(order, before, equipment), order.source: wanted}
    recipes = {recipe.name: recipe for recipe in resolve(_requirements(roots), _site(before, equipment))}
    for recipe in recipes.values():
        manifest = _supported_manifest(recipe, equipment)
        load_artifacts(recipe, manifest, equipment, before_fetch)
    changes = {name: _changes(name, order, before) for name in recipes}
    return assemble(roots, recipes, changes, equipment)


def assemble(
    roots: Mapping[str, Mapping[str, str]],
    recipes: Mapping[str, Recipe],
    changes: Mapping[str, configuration.Changes],
    equipment: Equipment,
) -> Installation:
    """Return the installation of recipes, dependencies first, with what deployments changed in each."""
    interpolated = _interpolates_configurations(changes.get(NUCLEUS, ()))
    surroundings = {name: _surroundings(recipe, changes[name], equipment) for name, recipe in recipes.items()}
    blueprints = {
        name: _blueprint(
            recipe, changes[name], _scope(recipe, surroundings, equipment, interpolated), equipment
        )
        for name, recipe in recipes.items()
    }
    return Installation(roots=roots, blueprints=blueprints, recipes=recipes)


def find_recipe(name: str, text: str) -> Recipe:
    """Return the recipe that a device stored as text."""
    return _NUCLEUS_RECIPE if name == NUCLEUS else parse_recipe(text)


def changed_components(before: Mapping[str, Blueprint], after: Mapping[str, Blueprint]) -> set[str]:
    """Return who must start anew: the new, the different, and whoever hard-depends on such."""
    changed = {name for name, blueprint in after.items() if before.get(name) != blueprint}
    # Dependencies come before their dependents, so one pass sees whole chains.
    for name, blueprint in after.items():
        if blueprint.hard_dependencies & changed:
            changed.add(name)
    return changed


def _remaining_roots(
    order: Order, before: Installation, equipment: Equipment
) -> Mapping[str, Mapping[str, str]]:
    """Return the roots of the other targets; those of groups that the thing has left since are dropped."""
    others = {target: roots for target, roots in before.roots.items() if target != order.source}
    if equipment.targets is None or not others:
        return others
    current = equipment.targets()
    return {target: roots for target, roots in others.items() if target in current}


def _requirements(roots: Mapping[str, Mapping[str, str]]) -> dict[str, dict[str, str]]:
    asked: dict[str, dict[str, str]] = {}
    for target, components in roots.items():
        for name, version in components.items():
            asked.setdefault(name, {})[target.rpartition(":")[2]] = version
    return asked


def _site(before: Installation, equipment: Equipment) -> Site:
    return Site(
        catalogue=_WithNucleus(registry=equipment.registry),
        attributes=equipment.real_attributes,
        active={name: blueprint.version for name, blueprint in before.blueprints.items()},
    )


def _supported_manifest(recipe: Recipe, equipment: Equipment) -> Manifest:
    if recipe.kind != GENERIC and recipe is not _NUCLEUS_RECIPE:
        message = f"component {recipe.name} is of type {recipe.kind}; virtual devices run {GENERIC} only"
        raise errors.unsupported(message)
    manifest = choose_manifest(recipe, equipment.real_attributes)
    if manifest is None:
        message = f"no manifest of component {recipe.name} {recipe.version} is for this device"
        raise errors.wrong_platform(message)
    return manifest


def _changes(name: str, order: Order, before: Installation) -> configuration.Changes:
    earlier = before.blueprints.get(name)
    changes = () if earlier is None else earlier.changes
    wanted = order.components.get(name)
    if wanted is None:
        return changes
    return configuration.update(changes, reset=wanted.reset, merge=wanted.merge, at=order.at)


def _interpolates_configurations(changes: configuration.Changes) -> bool:
    """Say whether the nucleus is configured to replace variables in configurations; by default it is not."""
    document = configuration.configure({}, changes)
    unknown = set(document) - {_INTERPOLATE}
    if unknown:
        message = (
            f"the virtual core's {NUCLEUS} can be configured in {_INTERPOLATE} only, not {min(unknown)!r}"
        )
        raise errors.unsupported(message)
    return str(document.get(_INTERPOLATE)).lower() == "true"


def _surroundings(recipe: Recipe, changes: configuration.Changes, equipment: Equipment) -> Surroundings:
    return Surroundings(
        configuration=configuration.configure(recipe.configuration, changes),
        artifacts=equipment.artifacts.folder(recipe.name, recipe.version),
        unarchived=equipment.artifacts.unarchived(recipe.name, recipe.version),
        work=equipment.work(recipe.name),
    )


def _scope(
    recipe: Recipe, surroundings: Mapping[str, Surroundings], equipment: Equipment, interpolated: bool
) -> Scope:
    scope = Scope(
        own=surroundings[recipe.name],
        dependencies={each.name: surroundings[each.name] for each in recipe.dependencies},
        root=equipment.root,
        thing=equipment.thing,
    )
    if not interpolated:
        return scope
    replaced = interpolate_document(scope.own.configuration, scope)
    return replace(scope, own=replace(scope.own, configuration=replaced))


def _blueprint(
    recipe: Recipe, changes: configuration.Changes, scope: Scope, equipment: Equipment
) -> Blueprint:
    manifest = _supported_manifest(recipe, equipment)
    return Blueprint(
        name=recipe.name,
        version=recipe.version,
        lifecycle=manifest.lifecycle.interpolated(lambda text: interpolate(text, scope)),
        configuration=scope.own.configuration,
        changes=changes,
        hard_dependencies=frozenset(each.name for each in recipe.dependencies if each.hard),
    )
