"""A component's recipe: JSON or YAML text read into checked, frozen data.

The rules are those of the component recipe reference of the AWS IoT Greengrass V2 guide. Keys that the
reference defines are read in any case, unknown ones are refused: a device would ignore a misspelt key.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import yaml

from .errors import RecipeError
from .fields import Fields, check_mapping
from .lifecycle import Lifecycle, parse_lifecycle, select
from .platforms import check_rule
from .versions import parse_requirement, parse_version

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

MAX_BYTES = 16_000
FORMAT = "2020-01-25"
GENERIC = "aws.greengrass.generic"

_NAME = re.compile(r"[a-zA-Z0-9-_.]{1,128}")
_TYPES = (
    "AWS.GREENGRASS.GENERIC",
    "AWS.GREENGRASS.NUCLEUS",
    "AWS.GREENGRASS.PLUGIN",
    "AWS.GREENGRASS.LAMBDA",
)
_PERMISSIONS = ("NONE", "OWNER", "ALL")
_TOP_KEYS = (
    "RecipeFormatVersion",
    "ComponentName",
    "ComponentVersion",
    "ComponentDescription",
    "ComponentPublisher",
    "ComponentConfiguration",
    "ComponentDependencies",
    "ComponentType",
    "ComponentSource",
    "Manifests",
    "Lifecycle",
)


@dataclass(frozen=True, kw_only=True)
class Dependency:
    """Another component that this one needs; a hard one restarts it."""

    name: str
    requirement: str
    hard: bool


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A file of a component in S3."""

    bucket: str
    key: str
    unarchive: bool
    executable: bool

    @property
    def uri(self) -> str:
        """The artifact's address, `s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def file_name(self) -> str:
        """The name under which a device stores the artifact."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a component is on one platform."""

    name: str
    platform: Mapping[str, str]
    artifacts: tuple[Artifact, ...]
    lifecycle: Lifecycle


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One version of a component; `document` is the recipe as its author wrote it, `text` its text."""

    name: str
    version: str
    description: str
    publisher: str
    kind: str
    configuration: Mapping[str, Any]
    dependencies: tuple[Dependency, ...]
    manifests: tuple[Manifest, ...]
    document: Mapping[str, Any]
    text: str = field(repr=False, compare=False)


def parse_recipe(text: str) -> Recipe:
    """Read a recipe; raises RecipeError with the place and the broken rule."""
    if len(text.encode()) > MAX_BYTES:
        msg = f"the recipe has {len(text.encode())} bytes; the limit is {MAX_BYTES}"
        raise RecipeError(msg)
    document = check_mapping(_load(text), "recipe")
    fields = Fields(document, where="recipe", allowed=_TOP_KEYS)
    if fields.text("RecipeFormatVersion") != FORMAT:
        msg = f"recipe.RecipeFormatVersion: must be {FORMAT!r}"
        raise RecipeError(msg)
    return Recipe(
        name=_parse_name(fields.text("ComponentName"), "recipe.ComponentName"),
        version=_parse_version(fields.text("ComponentVersion")),
        description=fields.text("ComponentDescription", ""),
        publisher=fields.text("ComponentPublisher", ""),
        kind=fields.choice("ComponentType", _TYPES, GENERIC).lower(),
        configuration=_parse_configuration(fields.mapping("ComponentConfiguration")),
        dependencies=_parse_dependencies(fields.mapping("ComponentDependencies")),
        manifests=_parse_manifests(fields.items("Manifests"), fields.mapping("Lifecycle")),
        document=document,
        text=text,
    )


def _parse_name(text: str, where: str) -> str:
    if not _NAME.fullmatch(text):
        msg = f"{where}: {text!r} must be 1 to 128 letters, digits, '-', '_' or '.'"
        raise RecipeError(msg)
    return text


def _parse_version(text: str) -> str:
    try:
        parse_version(text)
    except ValueError as error:
        msg = f"recipe.ComponentVersion: {error}"
        raise RecipeError(msg) from error
    return text


def _parse_configuration(document: Mapping[str, Any]) -> dict[str, Any]:
    where = "recipe.ComponentConfiguration"
    return Fields(document, where=where, allowed=("DefaultConfiguration",)).mapping("DefaultConfiguration")


def _parse_dependencies(document: Mapping[str, Any]) -> tuple[Dependency, ...]:
    where = "recipe.ComponentDependencies"
    return tuple(_parse_dependency(name, value, f"{where}.{name}") for name, value in document.items())


def _parse_dependency(name: str, document: Any, where: str) -> Dependency:  # noqa: ANN401 - any JSON value
    fields = Fields(document, where=where, allowed=("VersionRequirement", "DependencyType"))
    requirement = fields.text("VersionRequirement")
    try:
        parse_requirement(requirement)
    except ValueError as error:
        msg = f"{where}.VersionRequirement: {error}"
        raise RecipeError(msg) from error
    kind = fields.choice("DependencyType", ("HARD", "SOFT"), "HARD")
    return Dependency(name=_parse_name(name, where), requirement=requirement, hard=kind == "HARD")


def _parse_manifests(documents: list[Any], common: Mapping[str, Any]) -> tuple[Manifest, ...]:
    if not documents:
        msg = "recipe.Manifests: must have at least one manifest"
        raise RecipeError(msg)
    return tuple(
        _parse_manifest(document, common, f"recipe.Manifests[{index}]")
        for index, document in enumerate(documents)
    )


def _parse_manifest(document: Any, common: Mapping[str, Any], where: str) -> Manifest:  # noqa: ANN401 - any JSON
    allowed = ("Name", "Platform", "Lifecycle", "Selections", "Artifacts")
    fields = Fields(document, where=where, allowed=allowed)
    own = fields.mapping("Lifecycle")
    if own:
        lifecycle = parse_lifecycle(own, f"{where}.Lifecycle")
    else:
        lifecycle = parse_lifecycle(select(common, _parse_selections(fields)), "recipe.Lifecycle")
    return Manifest(
        name=fields.text("Name", ""),
        platform=_parse_platform(fields.mapping("Platform"), f"{where}.Platform"),
        artifacts=_parse_artifacts(fields.items("Artifacts"), f"{where}.Artifacts"),
        lifecycle=lifecycle,
    )


def _parse_selections(fields: Fields) -> tuple[str, ...]:
    selections = fields.items("Selections") or ["all"]
    for selection in selections:
        if not isinstance(selection, str):
            msg = f"{fields.where}.Selections: {selection!r} must be text"
            raise RecipeError(msg)
    return tuple(selections)


def _parse_platform(document: Mapping[str, Any], where: str) -> dict[str, str]:
    for name, rule in document.items():
        if not isinstance(rule, str):
            msg = f"{where}.{name}: must be text, not {rule!r}"
            raise RecipeError(msg)
        try:
            check_rule(rule)
        except ValueError as error:
            msg = f"{where}.{name}: {error}"
            raise RecipeError(msg) from error
    return dict(document)


def _parse_artifacts(documents: list[Any], where: str) -> tuple[Artifact, ...]:
    artifacts = tuple(_parse_artifact(document, f"{where}[{n}]") for n, document in enumerate(documents))
    names = [artifact.file_name for artifact in artifacts]
    for name in names:
        if names.count(name) > 1:
            msg = f"{where}: two artifacts have the file name {name!r}; a device stores only one"
            raise RecipeError(msg)
    return artifacts


def _parse_artifact(document: Any, where: str) -> Artifact:  # noqa: ANN401 - any JSON value
    # Digest and Algorithm are AWS's to set; an author's are overruled.
    allowed = ("URI", "Unarchive", "Permission", "Digest", "Algorithm")
    fields = Fields(document, where=where, allowed=allowed)
    permission = Fields(
        fields.mapping("Permission"), where=f"{where}.Permission", allowed=("Read", "Execute")
    )
    permission.choice("Read", _PERMISSIONS, "OWNER")
    bucket, key = _parse_uri(fields.text("URI"), f"{where}.URI")
    return Artifact(
        bucket=bucket,
        key=key,
        unarchive=fields.choice("Unarchive", ("NONE", "ZIP"), "NONE") == "ZIP",
        executable=permission.choice("Execute", _PERMISSIONS, "NONE") != "NONE",
    )


def _parse_uri(text: str, where: str) -> tuple[str, str]:
    parts = urlsplit(text, allow_fragments=False)
    key = text.removeprefix(f"s3://{parts.netloc}/")
    if parts.scheme != "s3" or not parts.netloc or key == text:
        msg = f"{where}: {text!r} must be an S3 address, s3://bucket/key"
        raise RecipeError(msg)
    if key.rpartition("/")[2] in ("", ".", "..") or "\0" in key:
        msg = f"{where}: {text!r} does not end in a file name"
        raise RecipeError(msg)
    return parts.netloc, key


def _load(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text, object_pairs_hook=_unique_members, parse_constant=_refuse_constant)
        return yaml.load(text, Loader=_RecipeLoader)  # noqa: S506 - a safe loader, made stricter
    except RecursionError as error:
        msg = "the recipe is nested too deeply"
        raise RecipeError(msg) from error
    except (json.JSONDecodeError, yaml.YAMLError) as error:
        msg = f"the recipe is neither JSON nor YAML: {error}"
        raise RecipeError(msg) from error


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            msg = f"the recipe has the key {key!r} twice in one object"
            raise RecipeError(msg)
        members[key] = value
    return members


def _refuse_constant(name: str) -> NoReturn:
    msg = f"the recipe holds {name}, which JSON does not know"
    raise RecipeError(msg)


class _RecipeLoader(yaml.SafeLoader):
    """YAML as recipes use it: no aliases (which grow without bound), no repeated keys, no dates."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            msg = "the recipe uses YAML aliases; write the value out"
            raise RecipeError(msg)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                msg = f"the recipe has the key {key!r} twice in one object"
                raise RecipeError(msg)
        return super().construct_mapping(node, deep)


# 2020-01-25 without quotes, as many recipes have it, is text to AWS.
_RecipeLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
