"""Which versions of which components a device needs for what its deployments ask.

The rules are those of the nucleus: every requirement on a component must hold, the version that already runs
is kept when it fits, else the newest that fits the platform is taken, and circles are refused. Where the
nucleus joins requirements to one range text, each is checked on its own here; the results differ only for
ranges with `||`.
"""

from __future__ import annotations

import graphlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from . import errors
from .platforms import matches
from .versions import satisfying

if TYPE_CHECKING:
    from .recipe import Manifest, Recipe

_MAX_ROUNDS = 100

Requirements = Mapping[str, Mapping[str, str]]
"""For each component, what is asked of its version, by who asks."""


class Catalogue(Protocol):
    """Where a device finds components."""

    def versions(self, name: str) -> list[str]:
        """Return all versions of a component, none when it is unknown."""

    def recipe(self, name: str, version: str) -> Recipe:
        """Return the recipe of a known version."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """What the choice depends on beside the requirements: the registry, the platform, what runs already."""

    catalogue: Catalogue
    attributes: Mapping[str, str]
    active: Mapping[str, str]


def resolve(roots: Requirements, site: Site) -> list[Recipe]:
    """Return the recipes to run, dependencies before their dependents.

    Raises DeploymentError when no version fits, no manifest fits the platform, or components form a circle.
    """
    asked: Requirements = roots
    for _ in range(_MAX_ROUNDS):
        chosen = _choose(asked, roots, site)
        needed = _requirements(roots, chosen)
        if needed == asked:
            return _in_order(chosen)
        asked = needed
    message = f"the version requirements of {', '.join(sorted(roots))} do not settle; pin more versions"
    raise errors.no_version(message)


def choose_manifest(recipe: Recipe, attributes: Mapping[str, str]) -> Manifest | None:
    """Return the first manifest for a device with these attributes, None when there is none."""
    return next((each for each in recipe.manifests if matches(each.platform, attributes)), None)


def _choose(asked: Requirements, roots: Requirements, site: Site) -> dict[str, Recipe]:
    """Pick a version of everything that can be reached from the roots under the requirements known so far."""
    chosen: dict[str, Recipe] = {}
    known = {name: dict(by) for name, by in asked.items()}
    waiting = list(roots)
    while waiting:
        name = waiting.pop(0)
        if name in chosen:
            continue
        chosen[name] = _best(name, known[name], site)
        for dependency in chosen[name].dependencies:
            known.setdefault(dependency.name, {})[name] = dependency.requirement
            waiting.append(dependency.name)
    return chosen


def _requirements(roots: Requirements, chosen: Mapping[str, Recipe]) -> Requirements:
    needed = {name: dict(by) for name, by in roots.items()}
    for recipe in chosen.values():
        for dependency in recipe.dependencies:
            needed.setdefault(dependency.name, {})[recipe.name] = dependency.requirement
    return needed


def _best(name: str, requirements: Mapping[str, str], site: Site) -> Recipe:
    versions = site.catalogue.versions(name)
    fitting = satisfying(versions, requirements.values())
    if not fitting:
        raise errors.no_version(_no_version_message(name, versions, requirements))
    preferred = [version for version in fitting if version == site.active.get(name)]
    for version in (*preferred, *fitting):
        recipe = site.catalogue.recipe(name, version)
        if choose_manifest(recipe, site.attributes) is not None:
            return recipe
    described = ", ".join(f"{key}={value}" for key, value in site.attributes.items())
    message = f"no manifest of component {name} {fitting[0]} is for a device with {described}"
    raise errors.wrong_platform(message)


def _no_version_message(name: str, versions: list[str], requirements: Mapping[str, str]) -> str:
    if not versions:
        return f"component {name} is not in the registry; publish it first"
    asked = ", ".join(f"{by} requires {text}" for by, text in requirements.items())
    return f"no version of component {name} fits: {asked}; the registry has {', '.join(versions)}"


def _in_order(chosen: Mapping[str, Recipe]) -> list[Recipe]:
    graph = {name: [each.name for each in recipe.dependencies] for name, recipe in chosen.items()}
    try:
        return [chosen[name] for name in graphlib.TopologicalSorter(graph).static_order()]
    except graphlib.CycleError as error:
        # The error lists the circle from dependency to dependent.
        circle = " -> ".join(reversed(error.args[1]))
        message = f"components depend on each other in a circle: {circle}"
        raise errors.cycle(message) from error
