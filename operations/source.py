"""A pipeline as it stands on this machine: compiled, its files packed, and one digest of all of it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from operations.errors import OperationError
from pipelines.assets import PLATFORM, exists_beside, read_asset, read_spec
from pipelines.compiler import Asset, Compiled, compile_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMMIT = 40


@dataclass(frozen=True, kw_only=True)
class File:
    """One thing that goes along with a pipeline, and the name its content gives it in a bucket."""

    asset: Asset
    data: bytes

    @property
    def key(self) -> str:
        """Return the object's key; the same content has the same key."""
        return f"assets/{hashlib.sha256(self.data).hexdigest()}/{self.asset.name}.tar.gz"


@dataclass(frozen=True, kw_only=True)
class Source:
    """A spec and everything that goes along with it; `commit` is empty outside git."""

    spec: Path
    text: str
    compiled: Compiled
    files: tuple[File, ...]
    commit: str

    @property
    def digest(self) -> str:
        """Return the digest of the compiled definition and of all files."""
        parts = [self.compiled.definition, *(file.key for file in self.files)]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    @property
    def spec_key(self) -> str:
        """Return the key under which the spec's own text is kept."""
        return f"assets/{hashlib.sha256(self.text.encode()).hexdigest()}/pipeline.yaml"


def read_source(spec: Path) -> Source:
    """Read and compile a spec and pack its files, without AWS.

    Raises SpecError, AssetError, and OperationError for a kind that cannot run yet.
    """
    text = read_spec(spec)
    compiled = compile_text(text, path=spec.as_posix(), exists=exists_beside(spec))
    if compiled.unavailable:
        step, why = compiled.unavailable[0]
        message = f"{spec}: step '{step}' cannot run on AWS: {why}"
        raise OperationError(message)
    files = tuple(
        File(asset=asset, data=read_asset(asset, spec_dir=spec.parent, platform_dir=PLATFORM))
        for asset in compiled.assets
    )
    return Source(spec=spec, text=text, compiled=compiled, files=files, commit=read_commit(spec.parent))


def read_commit(folder: Path) -> str:
    """Return the commit that a folder is checked out at; nothing outside git, or without git."""
    command = ["git", "-C", str(folder), "rev-parse", "HEAD"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603 - fixed words and a folder
    except (OSError, subprocess.SubprocessError):
        return ""
    commit = found.stdout.strip()
    return commit if len(commit) >= COMMIT and commit.isalnum() else ""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a deployed version comes from; it is kept as the version's description."""

    source: str
    commit: str
    spec: str
    """The S3 address of the spec's text."""

    def render(self) -> str:
        """Write it as a description: at most 256 characters (PublishStateMachineVersion)."""
        said = {"source": self.source[:24], "commit": self.commit[:12], "spec": self.spec}
        return json.dumps(said, separators=(",", ":"))


def parse_origin(text: str) -> Origin | None:
    """Read a description; None for one that edgepipe did not write."""
    try:
        found: Mapping[str, str] = json.loads(text)
        return Origin(source=str(found["source"]), commit=str(found["commit"]), spec=str(found["spec"]))
    except (ValueError, LookupError, TypeError):
        return None
