"""The component versions of one account and region."""

from __future__ import annotations

import copy
import json
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import yaml
from botocore.exceptions import BotoCoreError, ClientError
from semantic_version import Version

from .artifacts import ALGORITHM, copy_object
from .errors import RecipeError
from .memory import COMPONENTS, moment
from .recipe import Artifact, Recipe, parse_recipe
from .refusals import ConflictError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .memory import Memory


@dataclass(frozen=True, kw_only=True)
class ComponentVersion:
    """A published component version; `digests` has the digest of each artifact by its address."""

    arn: str
    recipe: Recipe
    digests: Mapping[str, str]
    created: datetime
    token: str | None = None
    """The client token that it was made for."""

    @property
    def component_arn(self) -> str:
        """The ARN of the component without its version."""
        return self.arn.rpartition(":versions:")[0]

    def render(self, output_format: str) -> bytes:
        """Return the recipe as GetComponent does: the author's, with the digests of its artifacts."""
        document = copy.deepcopy(dict(self.recipe.document))
        for artifact in _artifact_documents(document):
            uri = next(value for key, value in artifact.items() if key.lower() == "uri")
            for key in [key for key in artifact if key.lower() in ("digest", "algorithm")]:
                del artifact[key]
            artifact |= {"Digest": self.digests[uri], "Algorithm": ALGORITHM}
        if output_format == "YAML":
            return yaml.safe_dump(document, sort_keys=False).encode()
        return json.dumps(document, indent=2).encode()


class Registry:
    """Component versions by name; safe to use from several threads."""

    def __init__(self, region: str, account: str, s3: Any, memory: Memory) -> None:  # noqa: ANN401 - boto3 clients are made at run time
        self._prefix = f"arn:aws:greengrass:{region}:{account}:components"
        self._account = account
        self._s3 = s3
        self._lock = threading.RLock()
        self._memory = memory
        self._components: dict[str, dict[str, ComponentVersion]] = {}
        for kept in sorted(memory.recall(COMPONENTS), key=lambda each: str(each["created"])):
            recipe = parse_recipe(kept["recipe"])
            version = self._version(recipe, kept["digests"], moment(kept["created"]))
            named = self._components.setdefault(recipe.name, {})
            named[recipe.version] = replace(version, token=kept["token"])

    def publish(self, text: str, *, tagged: bool, token: str | None = None) -> ComponentVersion:
        """Add the component version that a recipe describes, its artifacts measured in S3.

        The same client token gets the version that was made for it.
        Raises InvalidError for a bad recipe or artifact, ConflictError when the version exists.
        """
        try:
            recipe = parse_recipe(text)
        except RecipeError as error:
            msg = f"The recipe is not valid: {error}"
            raise InvalidError(msg) from error
        made = self._components.get(recipe.name, {}).get(recipe.version)
        if token and made and (token, text) == (made.token, made.recipe.text):
            return made
        self._check_absent(recipe, tagged=tagged)
        digests = {artifact.uri: self._measure(artifact) for artifact in _artifacts(recipe)}
        version = replace(self._version(recipe, digests, datetime.now(UTC)), token=token)
        with self._lock:
            self._check_absent(recipe, tagged=tagged)
            self._keep(version)
            self._components.setdefault(recipe.name, {})[recipe.version] = version
        return version

    def delete(self, arn: str) -> None:
        """Forget a component version; devices that run it keep it. Raises NotFoundError."""
        with self._lock:
            recipe = self.find(arn).recipe
            self._memory.forget(COMPONENTS, f"{recipe.name}/{recipe.version}")
            del self._components[recipe.name][recipe.version]
            if not self._components[recipe.name]:
                del self._components[recipe.name]

    def find(self, arn: str) -> ComponentVersion:
        """Return a component version by its ARN; raises NotFoundError."""
        for version in self.all_versions():
            if version.arn == arn:
                return version
        raise NotFoundError(arn, "component")

    def find_versions(self, component_arn: str) -> list[ComponentVersion]:
        """Return the versions of a component by its ARN, newest first; raises NotFoundError."""
        found = [version for version in self.all_versions() if version.component_arn == component_arn]
        if not found:
            raise NotFoundError(component_arn, "component")
        return sorted(found, key=lambda each: Version(each.recipe.version), reverse=True)

    def latest_versions(self) -> list[ComponentVersion]:
        """Return the newest version of each component, by name."""
        arns = sorted({version.component_arn for version in self.all_versions()})
        return [self.find_versions(arn)[0] for arn in arns]

    def all_versions(self) -> list[ComponentVersion]:
        """Return all component versions."""
        with self._lock:
            return [version for versions in self._components.values() for version in versions.values()]

    def versions(self, name: str) -> list[str]:
        """Return the versions of a component, none when it is unknown."""
        with self._lock:
            return list(self._components.get(name, {}))

    def recipe(self, name: str, version: str) -> Recipe:
        """Return the recipe of a known version."""
        with self._lock:
            return self._components[name][version].recipe

    def digest(self, name: str, version: str, artifact: Artifact) -> str:
        """Return the digest of an artifact of a known version."""
        with self._lock:
            return self._components[name][version].digests[artifact.uri]

    def _version(self, recipe: Recipe, digests: Mapping[str, str], created: datetime) -> ComponentVersion:
        arn = f"{self._prefix}:{recipe.name}:versions:{recipe.version}"
        return ComponentVersion(arn=arn, recipe=recipe, digests=digests, created=created)

    def _keep(self, version: ComponentVersion) -> None:
        recipe = version.recipe
        document = {
            "recipe": recipe.text,
            "digests": dict(version.digests),
            "created": version.created.isoformat(),
            "token": version.token,
        }
        self._memory.keep(COMPONENTS, f"{recipe.name}/{recipe.version}", document)

    def _check_absent(self, recipe: Recipe, *, tagged: bool) -> None:
        if recipe.version in self.versions(recipe.name):
            named = f"Component [{recipe.name} : {recipe.version}] for account [{self._account}]"
            remedy = " and can't be created again with tags." if tagged else "."
            message = f"{named} already exists{remedy}"
            arn = f"{self._prefix}:{recipe.name}:versions:{recipe.version}"
            raise ConflictError(message, arn, "component")

    def _measure(self, artifact: Artifact) -> str:
        try:
            return copy_object(self._s3, artifact, None)
        except (BotoCoreError, ClientError) as error:
            # AWS's words, then ours.
            message = f"Specified artifact resource cannot be accessed: {artifact.uri}: {error}"
            raise InvalidError(message) from error


def _artifacts(recipe: Recipe) -> list[Artifact]:
    return [artifact for manifest in recipe.manifests for artifact in manifest.artifacts]


def _artifact_documents(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    manifests = [each for key, value in document.items() if key.lower() == "manifests" for each in value]
    return [
        artifact
        for manifest in manifests
        for key, value in manifest.items()
        if key.lower() == "artifacts"
        for artifact in value or []
    ]
