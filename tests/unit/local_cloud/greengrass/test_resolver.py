"""Which versions are chosen, in which order, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from local_cloud.greengrass.errors import DeploymentError
from local_cloud.greengrass.recipe import Recipe, parse_recipe
from local_cloud.greengrass.resolver import Site, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping

Shelf = dict[str, dict[str, dict[str, str]]]
"""Component -> version -> its dependencies."""


class InMemoryCatalogue:
    def __init__(self, shelf: Shelf, platforms: Mapping[str, str] | None = None) -> None:
        self._shelf = shelf
        self._platforms = platforms or {}

    def versions(self, name: str) -> list[str]:
        return list(self._shelf.get(name, {}))

    def recipe(self, name: str, version: str) -> Recipe:
        needs = self._shelf[name][version]
        document = {
            "RecipeFormatVersion": "2020-01-25",
            "ComponentName": name,
            "ComponentVersion": version,
            "ComponentDependencies": {each: {"VersionRequirement": text} for each, text in needs.items()},
            "Manifests": [{"Platform": {"os": self._platforms.get(f"{name} {version}", "linux")}}],
        }
        return parse_recipe(json.dumps(document))


def chosen(
    shelf: Shelf,
    roots: Mapping[str, str],
    active: Mapping[str, str] | None = None,
    platforms: Mapping[str, str] | None = None,
) -> list[str]:
    catalogue = InMemoryCatalogue(shelf, platforms)
    site = Site(catalogue=catalogue, attributes={"os": "linux"}, active=active or {})
    asked = {name: {"thing/t": version} for name, version in roots.items()}
    return [f"{recipe.name} {recipe.version}" for recipe in resolve(asked, site)]


SERVERS: dict[str, dict[str, str]] = {"1.0.0": {}, "1.5.0": {}, "2.0.0": {}}
MODEL: Shelf = {"model": {"1.0.0": {"server": "^1.0.0"}}, "server": SERVERS}

CHOICES: list[tuple[str, Shelf, dict[str, str], dict[str, str], list[str]]] = [
    ("dependencies come first", MODEL, {"model": "1.0.0"}, {}, ["server 1.5.0", "model 1.0.0"]),
    (
        "the running version is kept",
        MODEL,
        {"model": "1.0.0"},
        {"server": "1.0.0"},
        ["server 1.0.0", "model 1.0.0"],
    ),
    (
        "unless it no longer fits",
        MODEL,
        {"model": "1.0.0"},
        {"server": "2.0.0"},
        ["server 1.5.0", "model 1.0.0"],
    ),
    (
        "roots and dependents must agree",
        MODEL,
        {"model": "1.0.0", "server": "1.0.0"},
        {},
        ["server 1.0.0", "model 1.0.0"],
    ),
    (
        "a later requirement narrows an earlier choice",
        {
            "a": {"1.0.0": {"server": "*", "b": "*"}},
            "b": {"1.0.0": {"server": "<1.5.0"}},
            "server": SERVERS,
        },
        {"a": "1.0.0"},
        {},
        ["server 1.0.0", "b 1.0.0", "a 1.0.0"],
    ),
    ("nothing asked, nothing run", MODEL, {}, {}, []),
]


@pytest.mark.parametrize(
    ("shelf", "roots", "active", "expected"), [row[1:] for row in CHOICES], ids=[row[0] for row in CHOICES]
)
def test_choice(shelf: Shelf, roots: dict[str, str], active: dict[str, str], expected: list[str]) -> None:
    assert chosen(shelf, roots, active) == expected


def test_a_version_for_another_platform_is_passed_over() -> None:
    platforms = {"server 1.5.0": "windows"}
    assert chosen(MODEL, {"model": "1.0.0"}, platforms=platforms) == ["server 1.0.0", "model 1.0.0"]


REFUSALS: list[tuple[Shelf, dict[str, str], str, str]] = [
    (MODEL, {"model": "2.0.0"}, "NO_AVAILABLE_COMPONENT_VERSION", "thing/t requires 2.0.0"),
    (MODEL, {"model": "1.0.0", "server": "2.0.0"}, "NO_AVAILABLE_COMPONENT_VERSION", "model requires"),
    (MODEL, {"camera": "1.0.0"}, "NO_AVAILABLE_COMPONENT_VERSION", "camera is not in the registry"),
    (
        {"a": {"1.0.0": {"b": "*"}}, "b": {"1.0.0": {"a": "*"}}},
        {"a": "1.0.0"},
        "COMPONENT_CIRCULAR_DEPENDENCY_ERROR",
        "circle: ",
    ),
]


@pytest.mark.parametrize(("shelf", "roots", "code", "message"), REFUSALS)
def test_refusal(shelf: Shelf, roots: dict[str, str], code: str, message: str) -> None:
    with pytest.raises(DeploymentError, match=message) as error:
        chosen(shelf, roots)
    assert code in error.value.codes


def test_no_manifest_for_the_platform() -> None:
    with pytest.raises(DeploymentError, match="os=linux") as error:
        chosen({"a": {"1.0.0": {}}}, {"a": "1.0.0"}, platforms={"a 1.0.0": "windows"})
    assert error.value.types == ("COMPONENT_RECIPE_ERROR",)
